//! Owns the tests of what a control counts as.

use super::*;
use crate::report::status::{Counts, Status};

fn status_of(outcome: Outcome, results: &[Outcome]) -> Status {
    let verdict = |o: &Outcome| match o {
        Outcome::Passed => Verdict::Passed,
        Outcome::Failed => Verdict::Failed,
        Outcome::Skipped => Verdict::Skipped { reason: "x".into() },
        Outcome::Error => Verdict::Error { reason: "x".into() },
    };
    made(
        outcome,
        results.iter().map(|o| finding(verdict(o))).collect(),
    )
    .profiles[0]
        .controls[0]
        .status()
}

#[test]
fn an_outcome_is_believed_as_far_as_its_results_go() {
    use Outcome::{Error, Failed, Passed, Skipped};
    for (said, results, status) in [
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
        assert_eq!(status_of(said, results), status, "{said:?} {results:?}");
    }
}

/// Every outcome with every set of results: no error becomes passed, skipped or waived, and an
/// error always says why.
#[test]
fn an_error_is_folded_into_nothing() {
    let all = [
        Outcome::Passed,
        Outcome::Skipped,
        Outcome::Error,
        Outcome::Failed,
    ];
    for said in all {
        for set in 0..16 {
            let results: Vec<Outcome> = all
                .into_iter()
                .enumerate()
                .filter(|(n, _)| set >> n & 1 == 1)
                .map(|x| x.1)
                .collect();
            let status = status_of(said, &results);
            if results.contains(&Outcome::Error) {
                assert!(
                    matches!(status, Status::Error | Status::Failed),
                    "{said:?} {results:?}"
                );
            }
            let good = matches!(status, Status::Passed | Status::Skipped);
            assert!(
                !good || !results.contains(&Outcome::Failed),
                "{said:?} {results:?}"
            );
        }
    }
    for control in sample().controls() {
        let evidence = control.evidence();
        assert!(
            evidence
                .iter()
                .any(|f| f.verdict.outcome() == control.outcome()),
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
        assert_eq!(control(id).status(), status, "{id}");
    }
}

#[test]
fn counts_are_told_the_worst_first() {
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
