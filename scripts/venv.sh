#!/usr/bin/env bash
# Creates .venv with the packages of the Python tests and linters, unless it is up to date.
. "$(dirname "$0")/common.sh"
stamp=$(cat sandbox/requirements.txt sandbox/requirements-dev.txt tests/requirements.txt | sha256sum | cut -c1-16)
if [ "$(cat .venv/stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi
rm -rf .venv
python3 -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check -r sandbox/requirements-dev.txt -r tests/requirements.txt
echo "$stamp" > .venv/stamp
