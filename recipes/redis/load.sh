#!/bin/sh
# The keys out of $JOVE_DUMP: a file that redis-server takes when it starts, whole before it takes the place of what is there.
set -eu
cd {{ data | shell_quote }}
rm -f load.rdb
cp "$JOVE_DUMP/dump.rdb" load.rdb
rm -rf appendonlydir appendonly.aof dump.rdb
mv load.rdb {{ "appendonly.aof" if persistent else "dump.rdb" }}
