//! Tests that the tests named in ARCHITECTURE.md ("Invariants") exist.

use std::collections::BTreeSet;

use regex::Regex;

use super::{all_files, root};

/// Returns the last part of each path such as `module::tests::name` in the table of invariants.
fn named_tests(architecture: &str) -> BTreeSet<String> {
    let (_, table) = architecture
        .split_once("## Invariants")
        .expect("a section about invariants");
    let path = Regex::new(r"`(?:[a-z_]+::)+([a-z_]+)`").expect("a pattern");
    path.captures_iter(table)
        .map(|found| found[1].to_owned())
        .collect()
}

#[test]
fn tests_of_invariants_exist() {
    let architecture =
        std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let named = named_tests(&architecture);
    assert!(named.len() > 10, "the table names {named:?} only");
    let mut files = BTreeSet::new();
    for folder in ["src", "crates", "tests/cli"] {
        all_files(&root().join(folder), &mut files);
    }
    let sources: String = files
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a source file"))
        .collect();
    let is_missing = |name: &&String| {
        !sources.contains(&format!("fn {name}(")) && !sources.contains(&format!("mod {name};"))
    };
    let missing: Vec<&String> = named.iter().filter(is_missing).collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names missing tests: {missing:?}"
    );
}

#[test]
fn names_are_read_from_the_table_only() {
    let text = "`a::before`\n## Invariants\n| x | `a::tests::one`, `b::two`; `c::tests::*` |\n";
    assert_eq!(named_tests(text), ["one", "two"].map(str::to_owned).into());
}
