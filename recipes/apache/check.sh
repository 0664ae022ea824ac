#!/bin/sh
# check.sh SOFTWARE ENVIRONMENT CONFIGURATION: what would not run is told before anything is switched.
set -eu
module=$(readlink "$1/modules/mod_wsgi.so" || echo)
minor=${module##*so-}
if [ -n "$minor" ] && [ ! -d "$2/lib/python$minor" ]; then
    echo "mod_wsgi of these packages is for Python $minor, and the environment has another: give its part python = \"$minor\", with provider = \"deb\"" >&2
    exit 1
fi
exec "$1/bin/apache2" -t -f "$3"
