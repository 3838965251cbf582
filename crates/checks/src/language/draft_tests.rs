//! Tests: refusals, ids and defaults.

use super::*;
use crate::tests::{controls, refusal};

#[test]
fn every_refusal_says_what_and_what_next() {
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
            "`match` is not for this property",
        ),
        ("{file: /a, type: symlink}", "link"),
        (
            "{file: /a, content: {at_most: x}}",
            "`at_most` is not for this property",
        ),
        ("{file: /a, content: {match: \"(\"}}", "can't be used"),
        ("{file: /a, content: {include: 42}}", "in quotes: \"42\""),
        ("{file: /a, content: {like: x}}", "like"),
        ("{file: /a, content: {}}", "empty map"),
        ("{file: /a, owner: {in: []}}", "at least one"),
        ("{file: /a, exists: false, mode: \"0644\"}", "contradict"),
        ("{file: /a, colour: red}", "colour"),
        ("{file: /a, impact: 1.5}", "0.0 to 1.0"),
        ("{file: /a, phase: []}", "never be judged"),
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
        ("{command: \"  \"}", "no command"),
        ("{command: \"a\\0\"}", "NUL"),
        ("{command: id, timeout: 0}", "1 to 600"),
        ("{command: id, exit_status: ok}", "whole number"),
        ("{kernel: x}", "nothing to check"),
    ];
    for (yaml, part) in table {
        let said = refusal(yaml);
        assert!(said.contains(part), "{yaml}: {said}");
    }
}

#[test]
fn all_problems_of_a_check_come_at_once() {
    let said = refusal("{file: a/b, mode: \"9\", type: fifo, impact: 2.0}");
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn ids_are_unique_and_an_explicit_one_is_never_renamed() {
    let mut taken = Taken::default();
    for id in ["package:nginx", "mine"] {
        taken.insert(id.to_owned());
    }
    let mut of = |yaml: &str| {
        let raw = serde_saphyr::from_str::<Tree>(yaml).expect(yaml);
        read(
            &raw,
            Around {
                taken: &mut taken,
                inputs: &BTreeMap::new(),
                origin: Origin::default(),
            },
        )
    };
    assert_eq!(of("{package: nginx}").expect("ok").id, "package:nginx#2");
    assert_eq!(of("{package: nginx}").expect("ok").id, "package:nginx#3");
    assert_eq!(
        of("{package: nginx, id: \"package:nginx#4\"}")
            .expect("ok")
            .id,
        "package:nginx#4"
    );
    assert_eq!(of("{package: nginx}").expect("ok").id, "package:nginx#5");
    let problems = of("{package: nginx, id: mine}").expect_err("taken");
    assert!(problems[0].message.contains("taken"), "{problems:?}");
}

#[test]
fn defaults_of_bare_checks() {
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
fn a_mode_without_quotes_is_refused_however_it_is_written() {
    // YAML 1.1 reads 0644 as 420, YAML 1.2 as 644: neither is what was meant.
    for plain in ["0644", "644", "0o644", "420"] {
        let said = refusal(&format!("{{file: /a, mode: {plain}}}"));
        assert!(said.contains("write it as \"0644\""), "{plain}: {said}");
    }
}

#[test]
fn a_later_key_that_is_a_property_is_no_second_resource() {
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
        assert!(refusal(yaml).contains("of one resource"), "{yaml}");
    }
}
