#!/bin/sh
# database.sh VERB SOCKET PORT ADMIN OWNER DATABASE…: `dump` writes each database into $JOVE_DUMP, `load` puts what is there in its
# place, whole or not at all, `prove` restores it into a database that goes again.
set -eu
verb=$1 owner=$5
export PGHOST="$2" PGPORT="$3" PGUSER="$4"
shift 5

sql() {
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres --command="$1"
}

restore() {
    sql "DROP DATABASE IF EXISTS \"$2\""
    sql "CREATE DATABASE \"$2\" OWNER \"$owner\""
    sql "REVOKE ALL ON DATABASE \"$2\" FROM PUBLIC"
    pg_restore --exit-on-error --no-owner --no-acl --role="$owner" --dbname="$2" "$1"
}

for database in "$@"; do
    file=$JOVE_DUMP/$database.dump
    case $verb in
    dump)
        pg_dump --format=custom --compress=0 --file="$file" "$database"
        ;;
    load)
        restore "$file" "$database.load"
        sql "DROP DATABASE IF EXISTS \"$database.old\""
        # Both names at once: there is always one database of the name.
        psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres --output=/dev/null <<END
BEGIN;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$database' AND pid <> pg_backend_pid();
ALTER DATABASE "$database" RENAME TO "$database.old";
ALTER DATABASE "$database.load" RENAME TO "$database";
COMMIT;
END
        sql "DROP DATABASE \"$database.old\""
        ;;
    prove)
        restore "$file" "$database.proof"
        sql "DROP DATABASE \"$database.proof\""
        ;;
    esac
done
