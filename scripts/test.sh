#!/usr/bin/env bash
# Runs all tests: Rust without and with the SDK, the sandbox, then end to end on the local EC2.
. "$(dirname "$0")/common.sh"

timed "packages" scripts/packages.sh libcap2-bin ansible-core rpm dnf createrepo-c
timed "python environment" scripts/venv.sh
# Many tests wait for processes, so two tests for each core run at a time.
RUST_TEST_THREADS=$((2 * $(nproc)))
export RUST_TEST_THREADS
# `BAKELINE_SAMPLE_OFFSET=N` repeats the samples of another commit.
export BAKELINE_SAMPLE_OFFSET=${BAKELINE_SAMPLE_OFFSET:-$(sample_offset)}
say "rotating samples: BAKELINE_SAMPLE_OFFSET=$BAKELINE_SAMPLE_OFFSET"
timed "rust tests without the SDK" cargo test --no-default-features

# The SDK affects only adapters, commands and the program. The run above has tested the rest.
sdk_tests() {
    cargo test --lib -- adapters:: commands:: notify::
    cargo test --test cli -- commands:: targets::
}

# sandbox_tests MARK: run the tests of the local EC2 with or without instances.
sandbox_tests() {
    (cd sandbox && BAKELINE_SANDBOX_TEST_DIR=/var/lib/bakeline-sandbox-tests ../.venv/bin/python -m pytest -q --durations=20 -m "$1")
}

# Instances mostly wait, so the other tests run at the same time.
output=$(mktemp)
timed "sandbox tests with instances" sandbox_tests real >"$output" 2>&1 &
instances=$!
trap 'wait; rm -f "$output"' EXIT
timed "rust tests with the SDK" sdk_tests
timed "sandbox tests of the API" sandbox_tests "not real"
wait "$instances" || { cat "$output" && exit 1; }
cat "$output"

CUSTODIAN=$(scripts/custodian.sh)
export CUSTODIAN
# Three workers, each with its own local EC2: instances mostly wait. Tests of a file run on one worker.
timed "end to end" .venv/bin/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder --durations=40 --ignore tests/e2e/clients tests/e2e
