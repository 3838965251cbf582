#!/usr/bin/env bash
# All tests: Rust without and with the SDK, the sandbox's own, then end to end on the local EC2.
. "$(dirname "$0")/common.sh"

minutes "packages" scripts/packages.sh libcap2-bin ansible-core
minutes "python environment" scripts/venv.sh
minutes "rust tests without the SDK" cargo test --no-default-features

# What the SDK changes: adapters, commands and the program itself. The rest was just tested, and is the same code.
sdk_tests() {
    cargo test --lib -- adapters:: commands:: notify::
    cargo test --test cli -- architecture:: commands:: targets::
}
minutes "rust tests with the SDK" sdk_tests

sandbox_tests() {
    (cd sandbox && BAKELINE_SANDBOX_TEST_DIR=/var/lib/bakeline-sandbox-tests ../.venv/bin/python -m pytest -q -m 'real or not real')
}
minutes "sandbox tests" sandbox_tests
CUSTODIAN=$(scripts/custodian.sh)
export CUSTODIAN
# Ten thousand inventories take a quarter of an hour; set `BAKELINE_PRUNE_WORLDS` for another number.
export BAKELINE_PRUNE_WORLDS=${BAKELINE_PRUNE_WORLDS:-2500}
# Two at a time, each with a local EC2 of its own; a file's tests stay together.
minutes "end to end" .venv/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=40 --ignore tests/e2e/clients tests/e2e
