//! Tests of non-ASCII descriptions, which EC2 rejects.

use super::{BASE, codes_and_positions, load_valid, repository};
use crate::catalog::load;
use crate::diagnostic::Diagnostic;

fn load_base_with(more: &str) -> Vec<Diagnostic> {
    let text = format!("{BASE}{more}");
    let (catalog, found) = load(&repository(&[("images/base.yaml", &text)]));
    assert!(catalog.is_none(), "{text} was accepted");
    found
}

#[test]
fn description_must_be_ascii() {
    for (more, span, message) in [
        (
            "description: gehärtet\n",
            "2:17",
            "a description must be ASCII, and `ä` (U+00E4) is not",
        ),
        (
            "description: 'a – b'\n",
            "2:17",
            "a description must be ASCII, and `–` (U+2013) is not",
        ),
        (
            "description: \"“x”\"\n",
            "2:15",
            "a description must be ASCII, and `“` (U+201C) is not",
        ),
        (
            "description: >-\n  one\n  two 😀\n",
            "4:7",
            "a description must be ASCII, and `😀` (U+1F600) is not",
        ),
        (
            "description: a\u{a0}b\n",
            "2:15",
            "a description must be ASCII, and `\\u{a0}` (U+00A0) is not",
        ),
        // The text of an escape has no such character, so the whole text is reported. An alias has
        // the span of its anchor.
        (
            "description: \"a\\u00e4\"\n",
            "2:14",
            "a description must be ASCII, and `ä` (U+00E4) is not",
        ),
        (
            "tags: {a: &a grün}\ndescription: *a\n",
            "2:16",
            "a description must be ASCII, and `ü` (U+00FC) is not",
        ),
    ] {
        let found = load_base_with(more);
        assert_eq!(
            codes_and_positions(&found),
            [format!("CAT085 images/base.yaml:{span}")],
            "{more}"
        );
        assert_eq!(found[0].message, message);
    }
}

#[test]
fn help_names_ascii_replacement() {
    for (text, replacement) in [
        ("ä", "`ae`"),
        ("ß", "`ss`"),
        ("–", "`-`"),
        ("’", "`'`"),
        ("„", "`\"`"),
        ("…", "`...`"),
        ("\u{a0}", "a space"),
    ] {
        let help = load_base_with(&format!("description: a{text}b\n"))[0]
            .help
            .clone()
            .unwrap_or_default();
        assert!(
            help.contains(&format!("write {replacement} instead")),
            "{text}: {help}"
        );
        assert!(help.contains("EC2 accepts ASCII only"), "{help}");
    }
    let other = load_base_with("description: 漢\n")[0]
        .help
        .clone()
        .unwrap_or_default();
    assert!(
        other.contains("remove it") && other.contains("tags"),
        "{other}"
    );
}

#[test]
fn tags_and_titles_accept_unicode() {
    let more = "description: plain ~ text\ntags: {\"Größe\": \"漢字 – 😀\"}\nchecks: [{package: vim, title: geprüft}]\n";
    let catalog = load_valid(&[("images/base.yaml", &format!("{BASE}{more}"))]);
    assert_eq!(
        catalog
            .images
            .values()
            .next()
            .map(|i| i.tags["Größe"].as_str()),
        Some("漢字 – 😀")
    );
}
