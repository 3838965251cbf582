//! Tests of the `config_file` resource with recorded frames.

use crate::tests::{IDENTITY, lines, refusal};

fn judge_setting(path: &str, expected: &str, text: &str) -> String {
    lines(
        &format!("- {{config_file: {path}{expected}}}"),
        &[IDENTITY, ("config", path, 0, "-", text)],
    )
    .join("")
}

#[track_caller]
fn assert_all(path: &str, text: &str, rows: &[(&str, &str)]) {
    for (yaml, outcome) in rows {
        let line = judge_setting(path, &format!(", {yaml}"), text);
        assert!(line.starts_with(outcome), "{yaml}: {line}");
    }
}

#[test]
fn line_formats_are_parsed() {
    let text =
        "# a = no\r\n; b = no\r\nA = 1\r\nexport B='x # y' # why\nC=\"q\nA=2\nD=\nE = a = b\n";
    assert_all(
        "/etc/default/x",
        text,
        &[
            ("A: {same_set: [\"1\", \"2\"]}", "passed"),
            ("B: \"x # y\"", "passed"),
            ("C: {match: '^\"q$'}", "passed"),
            ("D: \"\"", "passed"),
            ("E: a = b", "passed"),
            ("a: {absent: true}", "passed"),
            ("Z: {not: \"1\"}", "failed"),
        ],
    );
    let line = judge_setting("/x", ", A: 1", "A=1\nodd\n");
    assert!(
        line.starts_with("error") && line.contains("line 2"),
        "{line}"
    );
    assert_all(
        "/x",
        "%c\nname  a value\nalone\n",
        &[(
            "format: space, comment: \"%\", name: a value, alone: \"\"",
            "passed",
        )],
    );
    assert_all(
        "/x",
        "a -> b\nnoise\n",
        &[(
            "assignment: '^(\\w+) -> (.*)$', a: b, noise: {absent: true}",
            "passed",
        )],
    );
    let ini = "top: 1\n[main]\nkey = value\nflag\n[ other.part ]\nkey = 2\n";
    assert_all(
        "/etc/x.ini",
        ini,
        &[
            (
                "top: 1, main.key: value, main.flag: \"\", other.part.key: {at_least: 2}",
                "passed",
            ),
            ("key: value", "failed"),
        ],
    );
}

#[test]
fn nested_formats_have_dotted_names() {
    let rows: &[(&str, &str)] = &[
        ("a.b: 1", "passed"),
        ("a.list: {same_set: [x, \"2\"]}", "passed"),
        ("a.maps.1.k: true", "passed"),
        ("a.list.0: x", "passed"),
        ("a.none: {empty: true}", "passed"),
        ("a.c: {absent: true}", "passed"),
        ("b: {not: 1}", "failed"),
    ];
    assert_all(
        "/x.json",
        r#"{"a": {"b": 1, "list": ["x", 2], "maps": [{}, {"k": true}], "none": []}}"#,
        rows,
    );
    assert_all(
        "/x.yaml",
        "a:\n  b: 1\n  list: [x, 2]\n  maps:\n    - {}\n    - k: true\n  none: []\n",
        rows,
    );
    assert_all(
        "/x.toml",
        "[a]\nb = 1\nlist = [\"x\", 2]\nnone = []\n[[a.maps]]\n[[a.maps]]\nk = true\n",
        rows,
    );
    assert_all(
        "/x.toml",
        "since = 2024-01-01\n",
        &[("since: \"2024-01-01\"", "passed")],
    );
}

#[test]
fn invalid_format_is_an_error_with_line() {
    for (path, text) in [
        ("/x.json", "{\n\"a\": }"),
        ("/x.yaml", "a: 1\nb: [\n"),
        ("/x.toml", "a = 1\nb\n"),
    ] {
        let line = judge_setting(path, ", a: {absent: true}", text);
        assert!(
            line.starts_with("error") && line.contains("line "),
            "{path}: {line}"
        );
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let deeper = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
        e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    for (path, text) in [
        ("/x.json", deep.as_str()),
        ("/x.json", deeper.as_str()),
        ("/x.yaml", deep.as_str()),
        ("/x.yaml", deeper.as_str()),
        ("/x.yaml", bomb),
        ("/x.toml", &format!("a = {deep}")),
        ("/x.toml", &format!("a = {deeper}")),
    ] {
        let line = judge_setting(path, ", a: {absent: true}", text);
        assert!(line.starts_with("error"), "{path}: {line}");
    }
}

#[test]
fn missing_file_fails_and_unreadable_one_is_error() {
    let judge_check = |yaml: &str, rc: i32, flags: &str| {
        lines(
            &format!("- {{config_file: /x{yaml}}}"),
            &[IDENTITY, ("config", "/x", rc, flags, "")],
        )
        .join("")
    };
    for (yaml, rc, flags, outcome) in [
        ("", 0, "-", "passed"),
        ("", 1, "-", "failed"),
        ("", 2, "-", "error"),
        (", exists: false", 1, "-", "passed"),
        (", exists: false", 2, "-", "error"),
        (", a: {not: b}", 1, "-", "failed"),
        (", a: {absent: true}", 0, "d", "error"),
        (", a: {absent: true}", 0, "t", "error"),
        (", a: b, if_absent: skip", 1, "-", "skipped"),
    ] {
        assert!(
            judge_check(yaml, rc, flags).starts_with(outcome),
            "{yaml} {rc}: {}",
            judge_check(yaml, rc, flags)
        );
    }
    assert!(refusal("{config_file: /etc/shadow, a: b}").contains("hashes"));
    assert!(refusal("{config_file: /x, format: xml}").contains("toml"));
    assert!(refusal("{config_file: /x, assignment: \"(a)\"}").contains("two groups"));
    assert!(refusal("{config_file: /x, assignment: \"(\"}").contains("is not valid"));
}
