#!/usr/bin/env bash
# Fuzzes each target for FUZZ_SECONDS with libFuzzer, on stable Rust, from the committed corpus; what breaks one is kept and said.
. "$(dirname "$0")/common.sh"
seconds=${FUZZ_SECONDS:-60}
targets=${*:-frames profile sshd_config}
work=$TARGET/fuzz

# Only our own crates are instrumented: what they are built on is compiled once, for all builds.
RUSTC_WORKSPACE_WRAPPER=$ROOT/scripts/sancov.sh cargo build -p bakeline-fuzz
for target in $targets; do
    head1 "fuzz $target for $seconds s"
    mkdir -p "$work/found/$target" "$work/broken/$target"
    # Bytes that take 10 s or 1 GB are findings, too. New findings go to the first folder, the committed corpus stays as it is.
    FUZZ_TARGET=$target "$TARGET/debug/bakeline-fuzz" "$work/found/$target" "tests/fuzz/corpus/$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -print_funcs=0 -verbosity=0 \
        -artifact_prefix="$work/broken/$target/" || {
        say "fuzz $target: broken by the file named above; put it into tests/fuzz/corpus/$target and mend what it breaks"
        exit 1
    }
done
