//! Owns the way out, rung by rung: where an AMI is on it, and what is due.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::catalog::Retention;
use crate::lifecycle::{Record, tags};
use crate::model::{State, Timestamp};

/// One rung of the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// EC2 says that it is deprecated; everything that uses it goes on.
    Deprecate,
    /// Nobody can launch it; it can be taken back.
    Disable,
    /// Gone, with its snapshots.
    Deregister,
}

impl Rung {
    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deprecate => "deprecate",
            Self::Disable => "disable",
            Self::Deregister => "deregister",
        }
    }
}

/// The `bakeline:retiring` tag: `deprecate=TIME disable=TIME was=STATE`; what is not understood is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Since when it is deprecated.
    pub deprecated: Option<Timestamp>,
    /// Since when it is disabled.
    pub disabled: Option<Timestamp>,
    /// The state it had before, where that was not `released`.
    pub was: Option<State>,
}

impl Marks {
    /// Reads the tag.
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

    /// Writes the tag.
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

    /// The marks of an AMI that is on the ladder.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Self {
        if record.state == State::Retiring {
            Self::parse(record.tag(tags::RETIRING))
        } else {
            Self::default()
        }
    }
}

/// What is due of an AMI that nothing keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The rungs that are due now, in order.
    pub next: Vec<Rung>,
    /// The rung after them and when it is due; none when there is none, or when it waits for a person.
    pub then: Option<(Rung, Timestamp)>,
}

/// Where an AMI that nothing keeps goes from where it is. `stops` says that it may not go beyond deprecation.
#[must_use]
pub fn way(record: &Record<'_>, times: &Retention, stops: bool, now: Timestamp) -> Way {
    let marks = Marks::of(record);
    let mut out = Way::default();
    let disabled = record.ami.status == "disabled";
    let mut disabled_since = marks.disabled.filter(|_| disabled);
    if disabled_since.is_none() {
        if !disabled {
            let deprecated = marks.deprecated.unwrap_or_else(|| {
                out.next.push(Rung::Deprecate);
                now
            });
            let due = later(deprecated, times.disable_after);
            if stops || due > now {
                out.then = (!stops).then_some((Rung::Disable, due));
                return out;
            }
        }
        // Disabled without a mark: the run that did it was cut; the step is repeated, which writes the mark.
        out.next.push(Rung::Disable);
        disabled_since = Some(now);
    }
    let due = later(disabled_since.unwrap_or(now), times.deregister_after);
    if due > now {
        out.then = Some((Rung::Deregister, due));
    } else {
        out.next.push(Rung::Deregister);
    }
    out
}

fn later(time: Timestamp, wait: SignedDuration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
