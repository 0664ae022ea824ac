#!/bin/sh
# check.sh NGINX RUN CONFIGURATION FOLDER: what would not run is told before anything is switched.
#
# First it writes below FOLDER what this nginx knows and an older one refuses. Each nginx has a file of its own there, by its path:
# another generation may have another one.
set -eu
nginx=$1 run=$2 configuration=$3 folder=$4
software=${nginx%/bin/nginx}
file=$folder$software.conf
mkdir -p "${file%/*}"

version=$("$nginx" -v 2>&1)
case $version in
    *nginx/[0-9]*.[0-9]*.[0-9]*) version=${version##*nginx/} version=${version%% *} ;;
    *) version=0.0.0 ;;
esac
major=${version%%.*} rest=${version#*.}
minor=${rest%%.*} patch=${rest#*.}
number=$((major * 1000000 + minor * 1000 + ${patch%%[!0-9]*}))

{
    echo "# What nginx $version knows."
    if [ "$number" -ge 1027004 ]; then
        # A worker that ends leaves a connection open for as long after an answer: whoever is about to ask is not cut off.
        echo "keepalive_min_timeout 5s;"
    fi
} > "$file.new"
mv "$file.new" "$file"

exec "$nginx" -p "$run" -e stderr -c "$configuration" -t -q
