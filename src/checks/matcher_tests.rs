//! Tests: what satisfies each matcher.

use super::super::tests::controls;
use super::*;
use crate::checks::blob::Blob;
use crate::checks::control::{Expected, Item};

/// The matcher of one property, as read from YAML.
fn matcher(check: &str, property: &str) -> Matcher {
    match &controls(&format!("- {check}"))[0].body.items[0] {
        Item::Expect(expectation) => match &expectation.expect[property] {
            Expected::Fixed(matcher) => matcher.clone(),
            Expected::Open(tree) => panic!("{tree:?}"),
        },
        Item::Group(group) => panic!("{group:?}"),
    }
}

#[test]
fn texts() {
    let motd = Value::Text(Blob::new(b"Hello\nwelcome 1\n\xff\0end".to_vec(), false, false));
    let table: &[(&str, bool)] = &[
        ("{include: Hello}", true),
        ("{include: hello}", false),
        ("{include: \"\\0end\"}", true),
        ("{match: \"^welcome \\\\d$\"}", true),
        ("{match: \"^Hello$\"}", true),
        ("{match: \"\\\\AHello$\"}", true),
        ("{match: \"^elcome\"}", false),
        ("{match: \"\\\\Awelcome\"}", false),
        ("{match: \"(?i)HELLO\"}", true),
        ("{match: \"H.*w\"}", false),
        ("{match: \"(?s)H.*w\"}", true),
        ("{not: {match: \"^root\"}}", true),
        ("{not: {not: {include: Hello}}}", true),
        ("{in: [a, b]}", false),
        ("Hello", false),
    ];
    for (yaml, expected) in table {
        let matcher = matcher(&format!("{{file: /a, content: {yaml}}}"), "content");
        assert_eq!(matcher.test(&motd), Ok(*expected), "{yaml}");
    }
    let digits = matcher("{file: /a, content: {match: \"^\\\\d$\"}}", "content");
    let arabic = Value::Text(Blob::new("٣".as_bytes().to_vec(), false, false));
    assert_eq!(digits.test(&arabic), Ok(false), "classes are ASCII");
}

#[test]
fn modes_compare_as_bits() {
    let table: &[(&str, u32, bool)] = &[
        ("\"0644\"", 0o644, true),
        ("\"644\"", 0o644, true),
        ("\"0644\"", 0o4644, false),
        ("{at_most: \"0640\"}", 0o640, true),
        ("{at_most: \"0640\"}", 0o600, true),
        ("{at_most: \"0640\"}", 0o000, true),
        ("{at_most: \"0640\"}", 0o604, false),
        ("{at_most: \"0755\"}", 0o4755, false),
        ("{at_most: \"0700\"}", 0o077, false),
        ("{at_least: \"0600\"}", 0o640, true),
        ("{at_least: \"0600\"}", 0o440, false),
        ("{in: [\"0600\", \"0640\"]}", 0o640, true),
        ("{not: \"0777\"}", 0o777, false),
    ];
    for (yaml, mode, expected) in table {
        let matcher = matcher(&format!("{{file: /a, mode: {yaml}}}"), "mode");
        assert_eq!(matcher.test(&Value::Mode(*mode)), Ok(*expected), "{yaml} {mode:o}");
    }
}

#[test]
fn versions_numbers_and_owners() {
    let version = |yaml: &str| matcher(&format!("{{package: nginx, version: {yaml}}}"), "version");
    let value = Value::Version("1.22.1-9+deb12u3".to_owned());
    for (yaml, expected) in [
        ("{at_least: \"1.22\"}", true),
        ("{at_least: \"1.3\"}", true),
        ("{at_least: \"1.100\"}", false),
        ("{at_most: \"1.22.1-9+deb12u10\"}", true),
        ("\"1.22.1-9+deb12u3\"", true),
        ("\"0:1.22.1-9+deb12u3\"", true),
        ("{match: \"deb12u\\\\d+$\"}", true),
    ] {
        assert_eq!(version(yaml).test(&value), Ok(expected), "{yaml}");
    }
    let size = |yaml: &str| matcher(&format!("{{file: /a, size: {yaml}}}"), "size");
    for (yaml, expected) in [("9", false), ("{at_most: 10}", true), ("{at_least: 11}", false), ("{in: [1, 10]}", true)]
    {
        assert_eq!(size(yaml).test(&Value::Number(10)), Ok(expected), "{yaml}");
    }
    let owner = |yaml: &str| matcher(&format!("{{file: /a, owner: {yaml}}}"), "owner");
    let root = |known: bool| Value::Account { name: known.then(|| "root".to_owned()), id: 0, names_known: known };
    assert_eq!(owner("root").test(&root(true)), Ok(true));
    assert_eq!(owner("0").test(&root(true)), Ok(true));
    assert_eq!(owner("{not: root}").test(&root(true)), Ok(false));
    assert_eq!(owner("0").test(&root(false)), Ok(true));
    assert!(owner("{not: www-data}").test(&root(false)).is_err(), "unknown names never pass");
}
