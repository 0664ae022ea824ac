#!/bin/sh
# Each database out of $JOVE_DUMP: filled beside the one that is there, and whole when it takes its place.
set -eu
export PGHOST={{ run | shell_quote }} PGPORT={{ port }} PGUSER={{ admin | shell_quote }} PGOPTIONS="--client-min-messages=warning"
sql() {
    {{ (software ~ "/bin/psql") | shell_quote }} --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 "$@" postgres
}
{% for database in [database] + databases -%}
sql --command={{ ('DROP DATABASE IF EXISTS "' ~ database ~ '.load"') | shell_quote }}
sql --command={{ ('CREATE DATABASE "' ~ database ~ '.load" OWNER "' ~ user ~ '" TEMPLATE template0') | shell_quote }}
{{ (software ~ "/bin/pg_restore") | shell_quote }} --no-password --exit-on-error --single-transaction --dbname={{ (database ~ ".load") | shell_quote }} "$JOVE_DUMP"/{{ database | shell_quote }}.dump
sql --command={{ ('REVOKE ALL ON DATABASE "' ~ database ~ '.load" FROM PUBLIC') | shell_quote }}
{% endfor -%}
{% for database in [database] + databases -%}
sql --command={{ ('DROP DATABASE IF EXISTS "' ~ database ~ '" WITH (FORCE)') | shell_quote }}
sql --command={{ ('ALTER DATABASE "' ~ database ~ '.load" RENAME TO "' ~ database ~ '"') | shell_quote }}
{% endfor -%}
