#!/bin/sh
# users.sh PROGRAM SOCKET USERS ADMIN: users and databases as the file USERS says. The administrator's password is $MYSQL_PWD. If
# the server knows another one, it was changed since: then the spare administrator, who has one of its own, sets it first as the
# file ADMIN says.
set -eu
program=$1 socket=$2 users=$3 admin=$4

as() {
    "$program" --no-defaults --batch --socket="$socket" --user="$1"
}

if ! said=$(echo "SELECT 1;" | as root 2>&1); then
    if ! (export MYSQL_PWD="$SPARE_PASSWORD"; as root-spare < "$admin"); then
        echo "$said" >&2
        echo "neither the administrator's password nor that of its spare is the one that the server knows; rotate one at a time, and" >&2
        echo "bring the former one back with: jove-install secret set" >&2
        exit 1
    fi
fi
as root < "$users"
