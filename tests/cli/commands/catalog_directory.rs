//! Tests how commands find the directory of the catalog.

use std::fs;

use super::TestCatalog;

const VALID: &str = "acme: 2 images, all valid\n";

#[test]
fn catalog_is_found_above_the_working_directory_in_a_repository() {
    let catalog = TestCatalog::new();
    catalog.write("images/web/page.html", "x");
    let validate = |directory: &str| catalog.run_in(directory, &["validate"], &[]);
    assert_eq!(validate("").stderr, VALID);
    validate("images/web").assert_fails(1, &["bakeline.yaml is missing", "bakeline init"]);
    fs::create_dir(catalog.path().join(".git")).expect("directory");
    for directory in ["", "images", "images/web"] {
        assert_eq!(validate(directory).stderr, VALID, "{directory}");
    }
    // A repository inside of the catalog is another one.
    fs::create_dir(catalog.path().join("images/.git")).expect("directory");
    validate("images/web").assert_fails(1, &["bakeline.yaml is missing"]);
    // The directory of the command line is not searched.
    catalog
        .run(&["-C", "images", "validate"])
        .assert_fails(1, &["bakeline.yaml is missing"]);
}

#[test]
fn nearest_catalog_counts() {
    let catalog = TestCatalog::new();
    fs::create_dir(catalog.path().join(".git")).expect("directory");
    catalog.write("team/bakeline.yaml", "name: team\nregions: [eu-west-1]\n");
    catalog.write("team/images/base.yaml", "source: {ssm: /a}\n");
    let nested = catalog.run_in("team/images", &["validate"], &[]);
    assert!(
        nested.stderr.starts_with("team: 1 image"),
        "{}",
        nested.stderr
    );
    assert_eq!(catalog.run(&["validate"]).stderr, VALID);
}
