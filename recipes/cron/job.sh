#!/bin/sh
# job.sh PROGRAM ARGUMENT…, in the site's sources.
set -eu
cd {{ (folder or (data if package else source if editable else object ~ "/app")) | shell_quote }}
exec "$@"
