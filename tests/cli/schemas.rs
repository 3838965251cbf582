//! Tests that the committed JSON Schemas and the reference of checks are up to date.

#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the committed files and writes them with BAKELINE_BLESS"
)]

use std::path::Path;

/// Writes the files if `BAKELINE_BLESS` is set.
#[test]
fn committed_schemas_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reference = ("docs/checks.md", bakeline::checks::reference());
    for (path, text) in bakeline::catalog::schemas().into_iter().chain([reference]) {
        if std::env::var_os("BAKELINE_BLESS").is_some() {
            std::fs::write(root.join(path), &text).expect("write");
        }
        let committed = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(
            committed == text,
            "{path} is not up to date: run this test with BAKELINE_BLESS=1"
        );
    }
}
