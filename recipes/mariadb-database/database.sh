#!/bin/sh
# database.sh VERB SOCKET DATABASE [SQL]: `create` makes the database and its user as the file SQL says, `dump` writes the database
# into $JOVE_DUMP as it is at one moment, `load` puts what is there in its place, `prove` restores it into a database that goes
# again. The administrator's password is $MYSQL_PWD.
set -eu
verb=$1 socket=$2 database=$3 file=${JOVE_DUMP:-}/database.sql
umask 077

sql() {
    mariadb --no-defaults --batch --skip-column-names --socket="$socket" --user=root "$@"
}

# Into the database of that name, which is empty before.
restore() {
    # The last line of a dump that is whole.
    tail -n 1 "$file" | grep -q '^-- Dump completed' || {
        echo "the dump of \`$database\` is not whole" >&2
        exit 1
    }
    sql --execute="DROP DATABASE IF EXISTS \`$1\`; CREATE DATABASE \`$1\`"
    sql "$1" < "$file"
}

case $verb in
create)
    sql < "$4"
    ;;
dump)
    mariadb-dump --no-defaults --socket="$socket" --user=root --single-transaction --routines --events --triggers \
        --result-file="$file" "$database"
    ;;
load)
    # Tried beside it first: what cannot be restored takes nothing away.
    restore "$database.load"
    sql --execute="DROP DATABASE \`$database.load\`"
    restore "$database"
    ;;
prove)
    trap 'sql --execute="DROP DATABASE IF EXISTS \`$database.proof\`"' EXIT
    restore "$database.proof"
    ;;
esac
