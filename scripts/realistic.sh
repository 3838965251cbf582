#!/usr/bin/env bash
# Runs end-to-end tests under the realistic conditions of the local EC2, one file after the other. Arguments select files; the
# default is all files, those without instances first.
. "$(dirname "$0")/common.sh"
export BAKELINE_REALISTIC=1

timed "python environment" scripts/venv.sh
timed "build" cargo build
[ $# -gt 0 ] || set -- tests/e2e/api/test_*.py tests/e2e/test_*.py
failed=()
for file in "$@"; do
    timed "$file" .venv/bin/python -m pytest -q "$file" || failed+=("$file")
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
