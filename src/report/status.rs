//! Computes the status of the controls of a report with [`Status::from_outcome`].

use std::borrow::Cow;

use super::model::{Control, Finding, FindingOutcome, Outcome, Report, Waiver};
pub use crate::checks::{Counts, Status};

impl Control {
    /// Returns the outcome, or an error if the results contradict it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome.verify(&self.outcomes())
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> Status {
        let waived = self.waiver.as_ref().is_some_and(|w| !w.expired);
        Status::from_outcome(self.outcome, &self.outcomes(), waived, self.tolerated)
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.results.iter().map(|r| r.outcome.kind()).collect()
    }

    /// Returns the results. Adds one with a reason if the control is an error but no result is.
    /// Never empty.
    #[must_use]
    pub fn evidence(&self) -> Cow<'_, [Finding]> {
        let has_error = self
            .results
            .iter()
            .any(|r| r.outcome.kind() == Outcome::Error);
        if self.outcome() != Outcome::Error || has_error {
            return Cow::Borrowed(&self.results);
        }
        let why = match self.results.len() {
            0 => "the control has no results".to_owned(),
            _ => format!(
                "the recorded outcome is {}, which its results contradict",
                self.outcome.as_str()
            ),
        };
        let mut out = self.results.clone();
        out.push(Finding {
            resource: "control".to_owned(),
            shown: format!("control {}", self.id).into(),
            property: "results".into(),
            expected: "an outcome that is consistent with the results".into(),
            actual: None,
            message: why.as_str().into(),
            outcome: FindingOutcome::Error { reason: why.into() },
            seconds: 0.0.into(),
        });
        Cow::Owned(out)
    }
}

impl Waiver {
    /// Returns a description in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let Self {
            justification,
            owner,
            expires,
            expired,
        } = self;
        if *expired {
            format!("the waiver of {owner} expired on {expires}: {justification}")
        } else {
            format!("waived by {owner} until {expires}: {justification}")
        }
    }
}

/// Counts controls by status.
pub(super) fn counts<'a>(controls: impl IntoIterator<Item = &'a Control>) -> Counts {
    controls.into_iter().map(Control::status).collect()
}

impl Report {
    /// Returns the controls of all profiles.
    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.profiles.iter().flat_map(|p| &p.controls)
    }

    /// Counts the controls by status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        counts(self.controls())
    }

    /// Counts the failed controls with impact 0. Readers of exec-json show them as not applicable.
    #[must_use]
    pub fn without_impact(&self) -> usize {
        self.controls()
            .filter(|c| c.status() == Status::Failed && c.impact.is_none())
            .count()
    }
}

/// Sorts results by severity: error, failed, skipped, passed.
pub(super) fn worst_first(findings: &[Finding]) -> Vec<&Finding> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| match f.outcome.kind() {
        Outcome::Error => Status::Error,
        Outcome::Failed => Status::Failed,
        Outcome::Skipped => Status::Skipped,
        Outcome::Passed => Status::Passed,
    });
    sorted
}
