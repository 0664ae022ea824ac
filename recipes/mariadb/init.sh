#!/bin/sh
# init.sh PROGRAM CONFIGURATION SHARE TABLES SQL: makes the system tables, whole or not at all. What was killed is made anew.
set -eu
[ -e "$4" ] && exit 0
rm -rf "$4.new"
mkdir -m 700 "$4.new"
{
    # Only `root` of this machine, and nobody without a name.
    echo "CREATE DATABASE mysql;"
    echo "USE mysql;"
    echo "SET @auth_root_socket = NULL;"
    echo "SET @current_hostname = 'localhost';"
    echo "SET @skip_auth_anonymous = 1;"
    for part in mysql_system_tables mysql_performance_tables mysql_system_tables_data fill_help_tables maria_add_gis_sp_bootstrap mysql_sys_schema; do
        cat "$3/$part.sql"
    done
    cat "$5"
} | "$1" --defaults-file="$2" --datadir="$4.new" --bootstrap --log-warnings=0
mv "$4.new" "$4"
