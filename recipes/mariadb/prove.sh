#!/bin/sh
# prove.sh SOFTWARE CONFIGURATION INIT DATA RUN DATABASE…: a server of its own, on a socket and with tables of its own, takes what is in
# $JOVE_DUMP, and must have each database then. The administrator's password is $MYSQL_PWD.
set -eu
umask 077
software=$1 configuration=$2 init=$3 proof=$4/.proof socket=$5/proof.sock server=
shift 5

ask() {
    "$software/bin/mariadb" --no-defaults --batch --skip-column-names --socket="$socket" --user=root "$@"
}

away() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$proof" "$socket"
}

# The last line of a dump that is whole.
tail -n 1 "$JOVE_DUMP/databases.sql" | grep -q '^-- Dump completed' || {
    echo "the dump is not whole" >&2
    exit 1
}
away
trap away EXIT
mkdir "$proof"
printf "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.plugin', 'mysql_native_password', '$.authentication_string', PASSWORD('%s')) WHERE User = 'root';\n" \
    "$(printf %s "$MYSQL_PWD" | sed "s/['\\\\]/\\\\&/g")" > "$proof/init.sql"
sh "$init" "$software/bin/mariadbd" "$configuration" "$software/share/mysql" "$proof/tables" "$proof/init.sql"
"$software/bin/mariadbd" --defaults-file="$configuration" --datadir="$proof/tables" --socket="$socket" --pid-file="$proof/pid" \
    --tmpdir="$proof" --skip-networking --innodb-buffer-pool-size=16M --log-warnings=0 &
server=$!
until ask --execute="SELECT 1" >/dev/null 2>&1; do
    kill -0 "$server"
    sleep 0.1
done
ask < "$JOVE_DUMP/databases.sql"
for database in "$@"; do
    ask --execute="SHOW TABLES" "$database" >/dev/null
done
"$software/bin/mariadb-admin" --no-defaults --socket="$socket" --user=root shutdown
wait "$server"
server=
