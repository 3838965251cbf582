//! Passes the target to the program, for `bakeline version`.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo passes the target in the environment"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=BAKELINE_TARGET={target}");
}
