//! Tests: groups, loops, conditions and inputs of controls.

use super::*;
use crate::tests::{IDENTITY, output};
use crate::{
    CollectOptions, IdAllocator, ParseContext, SourceLocation, collector, parse_control,
    parse_facts, parse_inputs,
};

pub(super) const PACKAGES: (&str, &str, i32, &str, &str) = (
    "packages",
    "",
    0,
    "-",
    "chrony\tamd64\tinstall ok installed\t4.3\t\t\nssh\tamd64\tinstall ok installed\t1:9.2\t\t\n",
);
pub(super) const DEBIAN: (&str, &str, i32, &str, &str) =
    ("os-release", "", 0, "-", "ID=debian\nVERSION_ID=12\n");

pub(super) fn tree(yaml: &str) -> Tree {
    serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"))
}

pub(super) fn control(yaml: &str, input_yaml: &str) -> Control {
    let (inputs, problems) = parse_inputs(&tree(input_yaml));
    assert_eq!(problems, []);
    let mut ids = IdAllocator::default();
    let context = ParseContext {
        ids: &mut ids,
        inputs: &inputs,
        defined_at: SourceLocation::default(),
    };
    parse_control(&tree(yaml), context).unwrap_or_else(|e| panic!("{yaml}: {e:?}"))
}

fn judge_yaml(yaml: &str, input_yaml: &str) -> Verdict {
    let control = control(yaml, input_yaml);
    let json = serde_json::to_string(&control).expect("json");
    let again: Control = serde_json::from_str(&json).expect("the JSON can be parsed");
    assert_eq!(again, control);
    let facts = parse_facts("n0nce", &output(&[IDENTITY, PACKAGES, DEBIAN])).expect("facts");
    judge(&[&control], &facts, Phase::Boot).remove(0)
}

#[test]
fn group_has_one_finding_about_all_members() {
    let line = |yaml: &str| judge_yaml(yaml, "{}").line();
    assert_eq!(
        line("{id: t, any_of: [{package: chrony}, {package: ntpsec}]}"),
        "passed  t"
    );
    assert_eq!(
        line("{id: t, any_of: [{package: ntp}, {package: ntpsec}]}"),
        "failed  t  any_of: expected at least one to pass: (failed: package ntp installed: expected true, actual false) \
         (failed: package ntpsec installed: expected true, actual false)"
    );
    assert_eq!(
        line("{id: t, none_of: [{package: ntp}, {package: ntpsec}]}"),
        "passed  t"
    );
    assert!(line("{id: t, none_of: [{package: ntp}, {package: chrony}]}").starts_with("failed  t"));
    assert!(
        line("{id: t, any_of: [{package: ntp}, {file: /x}]}").starts_with("error   t"),
        "an unknown value is not a failure"
    );
    assert!(
        line("{id: t, any_of: [{package: chrony}, {file: /x}]}").starts_with("passed"),
        "one member is enough"
    );
    assert!(line("{id: t, none_of: [{package: ntp}, {file: /x}]}").starts_with("error   t"));
    let unjudged = "{package: tftpd, version: {at_least: \"1\"}, if_absent: skip}";
    assert!(
        line(&format!(
            "{{id: t, none_of: [{{package: ntp}}, {unjudged}]}}"
        ))
        .starts_with("skipped t")
    );
    assert!(
        line(&format!(
            "{{id: t, none_of: [{{package: ssh}}, {unjudged}]}}"
        ))
        .starts_with("failed  t")
    );
    let nested = "{id: t, checks: [{package: ssh}, {any_of: [{all_of: [{package: ntp}, {package: ssh}]}, {package: chrony}]}]}";
    assert_eq!(line(nested), "passed  t");
}

#[test]
fn loop_has_one_finding_per_value() {
    let verdict = judge_yaml(
        "{id: t, package: \"${p}\", for_each: {p: [chrony, ntp]}}",
        "{}",
    );
    let outcomes: Vec<Outcome> = verdict.findings.iter().map(|f| f.outcome).collect();
    assert_eq!(
        (verdict.outcome, outcomes),
        (Outcome::Failed, vec![Outcome::Passed, Outcome::Failed])
    );
    assert_eq!(
        verdict.line(),
        "failed  t  package ntp installed: expected true, actual false"
    );
    let inside = "{id: t, checks: [{package: \"${p}\"}, {any_of: [{file: \"/${p}\"}, {package: chrony}]}], for_each: {p: [ssh, chrony]}}";
    assert_eq!(
        judge_yaml(inside, "{}").line(),
        "passed  t",
        "the loop applies to nested groups"
    );
    let empty = judge_yaml(
        "{id: t, package: \"${p}\", for_each: {p: $inputs.none}}",
        "{none: {default: []}}",
    );
    assert_eq!(
        empty.line(),
        "skipped t  nothing to check: the list is empty"
    );
}

