//! Tests: controls of several expectations, loops, conditions and inputs.

use super::*;
use crate::tests::{IDENTITY, output};
use crate::{Around, CollectOptions, Origin, collector, inputs, parse, read};

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

pub(super) fn control(yaml: &str, given: &str) -> Control {
    let (inputs, problems) = inputs(&tree(given));
    assert_eq!(problems, []);
    let mut taken = crate::Taken::default();
    let around = Around {
        taken: &mut taken,
        inputs: &inputs,
        origin: Origin::default(),
    };
    read(&tree(yaml), around).unwrap_or_else(|e| panic!("{yaml}: {e:?}"))
}

fn verdict_on(yaml: &str, given: &str) -> Verdict {
    let control = control(yaml, given);
    let json = serde_json::to_string(&control).expect("json");
    let again: Control =
        serde_json::from_str(&json).expect("it survives the way to another process");
    assert_eq!(again, control);
    let facts = parse("n0nce", &output(&[IDENTITY, PACKAGES, DEBIAN])).expect("facts");
    judge(&[&control], &facts, Phase::Boot).remove(0)
}

#[test]
fn alternatives_have_one_result_that_tells_of_all() {
    let told = |yaml: &str| verdict_on(yaml, "{}").line();
    assert_eq!(
        told("{id: t, any_of: [{package: chrony}, {package: ntpsec}]}"),
        "passed  t"
    );
    assert_eq!(
        told("{id: t, any_of: [{package: ntp}, {package: ntpsec}]}"),
        "failed  t  any_of: expected at least one to hold: (failed: package ntp installed: expected true, actual false) \
         (failed: package ntpsec installed: expected true, actual false)"
    );
    assert_eq!(
        told("{id: t, none_of: [{package: ntp}, {package: ntpsec}]}"),
        "passed  t"
    );
    assert!(told("{id: t, none_of: [{package: ntp}, {package: chrony}]}").starts_with("failed  t"));
    assert!(
        told("{id: t, any_of: [{package: ntp}, {file: /x}]}").starts_with("error   t"),
        "unknown is not no"
    );
    assert!(
        told("{id: t, any_of: [{package: chrony}, {file: /x}]}").starts_with("passed"),
        "one is enough"
    );
    assert!(told("{id: t, none_of: [{package: ntp}, {file: /x}]}").starts_with("error   t"));
    let unjudged = "{package: tftpd, version: {at_least: \"1\"}, if_absent: skip}";
    assert!(
        told(&format!(
            "{{id: t, none_of: [{{package: ntp}}, {unjudged}]}}"
        ))
        .starts_with("skipped t")
    );
    assert!(
        told(&format!(
            "{{id: t, none_of: [{{package: ssh}}, {unjudged}]}}"
        ))
        .starts_with("failed  t")
    );
    let nested = "{id: t, checks: [{package: ssh}, {any_of: [{all_of: [{package: ntp}, {package: ssh}]}, {package: chrony}]}]}";
    assert_eq!(told(nested), "passed  t");
}

#[test]
fn loops_have_a_result_for_each_value_and_nothing_to_loop_over_is_skipped() {
    let verdict = verdict_on(
        "{id: t, package: \"${p}\", for_each: {p: [chrony, ntp]}}",
        "{}",
    );
    let outcomes: Vec<Outcome> = verdict.results.iter().map(|f| f.outcome).collect();
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
        verdict_on(inside, "{}").line(),
        "passed  t",
        "a loop counts for all that is inside"
    );
    let empty = verdict_on(
        "{id: t, package: \"${p}\", for_each: {p: $inputs.none}}",
        "{none: {default: []}}",
    );
    assert_eq!(
        empty.line(),
        "skipped t  there is nothing to check: the list is empty"
    );
}

#[test]
fn inputs_depend_on_the_system() {
    let given = "
      ssh: {default: \"1:1\", by_os: {debian: \"1:8\", debian-12: \"1:9\"}}
      by: {by_version: {of: package(\"ssh\").version, \">=1:9\": new, \">=1:8\": old}}
      level: {default: 2}";
    let version = "{id: t, package: ssh, version: {at_least: $inputs.ssh}}";
    let verdict = verdict_on(version, given);
    assert_eq!(verdict.results[0].expected, "at least \"1:9\"");
    assert_eq!(
        verdict_on("{id: t, os: this, name: $inputs.by}", given).results[0].expected,
        "\"new\""
    );
    assert_eq!(
        verdict_on("{id: t, package: ssh, when: inputs.level >= 2}", given).outcome,
        Outcome::Passed
    );
    assert_eq!(
        verdict_on("{id: t, package: ssh, when: inputs.level > 2}", given).outcome,
        Outcome::Skipped
    );
    let moved = "
      ssh: {default: \"1:1\", by_os: {debian: \"1:8\", debian-12: \"1:10\"}}";
    let digest = |given: &str| crate::digest(&[&control(version, given)]);
    assert_ne!(
        digest(given),
        digest(moved),
        "an input is part of the control"
    );
}

#[test]
fn conditions_skip_and_what_cannot_be_told_is_an_error() {
    let told = |yaml: &str| verdict_on(yaml, "{}").line();
    assert_eq!(
        told("{package: ssh, when: os.name == \"debian\"}"),
        "passed  package:ssh"
    );
    assert!(
        told("{package: ssh, when: os.name == \"suse\"}")
            .starts_with("skipped package:ssh  it does not apply here")
    );
    assert!(
        told("{package: ssh, when: file(\"/x\").exists}")
            .starts_with("error   package:ssh  it can't be told")
    );
    assert_eq!(
        told("{manual: look at the label, id: m}"),
        "skipped m  a person has to look: look at the label"
    );
    assert!(
        told("{package: ntp, version: {at_least: \"1\"}, if_absent: skip}").starts_with("skipped")
    );
    assert!(
        told("{package: ntp, version: {at_least: \"1\"}, if_absent: pass}").starts_with("passed")
    );
    assert!(told("{package: ntp, version: {at_least: \"1\"}}").starts_with("failed"));
}

#[test]
fn everything_that_may_be_asked_is_collected() {
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
fn loops_and_inputs_reach_parameters() {
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
        ("{files: /, name: $inputs.none}", "there is no input `none`"),
        (
            "{files: /, name: \"${q}\", for_each: {p: [a]}}",
            "is no value of `for_each`",
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
        let said = crate::tests::refusal(yaml);
        assert!(said.contains(part), "{yaml}: {said}");
    }
}
