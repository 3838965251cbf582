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
    let reference = ("docs/reference/checks.md", bakeline::checks::reference());
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

#[test]
fn gitlab_component_is_embedded_and_uses_this_version() {
    use bakeline::adapters::assets;
    let embedded = assets::shipped_file(assets::GITLAB_COMPONENT).expect("component");
    let text = String::from_utf8(embedded.into_owned()).expect("UTF-8");
    let (_, version) = text.split_once("\n    version:\n").expect("input");
    let default = version
        .lines()
        .find_map(|line| line.trim().strip_prefix("default: "));
    let current = format!("\"{}\"", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        default,
        Some(current.as_str()),
        "set the default of `version`"
    );
}

/// Returns the keys of the table below a heading of docs/reference/image-files.md, in order.
fn documented_keys(heading: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/reference/image-files.md")).expect("a file");
    let (_, section) = page.split_once(heading).unwrap_or_default();
    let section = section.split("\n##").next().unwrap_or_default();
    let cells = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells
        .flat_map(|cell| cell.split(", "))
        .filter_map(|key| Some(key.strip_prefix('`')?.strip_suffix('`')?.to_owned()))
        .collect()
}

#[test]
fn inheritance_is_documented_for_all_keys_of_image_files() {
    let schemas = bakeline::catalog::schemas();
    let (_, text) = schemas
        .iter()
        .find(|(path, _)| path.ends_with("image.schema.json"))
        .expect("a schema");
    let schema: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let mut known: Vec<&String> = schema["properties"]
        .as_object()
        .expect("keys")
        .keys()
        .collect();
    known.sort();
    let mut listed = documented_keys("## What children inherit\n");
    listed.sort();
    assert_eq!(listed.iter().collect::<Vec<_>>(), known);
}
