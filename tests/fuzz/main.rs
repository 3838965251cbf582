//! Entry point of libFuzzer. `FUZZ_TARGET` selects the target.
#![no_main]
#![expect(
    clippy::disallowed_methods,
    reason = "libFuzzer reads the command line itself, so an environment variable selects the target"
)]

use std::sync::LazyLock;

mod targets;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("unknown fuzz target `{name}`"))
        .1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
