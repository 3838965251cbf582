//! Decides which verdicts fail an image, by outcome, waiver and impact.
//!
//! The release, `bakeline check` and all reports use this decision.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::evaluate::verdict::{Outcome, Verdict};

/// Rule that decides which verdicts fail an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Minimum impact of failures that count; 0.0 by default. Errors always count.
    pub fail_from_impact: f64,
}

/// Outcome of a control after waivers and the gate, in the order of reports: worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Unknown. Neither a waiver nor the gate covers an error.
    Error,
    /// Not as expected.
    Failed,
    /// Not as expected, but covered by a waiver.
    Waived,
    /// Not as expected, with an impact below the gate.
    Tolerated,
    /// Not judged; the message has the reason.
    Skipped,
    /// Expectations met.
    Passed,
}

impl Status {
    /// All statuses, worst first.
    pub const ALL: [Self; 6] = [
        Self::Error,
        Self::Failed,
        Self::Waived,
        Self::Tolerated,
        Self::Skipped,
        Self::Passed,
    ];

    /// Returns the status of a control. An outcome that contradicts its findings is an error. A
    /// failure with an error among its findings is neither waived nor tolerated.
    #[must_use]
    pub fn from_outcome(
        outcome: Outcome,
        findings: &[Outcome],
        waived: bool,
        tolerated: bool,
    ) -> Self {
        let without_error = !findings.contains(&Outcome::Error);
        match outcome.verify(findings) {
            Outcome::Error => Self::Error,
            Outcome::Failed if waived && without_error => Self::Waived,
            Outcome::Failed if tolerated && without_error => Self::Tolerated,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Passed => Self::Passed,
        }
    }

    /// Returns whether the status fails the image.
    #[must_use]
    pub fn fails(self) -> bool {
        matches!(self, Self::Error | Self::Failed)
    }

    /// Returns the name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Waived => "waived",
            Self::Tolerated => "tolerated",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
        }
    }
}

impl Gate {
    /// Returns whether the impact of a failure is too low to count.
    #[must_use]
    pub fn tolerates(&self, impact: f64) -> bool {
        impact < self.fail_from_impact
    }

    /// Returns the status of a verdict on a day.
    #[must_use]
    pub fn status(&self, verdict: &Verdict, today: Date) -> Status {
        let findings: Vec<Outcome> = verdict.findings.iter().map(|f| f.outcome).collect();
        let waived = verdict
            .waiver
            .as_ref()
            .is_some_and(|w| !w.is_expired(today));
        Status::from_outcome(
            verdict.outcome,
            &findings,
            waived,
            self.tolerates(verdict.impact),
        )
    }

    /// Counts verdicts by status.
    #[must_use]
    pub fn counts(&self, verdicts: &[Verdict], today: Date) -> Counts {
        verdicts.iter().map(|v| self.status(v, today)).collect()
    }
}

impl Outcome {
    /// Returns the outcome if the findings confirm it, otherwise an error.
    #[must_use]
    pub fn verify(self, findings: &[Self]) -> Self {
        let is_good = matches!(self, Self::Passed | Self::Skipped);
        let contradicted =
            is_good && (findings.contains(&Self::Failed) || findings.contains(&Self::Error));
        if findings.contains(&self) && !contradicted {
            self
        } else {
            Self::Error
        }
    }
}

/// Number of controls by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Unknown.
    pub error: usize,
    /// Not as expected.
    pub failed: usize,
    /// Covered by a waiver.
    pub waived: usize,
    /// Impact below the gate.
    pub tolerated: usize,
    /// Not judged.
    pub skipped: usize,
    /// Expectations met.
    pub passed: usize,
}

impl FromIterator<Status> for Counts {
    fn from_iter<I: IntoIterator<Item = Status>>(all: I) -> Self {
        let mut out = Self::default();
        for status in all {
            *match status {
                Status::Error => &mut out.error,
                Status::Failed => &mut out.failed,
                Status::Waived => &mut out.waived,
                Status::Tolerated => &mut out.tolerated,
                Status::Skipped => &mut out.skipped,
                Status::Passed => &mut out.passed,
            } += 1;
        }
        out
    }
}

impl Counts {
    /// Returns the number of controls with a status.
    #[must_use]
    pub fn get(&self, status: Status) -> usize {
        match status {
            Status::Error => self.error,
            Status::Failed => self.failed,
            Status::Waived => self.waived,
            Status::Tolerated => self.tolerated,
            Status::Skipped => self.skipped,
            Status::Passed => self.passed,
        }
    }

    /// Returns the number of all controls.
    #[must_use]
    pub fn total(&self) -> usize {
        Status::ALL.iter().map(|s| self.get(*s)).sum()
    }

    /// Returns the number of controls that fail the image.
    #[must_use]
    pub fn failing(&self) -> usize {
        Status::ALL
            .iter()
            .filter(|s| s.fails())
            .map(|s| self.get(*s))
            .sum()
    }

    /// Formats the counts that are not zero as one line, worst first.
    #[must_use]
    pub fn line(&self) -> String {
        let present = Status::ALL.iter().filter(|s| self.get(**s) > 0);
        let counts: Vec<String> = present
            .map(|s| format!("{} {}", self.get(*s), s.as_str()))
            .collect();
        match self.total() {
            0 => "no control was judged".to_owned(),
            1 => format!("1 control: {}", counts.join(", ")),
            total => format!("{total} controls: {}", counts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
