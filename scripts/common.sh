# Owns what the other scripts share: saying, privileges, where the program and the sandbox are. Source it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
BAKELINE=$TARGET/debug/bakeline
export BAKELINE

say() { printf '%s\n' "$*" >&2; }
head1() { printf '\n== %s\n' "$*" >&2; }

# as_root COMMAND...: run as root, through sudo where we are not.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# minutes NAME COMMAND...: run and say how long it took.
minutes() {
    local name=$1 begun=$SECONDS
    shift
    head1 "$name"
    "$@"
    local took=$((SECONDS - begun))
    printf '%s took %d min %02d s\n' "$name" $((took / 60)) $((took % 60)) | tee -a "${MINUTES_FILE:-/dev/null}" >&2
}

# enter_sandbox: point this shell's AWS tools at the running local EC2.
enter_sandbox() {
    eval "$("$BAKELINE" sandbox status --env)"
}
