//! Tests: problems, IDs and defaults of checks.

use super::*;
use crate::tests::{controls, refusal};

#[test]
fn problem_has_message_and_hint() {
    let table: &[(&str, &str)] = &[
        ("{file: etc/motd}", "must be absolute"),
        ("{file: -x}", "must be absolute"),
        ("{file: /etc/../x}", "`..`"),
        ("{file: /etc/}", "plain path"),
        ("{file: \"/a\\nb\"}", "line breaks"),
        ("{file: \"/a\\0b\"}", "NUL"),
        ("{file: /a, mode: 644.5}", "\"0644\""),
        ("{file: /a, mode: 420}", "write it as \"0644\""),
        ("{file: /a, mode: \"0888\"}", "octal"),
        (
            "{file: /a, mode: {match: \"6\"}}",
            "`match` does not apply to this property",
        ),
        ("{file: /a, type: symlink}", "link"),
        (
            "{file: /a, content: {at_most: x}}",
            "`at_most` does not apply to this property",
        ),
        ("{file: /a, content: {match: \"(\"}}", "is not valid"),
        ("{file: /a, content: {include: 42}}", "in quotes: \"42\""),
        ("{file: /a, content: {like: x}}", "like"),
        ("{file: /a, content: {}}", "empty map"),
        ("{file: /a, owner: {in: []}}", "the list is empty"),
        ("{file: /a, exists: false, mode: \"0644\"}", "contradict"),
        ("{file: /a, colour: red}", "colour"),
        ("{file: /a, impact: 1.5}", "0.0 to 1.0"),
        ("{file: /a, phase: []}", "lists no phase"),
        ("{file: /a, within: 60}", "such as 60s"),
        ("{file: /a, within: soon}", "`soon` is not a duration"),
        ("{file: /a, within: 0s}", "from 1s to 300s"),
        ("{file: /a, within: 6m}", "from 1s to 300s"),
        ("{manual: x, within: 1m}", "manual check"),
        (
            "{file: /a, within: 1m, phase: [build, boot]}",
            "only to the phase boot",
        ),
        ("{file: /a, id: \"a\\nb\"}", "one line"),
        ("{package: -y}", "option"),
        ("{package: nginx=1.22}", "`version`"),
        ("{package: \"ngi*\"}", "`*`"),
        ("{package: nginx, version: 1.22}", "in quotes: \"1.22\""),
        (
            "{package: nginx, version: {at_least: latest}}",
            "is not a version",
        ),
        (
            "{package: nginx, installed: false, version: \"1\"}",
            "contradict",
        ),
        ("{service: --now}", "`-`"),
        ("{service: \"a b\"}", "` `"),
        ("{service: \"ssh*\"}", "`*`"),
        ("{command: \"  \"}", "command is empty"),
        ("{command: \"a\\0\"}", "NUL"),
        ("{command: id, timeout: 0}", "1 to 600"),
        ("{command: id, exit_status: ok}", "whole number"),
        ("{kernel: x}", "names no resource"),
    ];
    for (yaml, part) in table {
        let message = refusal(yaml);
        assert!(message.contains(part), "{yaml}: {message}");
    }
}

#[test]
fn all_problems_of_a_check_are_reported() {
    let message = refusal("{file: a/b, mode: \"9\", type: fifo, impact: 2.0}");
    assert_eq!(message.lines().count(), 4, "{message}");
}

#[test]
fn explicit_id_is_never_renamed() {
    let mut ids = IdAllocator::default();
    for id in ["package:nginx", "mine"] {
        ids.insert(id.to_owned());
    }
    let mut parse = |yaml: &str| {
        let raw = serde_saphyr::from_str::<Tree>(yaml).expect(yaml);
        parse_control(
            &raw,
            ParseContext {
                ids: &mut ids,
                inputs: &BTreeMap::new(),
                defined_at: SourceLocation::default(),
            },
        )
    };
    assert_eq!(parse("{package: nginx}").expect("ok").id, "package:nginx#2");
    assert_eq!(parse("{package: nginx}").expect("ok").id, "package:nginx#3");
    assert_eq!(
        parse("{package: nginx, id: \"package:nginx#4\"}")
            .expect("ok")
            .id,
        "package:nginx#4"
    );
    assert_eq!(parse("{package: nginx}").expect("ok").id, "package:nginx#5");
    let problems = parse("{package: nginx, id: mine}").expect_err("ID in use");
    assert!(
        problems[0].message.contains("another check has the ID"),
        "{problems:?}"
    );
}

#[test]
fn check_without_properties_has_defaults() {
    let expect = |yaml: &str| {
        let control = controls(yaml).remove(0);
        control.expectations()[0]
            .expect
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(expect("- {file: /a}"), "exists");
    assert_eq!(expect("- {file: /a, mode: \"0644\"}"), "mode");
    assert_eq!(expect("- {package: nginx}"), "installed");
    assert_eq!(expect("- {service: nginx}"), "enabled running");
    assert_eq!(
        expect("- {command: id, stdout: {include: root}}"),
        "stdout succeeds"
    );
}

#[test]
fn mode_without_quotes_is_rejected() {
    // YAML 1.1 parses 0644 as 420, YAML 1.2 as 644. Both are wrong.
    for plain in ["0644", "644", "0o644", "420"] {
        let message = refusal(&format!("{{file: /a, mode: {plain}}}"));
        assert!(
            message.contains("write it as \"0644\""),
            "{plain}: {message}"
        );
    }
}

#[test]
fn property_named_like_a_resource_is_not_a_resource() {
    let control = controls("- {sshd_config: file, mount: \"no\", service: 1}").remove(0);
    let expectation = control.expectations()[0];
    assert_eq!(
        (
            expectation.target.kind.as_str(),
            expectation.target.subject.as_str()
        ),
        ("sshd_config", "file")
    );
    assert_eq!(
        expectation.expect.keys().collect::<Vec<_>>(),
        ["mount", "service"]
    );
    for yaml in [
        "{file: /a, sshd_config: file}",
        "{any_of: [{file: /a, sshd_config: file}]}",
    ] {
        assert!(refusal(yaml).contains("only one resource"), "{yaml}");
    }
}

#[test]
fn check_with_within_key_runs_only_at_boot() {
    let all = controls(
        "[{file: /a, within: 1m30s}, {any_of: [{package: x}, {file: /a}], within: 5m}, \
         {service: x, phase: [boot], within: 10s}, {file: /b}]",
    );
    let seconds: Vec<Option<u32>> = all.iter().map(|c| c.within).collect();
    assert_eq!(seconds, [Some(90), Some(300), Some(10), None]);
    for control in &all[..3] {
        assert_eq!(control.phases, BTreeSet::from([Phase::Boot]), "{control:?}");
    }
}
