#!/bin/sh
# Wrapper of rustc that adds the coverage instrumentation of libFuzzer with flags of stable Rust.
case " $* " in
*" --crate-name build_script_build "*) exec "$@" ;;
*)
    exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing --check-cfg='cfg(fuzzing)' -Ccodegen-units=1
    ;;
esac
