#!/usr/bin/env bash
# Creates .venv-c7n with cloud-custodian, which needs other versions of packages, and prints its path.
# The prune safety tests run it for comparison.
. "$(dirname "$0")/common.sh"
stamp=$(sha256sum tests/requirements-c7n.txt | cut -c1-16)
if [ "$(cat .venv-c7n/stamp 2>/dev/null)" != "$stamp" ]; then
    rm -rf .venv-c7n
    python3 -m venv .venv-c7n
    .venv-c7n/bin/python -m pip install -q --disable-pip-version-check -r tests/requirements-c7n.txt >&2
    echo "$stamp" > .venv-c7n/stamp
fi
echo "$PWD/.venv-c7n/bin/custodian"
