#!/usr/bin/env bash
# Runs the benchmarks on a separate local EC2 with the release build of bakeline.
. "$(dirname "$0")/common.sh"
scripts/packages.sh
scripts/venv.sh
cargo build --release
BAKELINE=$TARGET/release/bakeline
export BAKELINE PATH=$ROOT/.venv/bin:$PATH
export BAKELINE_SANDBOX_DIR=${BAKELINE_SANDBOX_DIR:-/var/lib/bakeline-sandbox-bench}
"$BAKELINE" sandbox up >&2
trap '"$BAKELINE" sandbox down >&2' EXIT
use_sandbox
unset BAKELINE_SLACK_WEBHOOK_URL
python3 bench/release.py
python3 bench/latest.py
python3 bench/latest_cost.py
python3 bench/plan.py
python3 bench/matrix.py
python3 bench/checks.py
