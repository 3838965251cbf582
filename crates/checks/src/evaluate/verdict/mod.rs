//! Defines findings and verdicts. An unknown value is an error, never passed or skipped.

use serde::{Deserialize, Serialize};

use crate::language::waiver::Waiver;

/// Replacement for sensitive values.
pub(super) const HIDDEN: &str = "***";

/// Outcome of an expectation. The outcome of a verdict is the highest outcome of its findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Expectations met.
    Passed,
    /// Not applicable to the target; the message has the reason.
    Skipped,
    /// Not as expected.
    Failed,
    /// Unknown: permission denied, truncated or timed out. Always fails the gate.
    Error,
}

impl Outcome {
    /// Returns the name in reports.
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

/// Outcome of one expected property, with the expected and the actual value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Resource, such as `file /etc/motd`; empty if the finding is about the control as a whole.
    #[serde(default)]
    pub resource: String,
    /// Property of the resource.
    pub property: String,
    /// Description of the expected value.
    pub expected: String,
    /// Actual value, truncated and without secrets; `None` without a value.
    pub actual: Option<String>,
    /// Outcome.
    pub outcome: Outcome,
    /// Message, one line.
    pub message: String,
}

/// Findings of one control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// ID of the control.
    pub control: String,
    /// Title of the control.
    pub title: String,
    /// Impact of the control.
    pub impact: f64,
    /// Highest outcome of the findings.
    pub outcome: Outcome,
    /// Findings, one per expected property.
    #[serde(rename = "results")]
    pub findings: Vec<Finding>,
    /// Waiver of the control; [`crate::Gate`] checks its date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
}

impl Verdict {
    /// Adds a remark to the actual value and the message of each finding, such as the number of
    /// tries.
    #[must_use]
    pub fn with_remark(mut self, remark: &str) -> Self {
        for finding in &mut self.findings {
            for text in finding.actual.iter_mut().chain([&mut finding.message]) {
                *text = format!("{text}; {remark}");
            }
        }
        self
    }

    /// Formats the verdict as one line, such as `failed  file:/etc/motd  mode: expected "0644", actual "0600"`.
    #[must_use]
    pub fn line(&self) -> String {
        let same_resource = self
            .findings
            .iter()
            .all(|f| f.resource == self.findings[0].resource);
        let messages: Vec<String> = self
            .findings
            .iter()
            .filter(|f| f.outcome == self.outcome && f.outcome != Outcome::Passed)
            .map(|f| {
                if same_resource {
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
            messages.join("; ")
        )
        .trim_end()
        .to_owned()
    }
}

/// Number of controls by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Expectations met.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Not applicable.
    pub skipped: usize,
    /// Unknown.
    pub errors: usize,
}

impl Summary {
    /// Returns true if there are no failures and no errors, even if no control was judged.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failed == 0 && self.errors == 0
    }

    /// Returns the number of controls that were not skipped.
    #[must_use]
    pub fn judged_count(&self) -> usize {
        self.passed + self.failed + self.errors
    }

    /// Formats the counts as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let counts = format!(
            "{} passed, {} failed, {} skipped, {} error{}",
            self.passed,
            self.failed,
            self.skipped,
            self.errors,
            if self.errors == 1 { "" } else { "s" }
        );
        match (self.judged_count(), self.skipped) {
            (0, 0) => "no control was judged: there is none for this phase".to_owned(),
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
mod tests;
