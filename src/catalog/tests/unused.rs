//! Tests of unused variables next to other errors.

use super::variables::errors;
use super::{BASE, SETTINGS, repository};
use crate::catalog::{load, load_with_unused};

#[test]
fn unused_variable_is_silent_if_an_image_in_scope_has_an_error() {
    let settings = format!("{SETTINGS}variables: {{general: x}}\n");
    let base = format!("{BASE}variables: {{v: x}}\n");
    for (child, code) in [
        ("parent: base\npakages: [curl]\n", "CAT020"),
        (
            "parent: base\nfiles: [{source: gone, destination: /a, template: true}]\n",
            "CAT062",
        ),
        ("parent: bsae\n", "CAT041"),
        ("parent: base\nvariables: {w: x}\ndisk_gib: x\n", "CAT021"),
    ] {
        let found = errors(&[
            ("bakeline.yaml", &settings),
            ("images/base.yaml", &base),
            ("images/a.yaml", child),
        ]);
        assert_eq!(found.len(), 1, "{child}: {found:?}");
        assert!(found[0].starts_with(code), "{child}: {found:?}");
    }
}

#[test]
fn unused_variable_is_reported_next_to_errors_of_other_images() {
    let found = errors(&[
        ("images/a.yaml", "parent: base\nvariables: {v: x}\n"),
        ("images/b.yaml", "parent: base\npakages: [curl]\n"),
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("CAT112 images/a.yaml:2:13"));
    assert!(found[1].starts_with("CAT020 images/b.yaml"));
}

#[test]
fn unused_variable_gets_a_hint_for_templates() {
    let files = repository(&[("images/a.yaml", "parent: base\nvariables: {word: x}\n")]);
    let (_, found) = load(&files);
    assert_eq!(
        found[0].help.as_deref(),
        Some(
            "use it as `${word}` in an image file, or as `{{ word }}` in a file with \
             `template: true`; or remove it"
        )
    );
}

#[test]
fn unused_variable_has_the_images_of_its_scope() {
    let settings = format!("{SETTINGS}variables: {{general: x}}\n");
    let loaded = load_with_unused(&repository(&[
        ("bakeline.yaml", &settings),
        ("images/a.yaml", "parent: base\nvariables: {v: x}\n"),
        ("images/b.yaml", "parent: a\n"),
    ]));
    assert!(loaded.catalog.is_some());
    let scopes: Vec<Vec<&str>> = loaded
        .unused
        .iter()
        .map(|unused| unused.images.keys().map(|name| name.as_str()).collect())
        .collect();
    assert_eq!(scopes, [vec!["a", "b"], vec!["a", "b", "base"]]);
}
