#!/bin/sh
# prove.sh DATA RUN: a server of its own, on a socket of its own, reads the snapshot in $JOVE_DUMP until it has all.
set -eu
proof=$1/.proof
socket=$2/proof.sock

ask() {
    env -u REDISCLI_AUTH redis-cli -s "$socket" "$@"
}

rm -rf "$proof" "$socket"
mkdir "$proof"
cp "$JOVE_DUMP/dump.rdb" "$proof/dump.rdb"
redis-server --port 0 --unixsocket "$socket" --unixsocketperm 700 --dir "$proof" --dbfilename dump.rdb \
    --save "" --appendonly no --loglevel warning &
server=$!
until [ "$(ask ping 2>/dev/null)" = PONG ]; do
    kill -0 "$server"
    sleep 0.05
done
ask dbsize >/dev/null
ask shutdown nosave || true
wait "$server"
rm -rf "$proof"
