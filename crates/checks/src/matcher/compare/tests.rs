//! Tests: comparison of values by each matcher.

use super::*;
use crate::facts::blob::Blob;
use crate::language::control::{Expected, Item};
use crate::tests::controls;

/// Parses the matcher of one property.
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
fn matchers_of_texts() {
    let motd = Value::Text(Blob::new(
        b"Hello\nwelcome 1\n\xff\0end".to_vec(),
        false,
        false,
    ));
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
fn modes_are_compared_as_bits() {
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
        assert_eq!(
            matcher.test(&Value::Mode(*mode)),
            Ok(*expected),
            "{yaml} {mode:o}"
        );
    }
}

#[test]
fn matchers_of_versions_numbers_and_owners() {
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
    for (yaml, expected) in [
        ("9", false),
        ("{at_most: 10}", true),
        ("{at_least: 11}", false),
        ("{in: [1, 10]}", true),
    ] {
        assert_eq!(size(yaml).test(&Value::Number(10)), Ok(expected), "{yaml}");
    }
    let owner = |yaml: &str| matcher(&format!("{{file: /a, owner: {yaml}}}"), "owner");
    let root = |known: bool| Value::Account {
        name: known.then(|| "root".to_owned()),
        id: 0,
        names_known: known,
    };
    assert_eq!(owner("root").test(&root(true)), Ok(true));
    assert_eq!(owner("0").test(&root(true)), Ok(true));
    assert_eq!(owner("{not: root}").test(&root(true)), Ok(false));
    assert_eq!(owner("0").test(&root(false)), Ok(true));
    assert!(
        owner("{not: www-data}").test(&root(false)).is_err(),
        "a name cannot be compared without the table of names"
    );
}

#[test]
fn texts_are_converted_to_other_types() {
    let out = |yaml: &str| matcher(&format!("{{command: x, stdout: {yaml}}}"), "stdout");
    let text = |text: &str| Value::Text(Blob::new(text.as_bytes().to_vec(), false, false));
    for (yaml, value, expected) in [
        ("{version: {at_least: \"9.2\"}}", "9.10\n", Ok(true)),
        ("{version: {at_least: \"1:1\"}}", "9.10", Ok(false)),
        ("{version: \"2\"}", "2", Ok(true)),
        ("{duration: {at_most: 1m}}", "60s\n", Ok(true)),
        ("{duration: {at_most: 60}}", "1m1s", Ok(false)),
        ("{duration: 2m}", "120", Ok(true)),
        ("{duration: {between: [1m, 1h]}}", "30s", Ok(false)),
        (
            "{duration: {at_most: 1m}}",
            "unlimited",
            Err("is not a duration"),
        ),
        ("{lines_include: [a, c]}", "a\nb\nc", Ok(true)),
        ("{lines_include: [a, c]}", "a\nbc", Ok(false)),
        (
            "{json: {/a/0/b: ok, /n: {at_most: 3}, /l: {superset_of: [x]}}}",
            "{\"a\": [{\"b\": \"ok\"}], \"n\": 3, \"l\": [\"x\", 1]}",
            Ok(true),
        ),
        ("{json: {/a: true}}", "{\"a\": false}", Ok(false)),
        ("{json: {/a: {absent: true}}}", "{\"a\": null}", Ok(true)),
        ("{json: {/b: 1}}", "{\"a\": 1}", Err("has no value at /b")),
        (
            "{not: {json: {/b: 1}}}",
            "{\"a\": 1}",
            Err("has no value at /b"),
        ),
        (
            "{or: [{json: {/b: 1}}, {json: {/a: 1}}]}",
            "{\"a\": 1}",
            Ok(true),
        ),
        ("{json: {/a: 1}}", "no json", Err("not valid JSON")),
        (
            "{match: \"^((?=a)a+)+$\"}",
            &format!("{}b", "a".repeat(60)),
            Err("steps on this text"),
        ),
    ] {
        match (out(yaml).test(&text(value)), expected) {
            (Ok(matched), Ok(expected)) => assert_eq!(matched, expected, "{yaml}"),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{yaml}: {error}")
            }
            (result, _) => panic!("{yaml}: {result:?}"),
        }
    }
}

