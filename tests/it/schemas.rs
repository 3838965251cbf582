//! Owns the test that the committed JSON Schemas are what the types say.

#![expect(clippy::disallowed_methods, reason = "a test reads and, when asked to, writes the committed files")]

use std::path::Path;

/// `BAKELINE_BLESS=1` writes them.
#[test]
fn committed_schemas_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in bakeline::catalog::schemas() {
        if std::env::var_os("BAKELINE_BLESS").is_some() {
            std::fs::create_dir_all(root.join("schema")).expect("a folder");
            std::fs::write(root.join(path), &text).expect("a written schema");
        }
        let committed = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(committed == text, "{path} is not up to date: run this test with BAKELINE_BLESS=1");
    }
}
