#!/usr/bin/env bash
# Formatting, clippy with and without the SDK, ruff, mypy, and generated files that must be up to date.
. "$(dirname "$0")/common.sh"

clippy_full() {
    # `cargo clippy` compiles every dependency a second time, for checking: 4 minutes and 7 GB for the AWS SDK. The driver
    # as wrapper of a real build lints the same and reuses what `cargo build` has.
    RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS='-Dwarnings__CLIPPY_HACKERY__' CLIPPY_CONF_DIR=$ROOT \
        cargo build --all-targets
}

python_lint() {
    scripts/venv.sh
    .venv/bin/ruff check sandbox tests scripts bench
    .venv/bin/ruff format --check sandbox tests scripts bench
    (cd sandbox && ../.venv/bin/mypy bakeline_sandbox)
}

minutes "rustfmt" cargo fmt --all --check
minutes "clippy without the SDK" cargo clippy --no-default-features --all-targets -- -D warnings
minutes "clippy with the SDK" clippy_full
minutes "python lint" python_lint
minutes "schemas up to date" "$BAKELINE" schema --check
minutes "README up to date" scripts/readme.py --check
