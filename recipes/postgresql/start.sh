#!/bin/sh
# start.sh CLUSTER POSTGRES ARGUMENTS…: runs the server. One that was killed has left its number in a file, and after a reboot that
# may be the number of anybody, for whose sake the server would not start. It gets our own number then, which is the server's, so
# that everything else is checked that it checks where it was killed.
set -eu
file=$1/postmaster.pid
shift
if [ -e "$file" ]; then
    read -r pid <"$file" || pid=
    case $(tr '\0' ' ' 2>/dev/null <"/proc/${pid:-none}/cmdline" || true) in
    *postgres*) ;;
    *)
        (umask 077 && sed "1s/.*/$$/" "$file" >"$file.new")
        mv "$file.new" "$file"
        ;;
    esac
fi
exec "$@"
