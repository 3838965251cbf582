//! Owns the tests of the writers: the sample report and hostile content through all of them.

mod build;
mod formats;
mod hostile;
mod status;

use super::model::{Control, Finding, Outcome, Phase, Report, Verdict};

const PAGE: &str = include_str!("../../../templates/report/checks.html");

/// A control of each kind; `tests/e2e/clients` judges what becomes of it.
fn sample() -> Report {
    serde_json::from_str(include_str!("../../../tests/data/report.json")).expect("a report")
}

/// The sample with one control only.
fn only(id: &str) -> Report {
    let mut report = sample();
    report.profiles.truncate(1);
    report.profiles[0].controls.retain(|c| c.id == id);
    assert_eq!(report.profiles[0].controls.len(), 1, "{id}");
    report
}

fn control(id: &str) -> Control {
    only(id).profiles[0].controls.remove(0)
}

fn finding(verdict: Verdict) -> Finding {
    Finding {
        verdict,
        ..control("os-01").results.remove(0)
    }
}

/// A report of one control with these results.
fn made(outcome: Outcome, results: Vec<Finding>) -> Report {
    let mut report = only("os-01");
    let control = &mut report.profiles[0].controls[0];
    (control.outcome, control.results) = (outcome, results);
    report
}
