#!/bin/sh
# folder.sh VERB FOLDER: `dump` copies the folder into $JOVE_DUMP, `load` puts what is in that copy in the place of what is in it.
set -eu
mkdir -p "$2"

# All that is in one folder goes into another.
move() {
    find "$1" -mindepth 1 -maxdepth 1 -exec mv -- {} "$2" \;
}

case $1 in
dump)
    cp -a "$2/." "$JOVE_DUMP"
    ;;
load)
    rm -rf "$2.load"
    mkdir -m 700 "$2.load"
    cp -a "$JOVE_DUMP/." "$2.load"
    # The folder itself stays: what a confined service may use is this one, and not what comes in its place.
    rm -rf "$2.old"
    mkdir -m 700 "$2.old"
    move "$2" "$2.old"
    move "$2.load" "$2"
    rm -rf "$2.old" "$2.load"
    ;;
esac
