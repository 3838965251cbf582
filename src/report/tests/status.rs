//! Tests the status of controls.

use super::*;
use crate::report::status::{Counts, Status};

fn status_of(outcome: Outcome, results: &[Outcome]) -> Status {
    let convert = |o: &Outcome| match o {
        Outcome::Passed => FindingOutcome::Passed,
        Outcome::Failed => FindingOutcome::Failed,
        Outcome::Skipped => FindingOutcome::Skipped { reason: "x".into() },
        Outcome::Error => FindingOutcome::Error { reason: "x".into() },
    };
    report_with(
        outcome,
        results.iter().map(|o| finding_with(convert(o))).collect(),
    )
    .profiles[0]
        .controls[0]
        .status()
}

#[test]
fn contradicted_outcome_is_an_error() {
    use Outcome::{Error, Failed, Passed, Skipped};
    for (recorded, results, status) in [
        (Passed, &[Passed, Skipped][..], Status::Passed),
        (Skipped, &[Passed, Skipped], Status::Skipped),
        (Failed, &[Passed, Skipped, Failed, Error], Status::Failed),
        (Error, &[Failed, Error], Status::Error),
        (Passed, &[], Status::Error),
        (Passed, &[Skipped], Status::Error),
        (Skipped, &[Passed], Status::Error),
        (Skipped, &[Skipped, Failed], Status::Error),
        (Failed, &[Error], Status::Error),
        (Error, &[Passed], Status::Error),
    ] {
        assert_eq!(
            status_of(recorded, results),
            status,
            "{recorded:?} {results:?}"
        );
    }
}

/// Tries every outcome with every set of results.
#[test]
fn errors_never_pass_and_always_have_a_reason() {
    let all = [
        Outcome::Passed,
        Outcome::Skipped,
        Outcome::Error,
        Outcome::Failed,
    ];
    for recorded in all {
        for set in 0..16 {
            let results: Vec<Outcome> = all
                .into_iter()
                .enumerate()
                .filter(|(n, _)| set >> n & 1 == 1)
                .map(|x| x.1)
                .collect();
            let status = status_of(recorded, &results);
            if results.contains(&Outcome::Error) {
                assert!(
                    matches!(status, Status::Error | Status::Failed),
                    "{recorded:?} {results:?}"
                );
            }
            let good = matches!(status, Status::Passed | Status::Skipped);
            assert!(
                !good || !results.contains(&Outcome::Failed),
                "{recorded:?} {results:?}"
            );
        }
    }
    for control in sample().controls() {
        let evidence = control.evidence();
        assert!(
            evidence
                .iter()
                .any(|f| f.outcome.kind() == control.outcome()),
            "{}",
            control.id
        );
    }
}

#[test]
fn waivers_cover_failures_until_they_expire() {
    for (id, status) in [
        ("os-11", Status::Waived),
        ("os-12", Status::Passed),
        ("os-13", Status::Error),
        ("os-14", Status::Failed),
        ("os-15", Status::Failed),
    ] {
        assert_eq!(sample_control(id).status(), status, "{id}");
    }
}

#[test]
fn counts_start_with_the_most_severe_status() {
    let report = sample();
    assert_eq!(
        report.counts().line(),
        "24 controls: 7 error, 8 failed, 1 waived, 3 skipped, 5 passed"
    );
    assert_eq!(report.without_impact(), 1);
    assert_eq!(Counts::default().line(), "no control was judged");
    assert_eq!(
        Counts {
            passed: 1,
            ..Counts::default()
        }
        .line(),
        "1 control: 1 passed"
    );
}
