//! Tests that the catalogs of the book are valid.

use std::fs;
use std::path::Path;

use super::TestCatalog;

/// Returns the blocks of a page that begin with a comment with their path, such as
/// `# images/web.yaml`.
fn documented_files(page: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = fs::read_to_string(path).expect("a page");
    let blocks = text.split("```yaml\n# ").skip(1);
    let files = blocks.filter_map(|block| {
        let (block, _) = block.split_once("```")?;
        let (path, content) = block.split_once('\n')?;
        Some((path.to_owned(), content.to_owned()))
    });
    files.collect()
}

/// Asserts that the blocks of a page are a valid catalog of these images.
#[track_caller]
fn assert_valid(page: &str, more: &[(&str, &str)], expected: &str) {
    let catalog = TestCatalog(tempfile::TempDir::new().expect("directory"));
    for (path, text) in documented_files(page) {
        catalog.write(&path, &text);
    }
    for (path, text) in more {
        catalog.write(path, text);
    }
    let result = catalog.run(&["validate"]);
    assert_eq!(
        (result.code, result.stderr.as_str()),
        (0, expected),
        "{page}"
    );
}

const SETTINGS: (&str, &str) = ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n");
const BASE: (&str, &str) = (
    "images/base-debian-12.yaml",
    "source: {owner: \"136693071363\", name: \"debian-12-amd64-*\"}\nprofiles: [linux-baseline]\n",
);

#[test]
fn catalogs_of_quick_start_and_first_catalog_are_valid() {
    assert_valid("quick-start.md", &[], "acme: 2 images, all valid\n");
    let page = [("files/web/index.html", "Welcome\n")];
    assert_valid(
        "guides/first-catalog.md",
        &page,
        "acme: 2 images, all valid\n",
    );
    assert_valid("../README.md", &[], "acme: 2 images, all valid\n");
}

#[test]
fn examples_of_guides_are_valid() {
    assert_valid(
        "guides/profiles.md",
        &[SETTINGS, BASE],
        "acme: 2 images, all valid\n",
    );
    assert_valid(
        "guides/waivers.md",
        &[
            SETTINGS,
            BASE,
            ("images/web.yaml", "parent: base-debian-12\n"),
        ],
        "acme: 2 images, all valid\n",
    );
    let script = ("scripts/forwarding.sh", "set -e\n");
    assert_valid(
        "guides/hardening.md",
        &[SETTINGS, BASE, script],
        "acme: 2 images, all valid\n",
    );
}

#[test]
fn readme_has_at_most_900_words() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(path).expect("a file");
    let words = text.split_whitespace().count();
    assert!(words <= 900, "{words} words; details belong into docs/");
}
