#!/bin/sh
# dump.sh PROGRAM: the databases as they are at one moment, in $JOVE_DUMP. Loading them takes the place of those that are there.
set -eu
umask 077
exec "$1" --no-defaults --user=root --single-transaction --routines --events --triggers --add-drop-database \
    --result-file="$JOVE_DUMP/databases.sql" --databases{% for database in [database] + databases %} {{ database | shell_quote }}{% endfor %}