#[test]
fn inputs_depend_on_the_target() {
    let given = "
      ssh: {default: \"1:1\", by_os: {debian: \"1:8\", debian-12: \"1:9\"}}
      by: {by_version: {of: package(\"ssh\").version, \">=1:9\": new, \">=1:8\": old}}
      level: {default: 2}";
    let version = "{id: t, package: ssh, version: {at_least: $inputs.ssh}}";
    let verdict = judge_yaml(version, given);
    assert_eq!(verdict.findings[0].expected, "at least \"1:9\"");
    assert_eq!(
        judge_yaml("{id: t, os: this, name: $inputs.by}", given).findings[0].expected,
        "\"new\""
    );
    assert_eq!(
        judge_yaml("{id: t, package: ssh, when: inputs.level >= 2}", given).outcome,
        Outcome::Passed
    );
    assert_eq!(
        judge_yaml("{id: t, package: ssh, when: inputs.level > 2}", given).outcome,
        Outcome::Skipped
    );
    let changed = "
      ssh: {default: \"1:1\", by_os: {debian: \"1:8\", debian-12: \"1:10\"}}";
    let digest = |given: &str| crate::digest(&[&control(version, given)]);
    assert_ne!(
        digest(given),
        digest(changed),
        "inputs are part of the digest"
    );
}

#[test]
fn by_os_prefers_exact_names_and_includes_minor_versions() {
    let value = |release: &str, input: &str| {
        let control = control("{id: t, os: this, name: $inputs.x}", &format!("x: {input}"));
        let frames = [
            ("os-release", "", 0, "-", release),
            ("package_manager", "", 0, "-", "rpm"),
            (
                "packages",
                "",
                0,
                "-",
                "openssh-clients\tx86_64\tinstall ok installed\t8.7p1-38.el9\t\t\n",
            ),
        ];
        let facts = parse_facts("n0nce", &output(&frames)).expect("facts");
        judge(&[&control], &facts, Phase::Build)[0].findings[0]
            .expected
            .clone()
    };
    let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
    let user = "{default: admin, by_os: {fedora: ec2-user, rocky: rocky}}";
    assert_eq!(value(rocky, user), "\"rocky\"", "ID comes before ID_LIKE");
    assert_eq!(value("ID=amzn\nID_LIKE=\"fedora\"\n", user), "\"ec2-user\"");
    assert_eq!(value("ID=ubuntu\nID_LIKE=debian\n", user), "\"admin\"");
    let version = "{default: other, by_os: {rocky-9: nine, rocky-10: ten, ubuntu-24.04: noble}}";
    assert_eq!(value(rocky, version), "\"nine\"");
    assert_eq!(value(&rocky.replace("9.4", "10.0"), version), "\"ten\"");
    assert_eq!(value(&rocky.replace("9.4", "8.9"), version), "\"other\"");
    assert_eq!(value("ID=ubuntu\nVERSION_ID=24.04\n", version), "\"noble\"");
    let kex = "{default: old, by_version: {of: ['package(\"openssh-client\").upstream', \
         'package(\"openssh-clients\").upstream'], \">=9.9\": newest, \">=8.5\": new}}";
    assert_eq!(value(rocky, kex), "\"new\"");
    let (_, problems) = parse_inputs(&tree(&format!("x: {}", kex.replace(">=9.9", "!=9.9"))));
    assert!(problems[0].message.contains("`!=` cannot be used"));
}

#[test]
fn conditions_skip_or_are_errors() {
    let line = |yaml: &str| judge_yaml(yaml, "{}").line();
    assert_eq!(
        line("{package: ssh, when: os.name == \"debian\"}"),
        "passed  package:ssh"
    );
    assert!(
        line("{package: ssh, when: os.name == \"suse\"}")
            .starts_with("skipped package:ssh  the condition does not hold")
    );
    assert!(
        line("{package: ssh, when: file(\"/x\").exists}")
            .starts_with("error   package:ssh  the condition could not be evaluated")
    );
    assert_eq!(
        line("{manual: look at the label, id: m}"),
        "skipped m  manual review required: look at the label"
    );
    assert!(
        line("{package: ntp, version: {at_least: \"1\"}, if_absent: skip}").starts_with("skipped")
    );
    assert!(
        line("{package: ntp, version: {at_least: \"1\"}, if_absent: pass}").starts_with("passed")
    );
    assert!(line("{package: ntp, version: {at_least: \"1\"}}").starts_with("failed"));
}

#[test]
fn collector_covers_all_values_of_loops() {
    let given =
        "paths: {default: [/a], by_os: {debian: [/b, /c]}}".replace("paths", "{paths") + "}";
    let looped = control(
        "{id: t, file: \"${p}\", for_each: {p: $inputs.paths}, when: file(\"/d\").exists}",
        &given,
    );
    let script = collector(
        &[&looped],
        CollectOptions {
            nonce: "n",
            root: None,
            phase: Phase::Boot,
            seal: false,
        },
    );
    for path in ["/a", "/b", "/c", "/d"] {
        assert!(script.contains(&format!(" '{path}'")), "{path} in {script}");
    }
}

#[test]
fn parameters_accept_loops_and_inputs() {
    let given = "{patterns: {default: [\"*.a\"], by_os: {debian: [\"*.b\", \"*.c\"]}}, left: {default: [/x], by_os: {debian: [/y]}}}";
    let yaml =
        "{id: t, files: /, name: \"${p}\", exclude: $inputs.left, for_each: {p: $inputs.patterns}}";
    let control = control(yaml, given);
    let script = collector(
        &[&control],
        CollectOptions {
            nonce: "n",
            root: None,
            phase: Phase::Boot,
            seal: false,
        },
    );
    for word in ["'*.a'", "'*.b'", "'*.c'", "'./x'", "'./y'"] {
        assert!(script.contains(word), "{word} in {script}");
    }
    assert!(
        !script.contains("${p}") && !script.contains("$inputs"),
        "{script}"
    );
    for (yaml, part) in [
        ("{files: /, name: $inputs.none}", "unknown input `none`"),
        (
            "{files: /, name: \"${q}\", for_each: {p: [a]}}",
            "is not a variable of `for_each`",
        ),
        (
            "{files: /, name: \"${p}\", for_each: {p: [a, b/c]}}",
            "pattern",
        ),
        (
            "{files: /, exclude: [\"${p}\"], for_each: {p: [/a, b]}}",
            "absolute",
        ),
    ] {
        let message = crate::tests::refusal(yaml);
        assert!(message.contains(part), "{yaml}: {message}");
    }
}