#[test]
fn aliases_behave_like_inspec() {
    let mode = |yaml: &str, mode: u32| {
        matcher(&format!("{{file: /a, mode: {yaml}}}"), "mode").test(&Value::Mode(mode))
    };
    // 0604 lacks the bits 0040, but has bits that 0640 does not allow.
    for (bits, more) in [
        (0o640, false),
        (0o600, false),
        (0o604, true),
        (0o644, true),
        (0o4640, true),
    ] {
        assert_eq!(
            mode("{be_more_permissive_than: \"0640\"}", bits),
            Ok(more),
            "{bits:o}"
        );
        assert_eq!(
            mode("{not: {be_more_permissive_than: \"0640\"}}", bits),
            Ok(!more),
            "{bits:o}"
        );
    }
    let users = |yaml: &str| {
        let list = Value::List(vec!["root".to_owned(), "bin".to_owned()]);
        matcher(&format!("{{passwd: all, users: {yaml}}}"), "users").test(&list)
    };
    for (yaml, expected) in [
        ("{match_array: [bin, root]}", true),
        ("{be_in: [bin, root, x]}", true),
        ("{contain_duplicates: true}", false),
        ("{none: {match: \"^adm\"}}", true),
        ("{none: {match: \"^root$\"}}", false),
        ("{count: {between: [1, 2]}}", true),
        ("{count: {\">=\": 3}}", false),
    ] {
        assert_eq!(users(yaml), Ok(expected), "{yaml}");
    }
}

#[test]
fn matchers_of_lists_compare_items() {
    let list = |items: &[&str]| Value::List(items.iter().map(|i| (*i).to_owned()).collect());
    let users = |yaml: &str| matcher(&format!("{{passwd: all, users: {yaml}}}"), "users");
    for (yaml, items, expected) in [
        ("{in: [bin, root, x]}", &["root", "bin"][..], true),
        ("{in: [bin, x]}", &["root", "bin"], false),
        ("{in: [bin]}", &[], true),
        ("{line: root}", &["root", "bin"], true),
        ("{line: oo}", &["root", "bin"], false),
        ("{include: oo}", &["root", "bin"], false),
        ("{match: oo}", &["root", "bin"], true),
        ("{match: oo}", &[], false),
        ("{not: {match: oo}}", &["root", "bin"], false),
        ("root", &["root"], true),
        ("root", &["root", "bin"], false),
    ] {
        let result = users(yaml).test(&list(items));
        assert_eq!(result, Ok(expected), "{yaml} {items:?}");
    }
}

#[test]
fn matchers_of_settings_compare_numbers_and_repeated_values() {
    let setting =
        |values: &[&str]| Value::Setting(values.iter().map(|v| (*v).to_owned()).collect());
    let option = |yaml: &str| matcher(&format!("{{config_file: /a, k: {yaml}}}"), "k");
    for (yaml, values, expected) in [
        ("8", &["08"][..], Ok(false)),
        ("{cmp: 8}", &["08"], Ok(true)),
        ("{cmp: 1}", &["1.0"], Ok(true)),
        ("{at_most: 8}", &["08"], Ok(true)),
        ("{at_most: 1m}", &["61"], Ok(false)),
        (
            "{at_most: 8}",
            &["0.5"],
            Err("`0.5` is neither a whole number nor a duration"),
        ),
        (
            "{at_most: 8}",
            &["1", "2"],
            Err("found 2 values where one is required"),
        ),
        ("{in: [a, b]}", &["a"], Ok(true)),
        ("{in: [a, b]}", &["a, b"], Ok(false)),
        ("{in: [a, b]}", &["a", "c"], Ok(false)),
        ("{subset_of: [a, b]}", &["a, b"], Ok(true)),
        ("{line: a}", &["a", "c"], Ok(true)),
        ("{line: a}", &["a, c"], Ok(false)),
        ("{match: c$}", &["a", "c"], Ok(true)),
        ("{each: {at_most: 2}}", &["1", "2"], Ok(true)),
    ] {
        let result = option(yaml).test(&setting(values));
        assert_eq!(
            result.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{yaml} {values:?}"
        );
    }
}
