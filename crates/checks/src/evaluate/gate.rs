//! Owns what counts: a control's outcome, its waiver and the gate's limit to a status, decided in one place for the release
//! gate, `bakeline check` and every report.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::evaluate::verdict::{Outcome, Verdict};

/// What keeps an image from being released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Failures of controls with at least this impact count; 0.0, the default, means all of them. Errors always count.
    pub fail_from_impact: f64,
}

/// What a control counts as, in the order of reports: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It could not be determined. Neither a waiver nor a limit covers that.
    Error,
    /// Not as expected.
    Failed,
    /// Not as expected, and somebody answers for it.
    Waived,
    /// Not as expected, and of less impact than the gate asks for.
    Tolerated,
    /// It was not judged, and says why.
    Skipped,
    /// As expected.
    Passed,
}

impl Status {
    /// All, the worst first.
    pub const ALL: [Self; 6] = [
        Self::Error,
        Self::Failed,
        Self::Waived,
        Self::Tolerated,
        Self::Skipped,
        Self::Passed,
    ];

    /// What an outcome counts as. What the outcomes of its results contradict is an error: an outcome that none of them has,
    /// and passed or skipped beside one that is worse. A failure with an error among its results is covered by nothing.
    #[must_use]
    pub fn of(said: Outcome, results: &[Outcome], waived: bool, tolerated: bool) -> Self {
        let sound = !results.contains(&Outcome::Error);
        match said.borne_out(results) {
            Outcome::Error => Self::Error,
            Outcome::Failed if waived && sound => Self::Waived,
            Outcome::Failed if tolerated && sound => Self::Tolerated,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Passed => Self::Passed,
        }
    }

    /// Whether it keeps the image from being released.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Error | Self::Failed)
    }

    /// The word in reports.
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
    /// Whether a failure of a control with this impact is below what counts.
    #[must_use]
    pub fn tolerates(&self, impact: f64) -> bool {
        impact < self.fail_from_impact
    }

    /// What a verdict counts as on a day.
    #[must_use]
    pub fn status(&self, verdict: &Verdict, today: Date) -> Status {
        let results: Vec<Outcome> = verdict.results.iter().map(|f| f.outcome).collect();
        let waived = verdict.waiver.as_ref().is_some_and(|w| !w.expired(today));
        Status::of(
            verdict.outcome,
            &results,
            waived,
            self.tolerates(verdict.impact),
        )
    }

    /// How many verdicts count as what.
    #[must_use]
    pub fn counts(&self, verdicts: &[Verdict], today: Date) -> Counts {
        verdicts.iter().map(|v| self.status(v, today)).collect()
    }
}

impl Outcome {
    /// It, as far as the outcomes of results bear it out; else an error.
    #[must_use]
    pub fn borne_out(self, results: &[Self]) -> Self {
        let good = matches!(self, Self::Passed | Self::Skipped);
        let contradicted =
            good && (results.contains(&Self::Failed) || results.contains(&Self::Error));
        if results.contains(&self) && !contradicted {
            self
        } else {
            Self::Error
        }
    }
}

/// How many controls count as what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Could not be determined.
    pub error: usize,
    /// Not as expected.
    pub failed: usize,
    /// Not as expected, and borne with.
    pub waived: usize,
    /// Not as expected, and too slight to count.
    pub tolerated: usize,
    /// Not judged.
    pub skipped: usize,
    /// As expected.
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
    /// How many count as that.
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

    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        Status::ALL.iter().map(|s| self.get(*s)).sum()
    }

    /// How many keep the image from being released.
    #[must_use]
    pub fn bad(&self) -> usize {
        Status::ALL
            .iter()
            .filter(|s| s.counts())
            .map(|s| self.get(*s))
            .sum()
    }

    /// One line, the worst first, without what there is none of.
    #[must_use]
    pub fn line(&self) -> String {
        let some = Status::ALL.iter().filter(|s| self.get(**s) > 0);
        let told: Vec<String> = some
            .map(|s| format!("{} {}", self.get(*s), s.as_str()))
            .collect();
        match self.total() {
            0 => "no control was judged".to_owned(),
            1 => format!("1 control: {}", told.join(", ")),
            total => format!("{total} controls: {}", told.join(", ")),
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
