#!/usr/bin/env bash
# Fuzzes each target for FUZZ_SECONDS with libFuzzer on stable Rust, from the committed corpus. Keeps
# and prints inputs that break a target.
. "$(dirname "$0")/common.sh"
seconds=${FUZZ_SECONDS:-60}
targets=${*:-frames profile sshd_config}
work=$TARGET/fuzz

# Only the crates of this workspace are instrumented. Dependencies are compiled once for all builds.
RUSTC_WORKSPACE_WRAPPER=$ROOT/scripts/sancov.sh cargo build -p bakeline-fuzz
for target in $targets; do
    heading "fuzz $target for $seconds s"
    mkdir -p "$work/found/$target" "$work/broken/$target"
    # An input that takes 10 s or 1 GB is a finding too. New inputs go to the first directory. The
    # committed corpus does not change.
    FUZZ_TARGET=$target "$TARGET/debug/bakeline-fuzz" "$work/found/$target" "tests/fuzz/corpus/$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -print_funcs=0 -verbosity=0 \
        -artifact_prefix="$work/broken/$target/" || {
        say "fuzz $target: add the file named above to tests/fuzz/corpus/$target and repair the target"
        exit 1
    }
done
