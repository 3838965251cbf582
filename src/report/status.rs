//! Owns what a control counts as: its outcome, believed only as far as its results bear it out, and its waiver.

use std::borrow::Cow;

use serde::Serialize;

use super::model::{Control, Finding, Outcome, Report, Verdict, Waiver};

/// What a control counts as, in the order of reports: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It could not be determined. No waiver covers that.
    Error,
    /// Not as expected.
    Failed,
    /// Not as expected, and somebody answers for it.
    Waived,
    /// It was not judged, and says why.
    Skipped,
    /// As expected.
    Passed,
}

impl Status {
    /// All, the worst first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Failed, Self::Waived, Self::Skipped, Self::Passed];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Waived => "waived",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
        }
    }
}

impl Control {
    /// How it came out. What its results contradict is an error: an outcome that none of them has, and passed or skipped
    /// beside one that is worse.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let has = |outcome| self.results.iter().any(|r| r.verdict.outcome() == outcome);
        let good = matches!(self.outcome, Outcome::Passed | Outcome::Skipped);
        let contradicted = good && (has(Outcome::Failed) || has(Outcome::Error));
        if has(self.outcome) && !contradicted { self.outcome } else { Outcome::Error }
    }

    /// What it counts as.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.outcome() {
            Outcome::Error => Status::Error,
            Outcome::Failed if self.waived() => Status::Waived,
            Outcome::Failed => Status::Failed,
            Outcome::Skipped => Status::Skipped,
            Outcome::Passed => Status::Passed,
        }
    }

    /// Its results, and where none says why it is an error, one that does. Never empty.
    #[must_use]
    pub fn evidence(&self) -> Cow<'_, [Finding]> {
        let told = self.results.iter().any(|r| r.verdict.outcome() == Outcome::Error);
        if self.outcome() != Outcome::Error || told {
            return Cow::Borrowed(&self.results);
        }
        let why = match self.results.len() {
            0 => "it has no result".to_owned(),
            _ => format!("it is said to be {}, which its results do not bear out", self.outcome.as_str()),
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

    fn waived(&self) -> bool {
        let valid = self.waiver.as_ref().is_some_and(|w| !w.expired);
        valid && self.results.iter().all(|r| r.verdict.outcome() != Outcome::Error)
    }
}

impl Waiver {
    /// One line about it.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { justification, owner, expires, expired } = self;
        match expired {
            false => format!("waiver of {owner} until {expires}: {justification}"),
            true => format!("the waiver of {owner} expired on {expires} and no longer counts: {justification}"),
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
    /// Not judged.
    pub skipped: usize,
    /// As expected.
    pub passed: usize,
}

impl Counts {
    /// Counts controls.
    pub fn of<'a>(controls: impl IntoIterator<Item = &'a Control>) -> Self {
        let mut out = Self::default();
        for control in controls {
            *match control.status() {
                Status::Error => &mut out.error,
                Status::Failed => &mut out.failed,
                Status::Waived => &mut out.waived,
                Status::Skipped => &mut out.skipped,
                Status::Passed => &mut out.passed,
            } += 1;
        }
        out
    }

    /// How many count as that.
    #[must_use]
    pub fn get(&self, status: Status) -> usize {
        match status {
            Status::Error => self.error,
            Status::Failed => self.failed,
            Status::Waived => self.waived,
            Status::Skipped => self.skipped,
            Status::Passed => self.passed,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        Status::ALL.iter().map(|s| self.get(*s)).sum()
    }

    /// One line, the worst first, without what there is none of.
    #[must_use]
    pub fn line(&self) -> String {
        let some = Status::ALL.iter().filter(|s| self.get(**s) > 0);
        let told: Vec<String> = some.map(|s| format!("{} {}", self.get(*s), s.as_str())).collect();
        match self.total() {
            0 => "no control was judged".to_owned(),
            1 => format!("1 control: {}", told.join(", ")),
            total => format!("{total} controls: {}", told.join(", ")),
        }
    }
}

impl Report {
    /// Every control of every profile.
    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.profiles.iter().flat_map(|p| &p.controls)
    }

    /// How many controls count as what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(self.controls())
    }

    /// How many fail that readers of exec-json take for not applicable, because their impact is 0.
    #[must_use]
    pub fn without_impact(&self) -> usize {
        self.controls().filter(|c| c.status() == Status::Failed && c.impact.is_none()).count()
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
