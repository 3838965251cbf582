# shellcheck shell=bash
# Functions and paths for the other scripts. Source it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
BAKELINE=$TARGET/debug/bakeline
export BAKELINE

say() { printf '%s\n' "$*" >&2; }
heading() { printf '\n== %s\n' "$*" >&2; }

# as_root COMMAND...: run a command as root, with sudo if necessary.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# timed NAME COMMAND...: run a command and print its duration. If it fails, the script ends, unless the caller handles the status.
timed() {
    local name=$1 started=$SECONDS code took
    shift
    heading "$name"
    # Without `||`, which would let a function continue after a failed command.
    "$@"
    code=$?
    took=$((SECONDS - started))
    printf '%s took %d min %02d s\n' "$name" $((took / 60)) $((took % 60)) | tee -a "${DURATIONS_FILE:-/dev/null}" >&2
    return "$code"
}

# sample_offset: print the number of the first case of rotating samples, which depends on the commit.
sample_offset() {
    local commit
    commit=$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0)
    echo $((16#${commit:0:7}))
}

# use_sandbox: point the AWS tools of this shell at the running local EC2.
use_sandbox() {
    eval "$("$BAKELINE" sandbox status --env)"
}
