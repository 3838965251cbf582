//! Writes the report for a terminal, the most severe results first. Escapes control characters.

use std::fmt::Write as _;

use super::model::{Control, Finding, FindingOutcome, Outcome, Profile, Report};
use super::status::{Status, counts, worst_first};
use crate::render::visible::line;

/// Options of the terminal report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Colour the statuses.
    pub colour: bool,
    /// List passed controls instead of only counting them.
    pub passed: bool,
}

/// Renders the report, with a final line feed.
#[must_use]
pub fn write(report: &Report, options: Options) -> String {
    let mut out = String::new();
    let Report {
        tool,
        target,
        phase,
        platform: p,
        ..
    } = report;
    let known = [&p.name, &p.release, &p.arch]
        .into_iter()
        .map(|t| line(t))
        .filter(|t| !t.is_empty());
    let system = known.map(|t| format!(" {t}")).collect::<String>();
    let took = report.seconds;
    let phase = phase.as_str();
    let _ = writeln!(
        out,
        "{}, {phase} phase:{system} (bakeline {}, {took:.1} s)",
        line(target),
        line(tool)
    );
    for profile in &report.profiles {
        write_profile(&mut out, profile, options);
    }
    let _ = writeln!(out, "\n{}", report.counts().line());
    match report.without_impact() {
        0 => {}
        n => {
            let _ = writeln!(
                out,
                "note: {n} failed with impact 0; other tools show impact 0 as not applicable"
            );
        }
    }
    out
}

fn write_profile(out: &mut String, profile: &Profile, options: Options) {
    let words = [
        Some(&profile.name),
        profile.version.as_ref(),
        profile.title.as_ref(),
    ];
    let words: Vec<_> = words.into_iter().flatten().map(|t| line(t)).collect();
    let _ = writeln!(out, "\n{}", words.join("  "));
    for status in Status::ALL {
        let shown = profile.controls.iter().filter(|c| c.status() == status);
        if status != Status::Passed || options.passed {
            shown.for_each(|c| write_control(out, c, status, options.colour));
        }
    }
    let passed = counts(&profile.controls).passed;
    if !options.passed && passed > 0 {
        let plural = if passed == 1 { "" } else { "s" };
        let _ = writeln!(
            out,
            "  {}  {passed} control{plural}",
            status_cell(Status::Passed, options.colour)
        );
    }
}

fn write_control(out: &mut String, control: &Control, status: Status, colour: bool) {
    let Control {
        id,
        title,
        impact,
        place,
        ..
    } = control;
    let at = format!("{}:{}", line(&place.file), place.line);
    let _ = writeln!(
        out,
        "  {}  {}  {}  (impact {impact:.1}, {at})",
        status_cell(status, colour),
        line(id),
        line(title)
    );
    if let Some(waiver) = control
        .waiver
        .as_ref()
        .filter(|w| status == Status::Waived || w.expired)
    {
        let _ = writeln!(out, "           {}", line(&waiver.line()));
    }
    for finding in worst_first(&control.evidence())
        .into_iter()
        .filter(|f| f.outcome.kind() != Outcome::Passed)
    {
        write_finding(out, finding);
    }
}

fn write_finding(out: &mut String, finding: &Finding) {
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "             {name:<8}  {}", line(value));
    };
    match &finding.outcome {
        FindingOutcome::Passed => return,
        FindingOutcome::Skipped { reason } => {
            return row("skipped", &format!("{}: {reason}", finding.subject()));
        }
        FindingOutcome::Failed => row("failed", &finding.subject()),
        FindingOutcome::Error { .. } => row("error", &finding.subject()),
    }
    row("expected", &finding.expected);
    match (&finding.outcome, &finding.actual) {
        (FindingOutcome::Error { reason }, _) => row("reason", reason),
        (_, Some(actual)) => {
            row("actual", actual);
            if let Some(detail) = detail(finding, actual) {
                row("detail", detail);
            }
        }
        (_, None) => row("reason", &finding.message),
    }
}

/// Returns the part of a message after the actual value, such as the items that are not allowed.
fn detail<'f>(finding: &'f Finding, actual: &str) -> Option<&'f str> {
    let Finding {
        property, expected, ..
    } = finding;
    finding.message.strip_prefix(&format!(
        "{property}: expected {expected}, actual {actual}; "
    ))
}

/// Returns the status, padded to seven columns, with colour if requested.
fn status_cell(status: Status, colour: bool) -> String {
    let code = match status {
        Status::Error => 35,
        Status::Failed => 31,
        Status::Waived | Status::Tolerated | Status::Skipped => 33,
        Status::Passed => 32,
    };
    if colour {
        format!("\u{1b}[{code}m{:<7}\u{1b}[0m", status.as_str())
    } else {
        format!("{:<7}", status.as_str())
    }
}
