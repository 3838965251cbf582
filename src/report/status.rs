//! Owns what a report's control counts as: the decision of [`Status::from_outcome`] on what the model says, and its evidence.

use std::borrow::Cow;

use super::model::{Control, Finding, Outcome, Report, Verdict, Waiver};
pub use crate::checks::{Counts, Status};

impl Control {
    /// How it came out, as far as its results bear that out; else an error.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome.verify(&self.outcomes())
    }

    /// What it counts as.
    #[must_use]
    pub fn status(&self) -> Status {
        let waived = self.waiver.as_ref().is_some_and(|w| !w.expired);
        Status::from_outcome(self.outcome, &self.outcomes(), waived, self.tolerated)
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.results.iter().map(|r| r.verdict.outcome()).collect()
    }

    /// Its results, and where none says why it is an error, one that does. Never empty.
    #[must_use]
    pub fn evidence(&self) -> Cow<'_, [Finding]> {
        let told = self
            .results
            .iter()
            .any(|r| r.verdict.outcome() == Outcome::Error);
        if self.outcome() != Outcome::Error || told {
            return Cow::Borrowed(&self.results);
        }
        let why = match self.results.len() {
            0 => "it has no result".to_owned(),
            _ => format!(
                "it is said to be {}, which its results do not bear out",
                self.outcome.as_str()
            ),
        };
        let mut out = self.results.clone();
        out.push(Finding {
            resource: "control".to_owned(),
            shown: format!("control {}", self.id).into(),
            property: "results".into(),
            expected: "an outcome that follows from its results".into(),
            actual: None,
            message: why.as_str().into(),
            verdict: Verdict::Error { reason: why.into() },
            seconds: 0.0.into(),
        });
        Cow::Owned(out)
    }
}

impl Waiver {
    /// One line about it.
    #[must_use]
    pub fn line(&self) -> String {
        let Self {
            justification,
            owner,
            expires,
            expired,
        } = self;
        match expired {
            false => format!("waiver of {owner} until {expires}: {justification}"),
            true => format!(
                "the waiver of {owner} expired on {expires} and no longer counts: {justification}"
            ),
        }
    }
}

/// How many controls count as what.
pub(super) fn counts<'a>(controls: impl IntoIterator<Item = &'a Control>) -> Counts {
    controls.into_iter().map(Control::status).collect()
}

impl Report {
    /// Every control of every profile.
    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.profiles.iter().flat_map(|p| &p.controls)
    }

    /// How many controls count as what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        counts(self.controls())
    }

    /// How many fail that readers of exec-json take for not applicable, because their impact is 0.
    #[must_use]
    pub fn without_impact(&self) -> usize {
        self.controls()
            .filter(|c| c.status() == Status::Failed && c.impact.is_none())
            .count()
    }
}

/// Results in the order of reports.
pub(super) fn worst_first(findings: &[Finding]) -> Vec<&Finding> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| match f.verdict.outcome() {
        Outcome::Error => Status::Error,
        Outcome::Failed => Status::Failed,
        Outcome::Skipped => Status::Skipped,
        Outcome::Passed => Status::Passed,
    });
    sorted
}
