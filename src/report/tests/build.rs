//! Tests how controls, verdicts and facts become the model of a report.

use crate::checks::{self, Facts, Gate, Phase};
use crate::report::build::{ReportContext, assemble_report};
use crate::report::model::{FindingOutcome, Profile, Report};
use crate::report::status::Status;

fn control(id: &str, profile: &str) -> checks::Control {
    let tree: checks::Tree = serde_json::from_value(serde_json::json!({
        "id": id, "file": "/x", "impact": 0.4, "tags": {"cis": "1.1", "nist": ["a", "b"]},
        "refs": ["https://example.org/x", "a book"],
    }))
    .expect("a tree");
    let defined_at = checks::SourceLocation {
        name: profile.to_owned(),
        file: format!("profiles/{profile}.yaml"),
        line: 7,
        ..checks::SourceLocation::default()
    };
    let (mut taken, inputs) = (Default::default(), Default::default());
    checks::parse_control(
        &tree,
        checks::ParseContext {
            ids: &mut taken,
            inputs: &inputs,
            defined_at,
        },
    )
    .expect("a control")
}

fn finding(outcome: checks::Outcome, resource: &str, message: &str) -> checks::Finding {
    checks::Finding {
        resource: resource.to_owned(),
        property: "exists".to_owned(),
        expected: "true".to_owned(),
        actual: None,
        outcome,
        message: message.to_owned(),
    }
}

fn verdict(id: &str, findings: Vec<checks::Finding>) -> checks::Verdict {
    let outcome = findings.iter().map(|f| f.outcome).max().expect("a finding");
    checks::Verdict {
        control: id.to_owned(),
        title: id.to_owned(),
        impact: 0.4,
        outcome,
        findings,
        waiver: None,
    }
}

fn report_of(verdicts: &[checks::Verdict], gate: Gate, day: &str) -> Report {
    let controls = [
        control("a", "known"),
        control("b", "known"),
        control("c", "stray"),
    ];
    let judged = format!("{day}T12:00:00Z").parse().expect("a time");
    let about = ReportContext {
        target: "web",
        phase: Phase::Boot,
        judged,
        seconds: 1.5,
        gate,
    };
    let known = Profile {
        name: "known".to_owned(),
        title: Some("Known".to_owned()),
        ..Profile::default()
    };
    let empty = Profile {
        name: "empty".to_owned(),
        ..Profile::default()
    };
    assemble_report(
        &about,
        vec![empty, known],
        &controls.iter().collect::<Vec<_>>(),
        verdicts,
        &Facts::default(),
    )
}

#[test]
fn control_is_reported_under_its_profile() {
    let failed = finding(
        checks::Outcome::Failed,
        "file /x",
        "exists: expected true, but it does not exist",
    );
    let error = finding(
        checks::Outcome::Error,
        "",
        "when: the condition could not be evaluated",
    );
    let report = report_of(
        &[verdict("c", vec![error]), verdict("a", vec![failed])],
        Gate::default(),
        "2026-11-22",
    );
    let names: Vec<_> = report
        .profiles
        .iter()
        .map(|p| (p.name.as_str(), p.file.as_str()))
        .collect();
    assert_eq!(
        names,
        [("known", ""), ("stray", "profiles/stray.yaml")],
        "profiles without controls are omitted"
    );
    let a = &report.profiles[0].controls[0];
    assert_eq!(
        (a.id.as_str(), a.place.line, a.status()),
        ("a", 7, Status::Failed)
    );
    assert_eq!(
        (a.results[0].resource.as_str(), &*a.results[0].shown),
        ("file", "file /x")
    );
    assert_eq!(a.tags["nist"].text(), "a, b");
    assert!(a.code.contains("/x"), "{}", a.code);
    let c = &report.profiles[1].controls[0];
    assert_eq!(&*c.results[0].shown, "control c");
    let FindingOutcome::Error { reason } = &c.results[0].outcome else {
        panic!("{c:?}")
    };
    assert!(reason.contains("could not be evaluated"), "{reason}");
    assert_eq!(f64::from(report.seconds), 1.5);
}

#[test]
fn waiver_and_gate_decide_the_status() {
    let failed = || finding(checks::Outcome::Failed, "file /x", "exists: no");
    let waiver = checks::Waiver {
        justification: "later".to_owned(),
        owner: "me".to_owned(),
        expires: "2026-11-22".parse().expect("a day"),
    };
    let waived = checks::Verdict {
        waiver: Some(waiver),
        ..verdict("a", vec![failed()])
    };
    let status = |verdict: &checks::Verdict, gate, day| {
        report_of(std::slice::from_ref(verdict), gate, day).profiles[0].controls[0].status()
    };
    assert_eq!(
        status(&waived, Gate::default(), "2026-11-22"),
        Status::Waived
    );
    assert_eq!(
        status(&waived, Gate::default(), "2026-11-23"),
        Status::Failed
    );
    let plain = verdict("a", vec![failed()]);
    assert_eq!(
        status(
            &plain,
            Gate {
                fail_from_impact: 0.5
            },
            "2026-11-22"
        ),
        Status::Tolerated
    );
    assert_eq!(
        status(
            &plain,
            Gate {
                fail_from_impact: 0.4
            },
            "2026-11-22"
        ),
        Status::Failed
    );
    let broken = verdict(
        "a",
        vec![
            failed(),
            finding(checks::Outcome::Error, "file /x", "mode: no"),
        ],
    );
    assert_eq!(
        status(
            &broken,
            Gate {
                fail_from_impact: 0.9
            },
            "2026-11-22"
        ),
        Status::Error
    );
}
