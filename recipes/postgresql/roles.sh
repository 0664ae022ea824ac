#!/bin/sh
# roles.sh SOCKET PORT ADMIN FOLDER: roles and databases as FOLDER/roles.sql says. The superuser's password is $PGPASSWORD. If the
# server knows another one, it was changed since: then the spare superuser, who has one of its own, sets it first.
set -eu
export PGHOST="$1" PGPORT="$2"
admin=$3 folder=$4

as() {
    psql --no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 --username="$1" "$2" postgres
}

if ! said=$(as "$admin" --command="" 2>&1); then
    if ! (export PGPASSWORD="$SPARE_PASSWORD"; as "$admin-spare" --file="$folder/admin.sql"); then
        echo "$said" >&2
        echo "neither the superuser's password nor that of its spare is the one that the server knows; rotate one at a time, and bring" >&2
        echo "the former one back with: jove-install secret set" >&2
        exit 1
    fi
fi
as "$admin" --file="$folder/roles.sql"
