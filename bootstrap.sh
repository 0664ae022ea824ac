#!/bin/sh
# Builds jove-install and runs it with the given arguments:
#
#     ./bootstrap.sh -p demo              build, install and start the demo
#     ./bootstrap.sh --install            build, and put the program into ~/.local/bin
#     ./bootstrap.sh --install -p demo    both
#     ./bootstrap.sh --help               these words; `./bootstrap.sh VERB --help` gives the program's
#
# Needs Rust (cargo) and a C compiler, nothing else, and never root. The first build takes some minutes, later ones seconds.
#
# The build stays in `target/` beside this file (CARGO_TARGET_DIR for another place), what cargo fetched for it in ~/.cargo, and
# with --install the program in ~/.local/bin. No `wipe` touches these: they belong to no installation.
set -eu

say() { printf '%s\n' "$*" >&2; }

# The words above.
usage() { sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p;}' "$0"; }

fail() {
    say "bootstrap.sh: $1"
    shift
    for hint in "$@"; do say "hint: $hint"; done
    exit 1
}

check_tools() {
    # rustup puts cargo here, and a new shell may not have it in PATH yet.
    if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    command -v cargo >/dev/null 2>&1 || fail "cargo, the builder of Rust programs, is not in PATH" \
        "get Rust for your user, without root: see https://rustup.rs" \
        "or by your system: 'apt install cargo', 'dnf install cargo', 'brew install rust' (version 1.88 or newer)"
    for compiler in "${CC:-cc}" gcc clang; do
        command -v "$compiler" >/dev/null 2>&1 && return 0
    done
    fail "no C compiler (cc, gcc or clang) is in PATH; some libraries are written in C" \
        "by your system: 'apt install gcc', 'dnf install gcc', 'xcode-select --install'" \
        "or name one: CC=/path/to/cc ./bootstrap.sh …"
}

build() {
    if [ ! -x "$binary" ]; then
        say "building jove-install; the first build takes some minutes"
    fi
    # A build that has nothing to do says nothing.
    cargo build --release --locked --manifest-path "$here/Cargo.toml" --bin jove-install ${CARGO_QUIET:+--quiet} >&2 ||
        fail "the build failed; what cargo said is above" "if a package could not be fetched, look at your network and proxy and try again"
}

install_program() {
    folder="${HOME:?}/.local/bin"
    mkdir -p "$folder"
    # By rename, so that a running program keeps its file.
    cp "$binary" "$folder/.jove-install.$$"
    mv -f "$folder/.jove-install.$$" "$folder/jove-install"
    say "installed $folder/jove-install"
    case ":$PATH:" in
        *":$folder:"*) ;;
        *) say "hint: $folder is not in your PATH; add it: export PATH=\"$folder:\$PATH\"" ;;
    esac
}

main() {
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    target="${CARGO_TARGET_DIR:-$here/target}"
    # Of a relative one cargo thinks as a shell does.
    case "$target" in /*) ;; *) target="$PWD/$target" ;; esac
    binary="$target/release/jove-install"
    wanted=no
    case "${1:-}" in
        -h | --help)
            usage
            exit 0
            ;;
        --install)
            wanted=yes
            shift
            ;;
    esac
    check_tools
    build
    if [ "$wanted" = yes ]; then
        install_program
        [ $# -gt 0 ] || exit 0
    fi
    # What the program calls itself in its hints, as long as it is not in PATH.
    command -v jove-install >/dev/null 2>&1 || export JOVE_COMMAND="$0"
    exec "$binary" "$@"
}

main "$@"
