#!/usr/bin/env bash
# All cases of the tests that run a sample otherwise: Rust without the SDK, kills in the middle of a move, prune, variables,
# missing permissions, parts of the seal, and the script for real AWS.
. "$(dirname "$0")/common.sh"
export BAKELINE_MATRIX=1

timed "python environment" scripts/venv.sh
timed "rust tests without the SDK" cargo test --no-default-features -- --show-output
timed "build" cargo build
timed "end to end" .venv/bin/python -m pytest -q -n 2 --dist loadfile tests/e2e/api/test_killed_moves.py \
    tests/e2e/api/test_prune_reference.py tests/e2e/api/test_variables.py tests/e2e/api/test_enforced_roles.py \
    tests/e2e/api/test_moves.py tests/e2e/test_enforced_build.py tests/e2e/test_aws_smoke.py tests/e2e/test_seal.py
