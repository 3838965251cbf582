//! Tests: status of all outcomes with all findings, waivers and limits.

use super::*;
use crate::evaluate::verdict::Finding;
use crate::language::waiver::Waiver;

const ALL: [Outcome; 4] = [
    Outcome::Passed,
    Outcome::Skipped,
    Outcome::Failed,
    Outcome::Error,
];

#[test]
fn waivers_and_limits_cover_only_failures() {
    for outcome in ALL {
        for set in 0..16 {
            let findings: Vec<Outcome> = ALL
                .into_iter()
                .enumerate()
                .filter(|(n, _)| set >> n & 1 == 1)
                .map(|x| x.1)
                .collect();
            let plain = Status::from_outcome(outcome, &findings, false, false);
            for (waived, tolerated) in [(true, false), (false, true), (true, true)] {
                let status = Status::from_outcome(outcome, &findings, waived, tolerated);
                let covered = plain == Status::Failed && !findings.contains(&Outcome::Error);
                let expected = match (covered, waived) {
                    (true, true) => Status::Waived,
                    (true, false) => Status::Tolerated,
                    (false, _) => plain,
                };
                assert_eq!(
                    status, expected,
                    "{outcome:?} {findings:?} {waived} {tolerated}"
                );
            }
            if findings.contains(&Outcome::Error) {
                assert!(plain.fails(), "{outcome:?} {findings:?}");
            }
        }
    }
}

fn verdict(outcome: Outcome, impact: f64, waiver: Option<&str>) -> Verdict {
    let finding = Finding {
        resource: "file /a".to_owned(),
        property: "mode".to_owned(),
        expected: String::new(),
        actual: None,
        outcome,
        message: String::new(),
    };
    let waiver = waiver.map(|day| Waiver {
        justification: "x".to_owned(),
        owner: "y".to_owned(),
        expires: day.parse().expect("a date"),
    });
    let (control, title) = ("c".to_owned(), "c".to_owned());
    Verdict {
        control,
        title,
        impact,
        outcome,
        findings: vec![finding],
        waiver,
    }
}

#[test]
fn gate_respects_date_and_impact() {
    let today: Date = "2026-03-01".parse().expect("a date");
    let (all, from_half) = (
        Gate::default(),
        Gate {
            fail_from_impact: 0.5,
        },
    );
    use Outcome::{Error, Failed, Passed};
    for (gate, outcome, impact, waiver, status) in [
        (all, Failed, 0.0, None, Status::Failed),
        (all, Failed, 1.0, Some("2026-03-01"), Status::Waived),
        (all, Failed, 1.0, Some("2026-02-28"), Status::Failed),
        (all, Error, 1.0, Some("2026-03-02"), Status::Error),
        (from_half, Failed, 0.5, None, Status::Failed),
        (from_half, Failed, 0.4, None, Status::Tolerated),
        (
            from_half,
            Failed,
            0.4,
            Some("2026-02-28"),
            Status::Tolerated,
        ),
        (from_half, Failed, 0.4, Some("2026-03-02"), Status::Waived),
        (from_half, Error, 0.0, None, Status::Error),
        (from_half, Passed, 0.0, Some("2026-03-02"), Status::Passed),
    ] {
        let verdict = verdict(outcome, impact, waiver);
        assert_eq!(
            gate.status(&verdict, today),
            status,
            "{gate:?} {outcome:?} {impact} {waiver:?}"
        );
        assert_eq!(
            gate.counts(&[verdict], today).failing(),
            usize::from(status.fails())
        );
    }
}
