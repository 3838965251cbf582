//! Tests the report writers with a sample report and with hostile content.

mod build;
mod formats;
mod hostile;
mod status;

use super::model::{Control, Finding, FindingOutcome, Outcome, Phase, Report};

const PAGE: &str = include_str!("../../../templates/report/checks.html");

/// Returns a report with a control of each kind. tests/e2e/clients checks the same report.
fn sample() -> Report {
    serde_json::from_str(include_str!("../../../tests/data/report.json")).expect("a report")
}

/// Returns the sample report with a single control.
fn sample_with(id: &str) -> Report {
    let mut report = sample();
    report.profiles.truncate(1);
    report.profiles[0].controls.retain(|c| c.id == id);
    assert_eq!(report.profiles[0].controls.len(), 1, "{id}");
    report
}

fn sample_control(id: &str) -> Control {
    sample_with(id).profiles[0].controls.remove(0)
}

fn finding_with(outcome: FindingOutcome) -> Finding {
    Finding {
        outcome,
        ..sample_control("os-01").results.remove(0)
    }
}

/// Returns a report of one control with these results.
fn report_with(outcome: Outcome, results: Vec<Finding>) -> Report {
    let mut report = sample_with("os-01");
    let control = &mut report.profiles[0].controls[0];
    (control.outcome, control.results) = (outcome, results);
    report
}
