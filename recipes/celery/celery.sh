#!/bin/sh
# celery VERB ARGUMENTS…, in the application's folder.
set -eu
{% if not package -%}
cd {{ (source if editable else object ~ "/app") | shell_quote }}
{% endif -%}
verb=$1
shift
if [ "$verb" = worker ]; then
    set -- "$@" --queues={{ queues | join(",") | shell_quote }}
fi
exec {{ env | shell_quote }}/bin/celery --app={{ app | shell_quote }} "$verb" "$@"
