#!/bin/sh
# folder.sh VERB FOLDER: `dump` copies the folder into $JOVE_DUMP, `load` puts that copy in its place.
set -eu
mkdir -p "$2"
case $1 in
dump)
    cp -a "$2/." "$JOVE_DUMP"
    ;;
load)
    rm -rf "$2.load"
    mkdir -m 700 "$2.load"
    cp -a "$JOVE_DUMP/." "$2.load"
    rm -rf "$2.old"
    mv "$2" "$2.old"
    mv "$2.load" "$2"
    rm -rf "$2.old"
    ;;
esac
