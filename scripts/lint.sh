#!/usr/bin/env bash
# Checks formatting, clippy with and without the SDK and of the fuzz targets, ruff, mypy, shellcheck,
# generated files, and the links of the book. Usage: lint.sh [rust|scripts|full]... Without arguments,
# all parts run. Only `full` compiles the SDK.
. "$(dirname "$0")/common.sh"

rust_lint() {
    timed "rustfmt" cargo fmt --all --check
    timed "clippy without the SDK" cargo clippy --no-default-features --all-targets -- -D warnings
}

python_lint() {
    .venv/bin/ruff check sandbox tests scripts bench
    .venv/bin/ruff format --check sandbox tests scripts bench
    (cd sandbox && ../.venv/bin/mypy bakeline_sandbox)
    # Only `make bench` runs the benchmarks, but they use helpers of the tests.
    for file in bench/*.py; do
        BAKELINE=none AWS_REGION=none AWS_ENDPOINT_URL=none PYTHONPATH=bench \
            .venv/bin/python -c 'import importlib, sys; importlib.import_module(sys.argv[1])' "$(basename "$file" .py)"
    done
}

scripts_lint() {
    timed "python environment" scripts/venv.sh
    timed "python lint" python_lint
    timed "shellcheck" scripts/shellcheck.sh
}

clippy_full() {
    # `cargo clippy` compiles all dependencies again: 4 minutes and 7 GB for the AWS SDK. With the
    # driver as wrapper of `cargo build`, the lints are the same and the dependencies are reused.
    RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS='-Dwarnings__CLIPPY_HACKERY__' CLIPPY_CONF_DIR=$ROOT \
        cargo build --all-targets
}

full_lint() {
    timed "clippy of the fuzz targets" cargo clippy -p bakeline-fuzz -- -D warnings
    timed "clippy with the SDK" clippy_full
    timed "python environment" scripts/venv.sh
    timed "schemas up to date" "$BAKELINE" schema --check
    timed "pages up to date" scripts/docs.py --check
    timed "book" scripts/book.sh
}

[ $# -gt 0 ] || set -- rust scripts full
for part in "$@"; do
    case $part in
    rust) rust_lint ;;
    scripts) scripts_lint ;;
    full) full_lint ;;
    *)
        say "lint.sh: unknown part $part: use rust, scripts or full"
        exit 2
        ;;
    esac
done
