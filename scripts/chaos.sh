#!/usr/bin/env bash
# Kills every command at every call and every line of its journal, then continues it, undoes it, or repairs with the doctor.
. "$(dirname "$0")/common.sh"
export BAKELINE_MATRIX=1

timed "python environment" scripts/venv.sh
timed "killed runs without the SDK" cargo test --no-default-features --lib -- --show-output resumed killed interrupted_move
timed "build" cargo build
timed "killed programs" .venv/bin/python -m pytest -q -n 2 --dist loadfile tests/e2e/test_killed_release.py \
    tests/e2e/api/test_resume.py tests/e2e/api/test_killed_moves.py tests/e2e/api/test_killed_prune.py
