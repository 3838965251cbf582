//! Tests of the `file` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

const ACCOUNTS: [(&str, &str, i32, &str, &str); 2] = [
    ("passwd", "", 0, "-", "root:x:0\ntoor:x:0\nwww-data:x:33"),
    ("group", "", 0, "-", "root:x:0\nshadow:x:42\n"),
];

fn judge_check(yaml: &str, frames: &[(&str, &str, i32, &str, &str)]) -> String {
    let all: Vec<_> = [IDENTITY]
        .into_iter()
        .chain(ACCOUNTS)
        .chain(frames.iter().copied())
        .collect();
    lines(&format!("- {yaml}"), &all).join("\n")
}

#[test]
fn file_is_judged_by_its_state() {
    let motd = [
        ("file", "/m", 0, "-", "-rw------- 1 0 33 5 x"),
        ("body", "/m", 0, "-", "hello"),
    ];
    let table = [
        ("{file: /m}", "passed  file:/m"),
        (
            "{file: /m, exists: false}",
            "failed  file:/m  exists: expected false, actual true",
        ),
        (
            "{file: /m, mode: \"0644\"}",
            "failed  file:/m  mode: expected \"0644\", actual \"0600\"",
        ),
        (
            "{file: /m, owner: root, size: 5, type: file}",
            "passed  file:/m",
        ),
        (
            "{file: /m, owner: toor}",
            "failed  file:/m  owner: expected \"toor\", actual \"root\"",
        ),
        (
            "{file: /m, group: www-data}",
            "failed  file:/m  group: expected \"www-data\", actual 33 (no name)",
        ),
        (
            "{file: /m, content: {match: \"^hello$\"}}",
            "passed  file:/m",
        ),
        (
            "{file: /m, content: bye}",
            "failed  file:/m  content: expected \"bye\", actual \"hello\"",
        ),
        (
            "{file: /m, link_target: x}",
            "failed  file:/m  link_target: expected \"x\", but it is a file, not a link",
        ),
        (
            "{file: /other}",
            "error   file:/other  exists: it was not collected",
        ),
    ];
    for (yaml, line) in table {
        assert_eq!(judge_check(yaml, &motd), line, "{yaml}");
    }
}

#[test]
fn missing_file_fails_every_expectation() {
    let absent = [(
        "file",
        "/m",
        1,
        "-",
        "ls: cannot access '/m': No such file or directory",
    )];
    assert_eq!(
        judge_check("{file: /m, exists: false}", &absent),
        "passed  file:/m"
    );
    assert_eq!(
        judge_check("{file: /m}", &absent),
        "failed  file:/m  exists: expected true, actual false"
    );
    for yaml in [
        "mode: {not: \"0777\"}",
        "content: {not: {include: x}}",
        "owner: root",
        "type: file",
        "size: {at_most: 9}",
    ] {
        let line = judge_check(&format!("{{file: /m, {yaml}}}"), &absent);
        assert!(
            line.starts_with("failed") && line.contains("does not exist"),
            "{line}"
        );
    }
}

#[test]
fn unreadable_file_is_an_error() {
    let denied = [(
        "file",
        "/m",
        2,
        "-",
        "ls: cannot access '/m': Permission denied",
    )];
    for yaml in [
        "exists: false",
        "exists: true",
        "mode: \"0644\"",
        "content: {not: {include: x}}",
    ] {
        let line = judge_check(&format!("{{file: /m, {yaml}}}"), &denied);
        assert!(
            line.starts_with("error ") && line.contains("permission denied"),
            "{line}"
        );
    }
    let there = ("file", "/m", 0, "-", "-rw------- 1 0 0 5 x");
    let body = [there, ("body", "/m", 2, "-", "")];
    assert!(judge_check("{file: /m, content: {not: {include: x}}}", &body).starts_with("error "));
    let cut = [there, ("body", "/m", 0, "t", "hello!")];
    for yaml in ["{include: hello}", "{not: {include: x}}"] {
        let line = judge_check(&format!("{{file: /m, content: {yaml}}}"), &cut);
        assert!(
            line.starts_with("error ") && line.contains("more than 5 bytes"),
            "{line}"
        );
    }
    assert_eq!(
        judge_check("{file: /m, mode: \"0600\"}", &cut),
        "passed  file:/m",
        "the rest is still known"
    );
}

#[test]
fn links_are_followed_except_for_type() {
    let link = ("file", "/l", 0, "-", "lrwxrwxrwx 1 33 0 2 x /l -> to");
    let good = [
        link,
        ("link", "/l", 0, "-", "to"),
        ("real", "/l", 0, "-", "-rw-r----- 1 0 42 9 x"),
    ];
    let yaml =
        "{file: /l, type: link, link_target: to, mode: \"0640\", owner: root, group: shadow}";
    assert_eq!(judge_check(yaml, &good), "passed  file:/l");
    let nowhere = [
        link,
        ("link", "/l", 0, "-", "to"),
        ("real", "/l", 1, "-", ""),
    ];
    for yaml in ["exists: true", "exists: false", "mode: \"0640\""] {
        let line = judge_check(&format!("{{file: /l, {yaml}}}"), &nowhere);
        assert!(
            line.starts_with("failed") && line.contains("link to \"to\", which does not exist"),
            "{line}"
        );
    }
    assert_eq!(
        judge_check("{file: /l, type: link, link_target: to}", &nowhere),
        "passed  file:/l"
    );
    let closed = [
        link,
        ("link", "/l", 0, "-", "to"),
        ("real", "/l", 2, "-", ""),
    ];
    for yaml in ["exists: true", "exists: false", "mode: \"0640\""] {
        assert!(
            judge_check(&format!("{{file: /l, {yaml}}}"), &closed).starts_with("error "),
            "{yaml}"
        );
    }
}

#[test]
fn directory_has_no_content_and_shadow_is_hidden() {
    let dir = [("file", "/d", 0, "-", "drwxr-xr-x 2 0 0 4096 x")];
    assert!(
        judge_check("{file: /d, content: {not: {include: x}}}", &dir)
            .contains("is a directory, which has no content")
    );
    let shadow = [
        ("file", "/etc/shadow", 0, "-", "-rw-r----- 1 0 42 9 x"),
        ("body", "/etc/shadow", 0, "-", "root:$y$...:1::::::"),
    ];
    let line = judge_check(
        "{file: /etc/shadow, content: {match: \"^root:[*!]\"}}",
        &shadow,
    );
    assert_eq!(
        line,
        "failed  file:/etc/shadow  content: expected a match of \"^root:[*!]\", actual (secret, 19 \
            bytes)"
    );
}
