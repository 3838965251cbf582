//! Tests: refusals, ids and defaults.

use std::collections::BTreeSet;

use super::super::tests::{controls, refusal};
use super::*;

#[test]
fn every_refusal_says_what_and_what_next() {
    let table: &[(&str, &str)] = &[
        ("file: {path: etc/motd}", "must be absolute"),
        ("file: {path: -x}", "must be absolute"),
        ("file: {path: /etc/../x}", "`..`"),
        ("file: {path: /etc/}", "without a `/` at its end"),
        ("file: {path: \"/a\\nb\"}", "line breaks"),
        ("file: {path: \"/a\\0b\"}", "NUL"),
        ("file: {path: /a, mode: 644.5}", "\"0644\""),
        ("file: {path: /a, mode: 420}", "write it as \"0644\""),
        ("file: {path: /a, mode: \"0888\"}", "octal"),
        ("file: {path: /a, mode: {match: \"6\"}}", "`match` is not for this property"),
        ("file: {path: /a, type: symlink}", "link"),
        ("file: {path: /a, content: {at_most: x}}", "`at_most` is not for this property"),
        ("file: {path: /a, content: {match: \"(\"}}", "can't be used"),
        ("file: {path: /a, content: {include: 42}}", "in quotes: \"42\""),
        ("file: {path: /a, content: {like: x}}", "like"),
        ("file: {path: /a, content: {eq: x, not: y}}", "write one matcher"),
        ("file: {path: /a, content: {}}", "empty map"),
        ("file: {path: /a, owner: {in: []}}", "at least one"),
        ("file: {path: /a, exists: false, mode: \"0644\"}", "contradict"),
        ("file: {path: /a, colour: red}", "colour"),
        ("file: {path: /a, impact: 1.5}", "0.0 to 1.0"),
        ("file: {path: /a, impact: .nan}", "0.0 to 1.0"),
        ("file: {path: /a, phase: []}", "never be judged"),
        ("file: {path: /a, id: \"a\\nb\"}", "one line"),
        ("package: {name: -y}", "option"),
        ("package: {name: nginx=1.22}", "`version`"),
        ("package: {name: \"ngi*\"}", "`*`"),
        ("package: {name: nginx, version: 1.22}", "in quotes: \"1.22\""),
        ("package: {name: nginx, version: {at_least: latest}}", "is not a version"),
        ("package: {name: nginx, installed: false, version: \"1\"}", "contradict"),
        ("service: {name: --now}", "`-`"),
        ("service: {name: \"a b\"}", "` `"),
        ("service: {name: \"ssh*\"}", "`*`"),
        ("command: {run: \"  \"}", "no command"),
        ("command: {run: \"a\\0\"}", "NUL"),
        ("command: {run: id, timeout: 0}", "1 to 600"),
        ("command: {run: id, exit_status: ok}", "whole number"),
        ("kernel: {name: x}", "kernel"),
    ];
    for (yaml, part) in table {
        let said = refusal(yaml);
        assert!(said.contains(part), "{yaml}: {said}");
    }
}

#[test]
fn all_problems_of_a_check_come_at_once() {
    let said = refusal("file: {path: a/b, mode: \"9\", type: fifo, impact: 2.0}");
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn ids_are_unique_and_an_explicit_one_is_never_renamed() {
    let mut taken = BTreeSet::from(["package:nginx".to_owned(), "mine".to_owned()]);
    let raw = |yaml: &str| serde_saphyr::from_str::<RawCheck>(yaml).expect(yaml);
    assert_eq!(raw("package: {name: nginx}").into_control(&mut taken).expect("ok").id, "package:nginx#2");
    assert_eq!(raw("package: {name: nginx}").into_control(&mut taken).expect("ok").id, "package:nginx#3");
    let problems = raw("package: {name: nginx, id: mine}").into_control(&mut taken).expect_err("taken");
    assert!(problems[0].0.contains("taken"), "{problems:?}");
}

#[test]
fn defaults_of_bare_checks() {
    let expect = |yaml: &str| controls(yaml)[0].expect.keys().map(|p| p.as_str()).collect::<Vec<_>>().join(" ");
    assert_eq!(expect("- file: {path: /a}"), "exists");
    assert_eq!(expect("- file: {path: /a, mode: \"0644\"}"), "mode");
    assert_eq!(expect("- package: {name: nginx}"), "installed");
    assert_eq!(expect("- service: {name: nginx}"), "enabled running");
    assert_eq!(expect("- command: {run: id, stdout: {include: root}}"), "exit_status stdout");
}

#[test]
fn a_mode_without_quotes_is_refused_however_it_is_written() {
    // YAML 1.1 reads 0644 as 420, YAML 1.2 as 644: neither is what was meant.
    for plain in ["0644", "644", "0o644", "420"] {
        let said = refusal(&format!("file: {{path: /a, mode: {plain}}}"));
        assert!(said.contains("write it as \"0644\""), "{plain}: {said}");
    }
}
