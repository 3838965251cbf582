//! Owns the verdict: four outcomes, of which "could not be determined" is never folded into passed or skipped.

use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::facts::Facts;
use super::matcher::Value;
use super::{Control, Matcher, Phase, Property, Resource};

/// How a control or one of its expectations came out, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// It can't be judged in this place, by its nature; the reason is said.
    Skipped,
    /// It could not be determined: permission denied, truncated, timed out. As bad as failed.
    Error,
    /// Not as expected.
    Failed,
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
    /// What was looked at.
    pub property: Property,
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
    /// The worst of its findings; skipped if any was and none was worse: half a judgement is none.
    pub outcome: Outcome,
    /// One per expectation.
    pub results: Vec<Finding>,
}

impl Verdict {
    /// One line, such as `failed  file:/etc/motd  mode: expected "0644", actual "0600"`.
    #[must_use]
    pub fn line(&self) -> String {
        let told: Vec<&str> = self
            .results
            .iter()
            .filter(|f| f.outcome == self.outcome && f.outcome != Outcome::Passed)
            .map(|f| f.message.as_str())
            .collect();
        format!("{:<7} {}  {}", self.outcome.as_str(), self.control, told.join("; ")).trim_end().to_owned()
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
        let counts =
            format!("{} passed, {} failed, {} skipped, {} errors", self.passed, self.failed, self.skipped, self.errors);
        match (self.judged(), self.skipped) {
            (0, 0) => "no control was judged: none is for this phase".to_owned(),
            (0, n) => format!("no control was judged: all {n} were skipped"),
            _ => counts,
        }
    }
}

/// What a resource says about one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// A value to compare.
    Value(Value),
    /// There is none, which fails every expectation, a negated one too; why.
    Missing(String),
    /// It could not be determined; why.
    Unknown(String),
    /// It can't be judged here; why.
    Skipped(String),
}

impl Observed {
    pub(crate) fn uncollected() -> Self {
        Self::Unknown("it was not collected".to_owned())
    }

    pub(crate) fn text(bytes: &[u8]) -> Self {
        Self::Value(Value::Text(Blob::new(bytes.to_vec(), false, false)))
    }

    pub(crate) fn blob(blob: &Blob) -> Self {
        if blob.withheld() {
            return Self::Unknown("it is secret and was not kept".to_owned());
        }
        if blob.truncated {
            return Self::Unknown(format!("there are more than {} bytes, too many to judge", blob.bytes().len()));
        }
        Self::Value(Value::Text(blob.clone()))
    }
}

/// Judges the controls of the phase, in their order; those of the other phase have no verdict.
#[must_use]
pub fn judge(controls: &[&Control], facts: &Facts, phase: Phase) -> Vec<Verdict> {
    controls.iter().filter(|c| c.phases.contains(&phase)).map(|c| verdict(c, facts)).collect()
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

fn verdict(control: &Control, facts: &Facts) -> Verdict {
    let mut results: Vec<Finding> = Vec::new();
    for (property, matcher) in &control.expect {
        let observed = match &control.resource {
            Resource::File(file) => file.observe(*property, facts),
            Resource::Package(package) => package.observe(*property, facts),
            Resource::Service(service) => service.observe(*property, facts),
            Resource::Command(command) => command.observe(*property, facts),
        };
        results.push(finding(*property, matcher, observed));
    }
    // A control without expectations is not one that `into_control` makes; it shows nothing, so it can't pass.
    let outcome = results.iter().map(|f| f.outcome).max().unwrap_or(Outcome::Error);
    Verdict { control: control.id.clone(), title: control.title.clone(), impact: control.impact, outcome, results }
}

fn finding(property: Property, matcher: &Matcher, observed: Observed) -> Finding {
    let expected = matcher.describe(property.kind());
    let (outcome, actual, message) = match observed {
        Observed::Missing(why) => (Outcome::Failed, None, format!("{property}: expected {expected}, but it {why}")),
        Observed::Unknown(why) => (Outcome::Error, None, format!("{property}: {why}")),
        Observed::Skipped(why) => (Outcome::Skipped, None, format!("{property}: {why}")),
        Observed::Value(value) => {
            let actual = value.shown();
            let (outcome, message) = match matcher.test(&value) {
                Err(why) => (Outcome::Error, format!("{property}: {why}")),
                Ok(fits) => (
                    if fits { Outcome::Passed } else { Outcome::Failed },
                    format!("{property}: expected {expected}, actual {actual}"),
                ),
            };
            (outcome, Some(actual), message)
        }
    };
    Finding { property, expected, actual, outcome, message }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
