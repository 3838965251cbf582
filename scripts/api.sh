#!/usr/bin/env bash
# Tests that exercise only the API: a local EC2 that boots nothing, without root.
. "$(dirname "$0")/common.sh"

timed "python environment" scripts/venv.sh
timed "build" cargo build
timed "API tests" .venv/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/e2e/api
