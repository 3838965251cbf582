//! Tests: outcomes and their counts.

use super::*;
use crate::collect::frames::parse_facts;
use crate::tests::{IDENTITY, controls, lines, output};
use crate::{Control, Facts, Phase, judge};

#[test]
fn worst_finding_is_the_verdict() {
    assert!(
        Outcome::Error > Outcome::Failed
            && Outcome::Failed > Outcome::Skipped
            && Outcome::Skipped > Outcome::Passed
    );
    let frames = [
        IDENTITY,
        ("file", "/m", 0, "-", "-rw------- 1 0 0 5 x"),
        ("body", "/m", 2, "-", ""),
    ];
    let found = lines("- {file: /m, mode: \"0644\", content: x}", &frames);
    assert_eq!(found, ["error   file:/m  content: permission denied"]);
    assert_eq!(
        lines("- {file: /m, mode: \"0644\", size: 5}", &frames),
        ["failed  file:/m  mode: expected \"0644\", actual \"0600\""]
    );
}

#[test]
fn controls_of_other_phases_are_not_judged() {
    let controls = controls("- {file: /m, phase: [build]}");
    let refs: Vec<&Control> = controls.iter().collect();
    let facts = parse_facts("n0nce", &output(&[IDENTITY])).expect("facts");
    let verdicts = judge(&refs, &facts, Phase::Boot);
    assert!(verdicts.is_empty());
    assert_eq!(
        summary(&verdicts).line(),
        "no control was judged: there is none for this phase"
    );
    assert_eq!(summary(&verdicts).judged_count(), 0);
    let verdicts = judge(&refs, &facts, Phase::Build);
    let counted = summary(&verdicts);
    assert_eq!(
        counted,
        Summary {
            errors: 1,
            ..Summary::default()
        }
    );
    assert!(!counted.is_ok());
    assert_eq!(counted.line(), "0 passed, 0 failed, 0 skipped, 1 error");
}

#[test]
fn directory_skips_services_and_commands() {
    let directory = (
        "identity",
        "",
        0,
        "-",
        "uid=0\nservice_manager=no\ndirectory=yes",
    );
    let found = lines("- {service: a}\n- {command: id}", &[directory]);
    assert!(
        found[0].starts_with("skipped service:a")
            && found[0].contains("a directory has no service manager"),
        "{found:?}"
    );
    assert_eq!(
        found[1],
        "skipped command:id  succeeds: commands can't be run in a directory"
    );
    let controls = controls("- {command: id}");
    let facts = parse_facts("n0nce", &output(&[directory])).expect("facts");
    let verdicts = judge(&[&controls[0]], &facts, Phase::Boot);
    assert_eq!(
        summary(&verdicts).line(),
        "no control was judged: all 1 were skipped"
    );
}

#[test]
fn control_without_expectations_is_an_error() {
    let mut control = controls("- {file: /m}").remove(0);
    control.body.items.clear();
    assert_eq!(
        judge(&[&control], &Facts::default(), Phase::Boot)[0].outcome,
        Outcome::Error
    );
}
