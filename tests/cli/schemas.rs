//! Owns the test that the committed JSON Schemas and the reference of checks are what the program says.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and, when asked to, writes the committed files"
)]

use std::path::Path;

/// `BAKELINE_BLESS=1` writes them.
#[test]
fn committed_schemas_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reference = ("docs/checks.md", bakeline::checks::reference());
    for (path, text) in bakeline::catalog::schemas().into_iter().chain([reference]) {
        if std::env::var_os("BAKELINE_BLESS").is_some() {
            std::fs::write(root.join(path), &text).expect("a written file");
        }
        let committed = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(
            committed == text,
            "{path} is not up to date: run this test with BAKELINE_BLESS=1"
        );
    }
}
