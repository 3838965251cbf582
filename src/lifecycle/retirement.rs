//! Decides which retirement stages of an AMI are due: deprecate, disable, deregister.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::catalog::Retention;
use crate::lifecycle::{Record, tags};
use crate::model::{State, Timestamp};

/// Retirement stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetirementStage {
    /// Mark the AMI as deprecated in EC2. Existing users are not affected.
    Deprecate,
    /// Disable launches of the AMI. `bakeline restore` can undo it.
    Disable,
    /// Deregister the AMI and delete its snapshots.
    Deregister,
}

impl RetirementStage {
    /// Returns the name for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deprecate => "deprecate",
            Self::Disable => "disable",
            Self::Deregister => "deregister",
        }
    }
}

/// Value of the `bakeline:retiring` tag: `deprecate=TIME disable=TIME was=STATE`. Invalid parts are
/// ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetirementMarks {
    /// Time of the deprecation.
    pub deprecated: Option<Timestamp>,
    /// Time when launches were disabled.
    pub disabled: Option<Timestamp>,
    /// State before the retirement, if it was not `released`.
    pub was: Option<State>,
}

impl RetirementMarks {
    /// Parses the tag.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        for (key, value) in text
            .split_whitespace()
            .filter_map(|part| part.split_once('='))
        {
            match key {
                "deprecate" => out.deprecated = value.parse().ok(),
                "disable" => out.disabled = value.parse().ok(),
                "was" => out.was = value.parse().ok(),
                _ => {}
            }
        }
        out
    }

    /// Formats the tag.
    #[must_use]
    pub fn format(&self) -> String {
        let time = |key: &str, time: Option<Timestamp>| time.map(|t| format!("{key}={t}"));
        let was = self.was.map(|s| format!("was={}", s.as_str()));
        [
            time("deprecate", self.deprecated),
            time("disable", self.disabled),
            was,
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
    }

    /// Returns the marks of an AMI in state `retiring`, and empty marks for any other AMI.
    #[must_use]
    pub fn from_record(record: &Record<'_>) -> Self {
        if record.state == State::Retiring {
            Self::parse(record.tag(tags::RETIRING))
        } else {
            Self::default()
        }
    }
}

/// Retirement stages of an AMI that no rule keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueStages {
    /// Stages that are due now, in order.
    pub due: Vec<RetirementStage>,
    /// Next stage and the time when it is due. None after the last stage, or if the AMI stops at
    /// deprecation.
    pub upcoming: Option<(RetirementStage, Timestamp)>,
}

/// Returns the stages that are due for an AMI that no rule keeps. With `stop_at_deprecation`, the
/// AMI stays deprecated.
#[must_use]
pub fn due_stages(
    record: &Record<'_>,
    times: &Retention,
    stop_at_deprecation: bool,
    now: Timestamp,
) -> DueStages {
    let marks = RetirementMarks::from_record(record);
    let mut out = DueStages::default();
    let disabled = record.ami.status == "disabled";
    let mut disabled_since = marks.disabled.filter(|_| disabled);
    if disabled_since.is_none() {
        if !disabled {
            let deprecated = marks.deprecated.unwrap_or_else(|| {
                out.due.push(RetirementStage::Deprecate);
                now
            });
            let due = add_wait(deprecated, times.disable_after);
            if stop_at_deprecation || due > now {
                out.upcoming = (!stop_at_deprecation).then_some((RetirementStage::Disable, due));
                return out;
            }
        }
        // The AMI is disabled but has no mark: an interrupted run did it. The step is repeated and
        // writes the mark.
        out.due.push(RetirementStage::Disable);
        disabled_since = Some(now);
    }
    let due = add_wait(disabled_since.unwrap_or(now), times.deregister_after);
    if due > now {
        out.upcoming = Some((RetirementStage::Deregister, due));
    } else {
        out.due.push(RetirementStage::Deregister);
    }
    out
}

fn add_wait(time: Timestamp, wait: SignedDuration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
