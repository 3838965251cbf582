//! Owns the verdict: four outcomes, of which "could not be determined" is never folded into passed or skipped.

use serde::{Deserialize, Serialize};

use crate::language::waiver::Waiver;

/// Replacement for sensitive values.
pub(super) const HIDDEN: &str = "***";

/// How a control or one of its expectations came out. The highest of its expectations is a control's: half a judgement is
/// none, so one that could not be made here keeps the whole from passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// It can't be judged in this place, by its nature; the reason is said.
    Skipped,
    /// Not as expected.
    Failed,
    /// It could not be determined: permission denied, truncated, timed out. As bad as failed.
    Error,
}

impl Outcome {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Error => "error",
            Self::Failed => "failed",
        }
    }
}

/// How one expectation came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was looked at, such as `file /etc/motd`; empty where it is about the control as a whole.
    #[serde(default)]
    pub resource: String,
    /// Which property of it.
    pub property: String,
    /// What was expected, for people.
    pub expected: String,
    /// What was found, shortened, without secrets; none if nothing was.
    pub actual: Option<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// The whole of it on one line.
    pub message: String,
}

/// How one control came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The control's id.
    pub control: String,
    /// The control's title.
    pub title: String,
    /// The control's impact.
    pub impact: f64,
    /// The highest of its findings.
    pub outcome: Outcome,
    /// One per expectation.
    pub results: Vec<Finding>,
    /// Who answers for its failure; whether that still counts is for [`crate::Gate`] to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
}

impl Verdict {
    /// One line, such as `failed  file:/etc/motd  mode: expected "0644", actual "0600"`.
    #[must_use]
    pub fn line(&self) -> String {
        let one = self
            .results
            .iter()
            .all(|f| f.resource == self.results[0].resource);
        let told: Vec<String> = self
            .results
            .iter()
            .filter(|f| f.outcome == self.outcome && f.outcome != Outcome::Passed)
            .map(|f| {
                if one {
                    f.message.clone()
                } else {
                    format!("{} {}", f.resource, f.message)
                }
            })
            .collect();
        format!(
            "{:<7} {}  {}",
            self.outcome.as_str(),
            self.control,
            told.join("; ")
        )
        .trim_end()
        .to_owned()
    }
}

/// How many controls came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Can't be judged in this place.
    pub skipped: usize,
    /// Could not be determined.
    pub errors: usize,
}

impl Summary {
    /// Whether nothing failed and everything that had to be determined was. True of nothing, too: ask [`Self::judged`].
    #[must_use]
    pub fn ok(&self) -> bool {
        self.failed == 0 && self.errors == 0
    }

    /// How many controls were really judged.
    #[must_use]
    pub fn judged(&self) -> usize {
        self.passed + self.failed + self.errors
    }

    /// One line; it says so when nothing was judged.
    #[must_use]
    pub fn line(&self) -> String {
        let counts = format!(
            "{} passed, {} failed, {} skipped, {} errors",
            self.passed, self.failed, self.skipped, self.errors
        );
        match (self.judged(), self.skipped) {
            (0, 0) => "no control was judged: none is for this phase".to_owned(),
            (0, n) => format!("no control was judged: all {n} were skipped"),
            _ => counts,
        }
    }
}

/// Counts verdicts.
#[must_use]
pub fn summary(verdicts: &[Verdict]) -> Summary {
    let mut out = Summary::default();
    for verdict in verdicts {
        match verdict.outcome {
            Outcome::Passed => out.passed += 1,
            Outcome::Failed => out.failed += 1,
            Outcome::Skipped => out.skipped += 1,
            Outcome::Error => out.errors += 1,
        }
    }
    out
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
