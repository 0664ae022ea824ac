#!/bin/sh
# initdb PROGRAM CLUSTER ADMIN PASSWORD-FILE: makes a cluster, whole or not at all. One that was killed is made anew.
set -eu
[ -e "$2" ] && exit 0
rm -rf "$2.new"
"$1" --pgdata="$2.new" --username="$3" --pwfile="$4" --auth=scram-sha-256 --no-locale --encoding=UTF8 --no-instructions --no-sync
# Its files are made durable by one call; initdb makes one for each of a thousand.
sync -f "$2.new" 2>/dev/null || sync
mv "$2.new" "$2"
