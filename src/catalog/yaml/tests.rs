//! Tests of the YAML parser: invalid texts and the positions of their errors.

use super::parse;
use crate::catalog::yaml::source::{Diagnostics, SourceFile, SourceText};

/// Returns the diagnostics as `CODE line:column`.
fn codes_and_positions(text: &str) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    let text = SourceText::new(text.to_owned());
    let source = SourceFile::new("x.yaml", &text);
    parse(&source, &mut diagnostics);
    diagnostics
        .into_sorted()
        .iter()
        .map(|d| format!("{} {}:{}", d.code, d.span.line, d.span.column))
        .collect()
}

#[test]
fn invalid_yaml_is_reported_with_position() {
    let bomb = format!(
        "a: &a [x, x, x, x, x, x, x, x, x]\n{}",
        ('b'..='i')
            .zip('a'..)
            .map(|(n, p)| format!("{n}: &{n} [{}]\n", vec![format!("*{p}"); 9].join(", ")))
            .collect::<String>()
    );
    for (text, expected) in [
        ("a: b\n", vec![]),
        ("\u{feff}a: b\r\nc: d\r\n", vec![]),
        ("", vec!["CAT008 1:1"]),
        ("# nothing\n", vec!["CAT008 1:1"]),
        ("---\n", vec!["CAT008 1:1"]),
        ("a: b\n---\nc: d\n", vec!["CAT007 2:1"]),
        ("a: b\nc:\n\t- d\n", vec!["CAT005 3:1"]),
        ("a:\n  b: c\n\td: e\n", vec!["CAT005 3:1"]),
        ("a: b\0c\n", vec!["CAT006 1:5"]),
        ("a: b\nc: \"\\0\"\n", vec!["CAT006 2:4"]),
        ("a: \u{202e}b\n", vec!["CAT006 1:4"]),
        ("a: 1\nb: 2\na: 3\n", vec!["CAT011 3:1"]),
        ("a: {b: 1, b: 2}\n", vec!["CAT011 1:11"]),
        ("a: !ruby/object x\n", vec!["CAT010 1:4"]),
        ("a: &x {b: c}\nd:\n  <<: *x\n", vec!["CAT010 3:3"]),
        ("? [a]\n: b\n", vec!["CAT010 1:3"]),
        ("%YAML 1.1\n---\na: b\n", vec!["CAT010 1:1"]),
        ("a: &x [*x]\n", vec!["CAT009 1:8"]),
        (&bomb, vec!["CAT009 5:12"]),
        (&"[".repeat(1000), vec!["CAT009 1:25"]),
        ("a: [b\nc: d\n", vec!["CAT004 2:1"]),
        ("a: 'b\n", vec!["CAT004 2:1"]),
        ("a: *nobody\n", vec!["CAT004 1:4"]),
        ("a: b: c\n", vec!["CAT004 1:5"]),
    ] {
        assert_eq!(codes_and_positions(text), expected, "{text:?}");
    }
}
