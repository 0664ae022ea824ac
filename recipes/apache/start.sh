#!/bin/sh
# start.sh SOFTWARE RUN CONFIGURATION: starts Apache beside one that is to end. It would refuse to while a file says that it runs:
# so each process has its own.
set -eu
for file in "$2"/apache-*.pid; do
    pid=${file##*-}
    pid=${pid%.pid}
    # Left by one that was killed.
    if [ "$pid" = $$ ] || ! kill -0 "$pid" 2>/dev/null; then rm -f "$file"; fi
done
exec "$1/bin/apache2" -D FOREGROUND -C "PidFile apache-$$.pid" -f "$3"
