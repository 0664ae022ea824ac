#!/bin/sh
# Each database as it is at one moment, in $JOVE_DUMP.
set -eu
umask 077
export PGHOST={{ run | shell_quote }} PGPORT={{ port }} PGUSER={{ admin | shell_quote }}
{% for database in [database] + databases -%}
{{ (software ~ "/bin/pg_dump") | shell_quote }} --no-password --format=custom --file="$JOVE_DUMP"/{{ database | shell_quote }}.dump {{ database | shell_quote }}
{% endfor -%}
