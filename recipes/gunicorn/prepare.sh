#!/bin/sh
# In the application's folder, as the application itself runs.
set -eu
{% if not package -%}
cd {{ (source if editable else object ~ "/app") | shell_quote }}
{% endif -%}
exec "$@"
