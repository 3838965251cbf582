#!/usr/bin/env bash
# Runs each action of the changing commands with each kind of fault, on the fake cloud and on the local EC2. Prints the number
# of cells, leaks and false statements, and fails unless the last two are zero.
. "$(dirname "$0")/common.sh"
export BAKELINE_MATRIX=1
results=$(mktemp)
trap 'rm -f "$results"' EXIT
failed=0

# recorded NAME COMMAND...: run a command, print its output and record it. A failure does not stop the script.
recorded() {
    timed "$@" 2>&1 | tee -a "$results" || failed=1
}

timed "python environment" scripts/venv.sh
recorded "fake cloud" cargo test --no-default-features --lib -- fault_product --show-output
timed "build" cargo build
# Each command on a worker of its own: the runs mostly wait for repeated calls.
recorded "local EC2" .venv/bin/python -m pytest -q -rP -n 5 --dist load tests/e2e/api/test_faults.py
recorded "Packer" .venv/bin/python -m pytest -q -s tests/e2e/test_release_faults.py

heading "summary"
grep -h '^faults of ' "$results" || failed=1
awk '/^faults of / {
    for (i = 2; i <= NF; i++) {
        if ($i == "cells,") cells += $(i - 1)
        if ($i == "leaks,") leaks += $(i - 1)
        if ($i == "false") lies += $(i - 1)
    }
}
END {
    printf "%d cells, %d leaks, %d false statements\n", cells, leaks, lies
    exit leaks + lies > 0
}' "$results" || failed=1
exit "$failed"
