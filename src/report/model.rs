//! Owns what a report is made from: profiles with their controls, how each came out, and what was inspected.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::number::{Impact, Seconds};
use super::text::Text;
pub use crate::checks::{Outcome, Phase};
use crate::model::Timestamp;

/// One inspection of one target in one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// bakeline's version.
    pub tool: String,
    /// The image, or what else was inspected.
    pub target: Text,
    /// When in the life of the image.
    pub phase: Phase,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: Seconds,
    /// The system that was inspected.
    pub platform: Platform,
    /// What its packages belong to.
    pub os: Os,
    /// What was judged, in the order of the image.
    pub profiles: Vec<Profile>,
    /// Everything installed.
    pub packages: Vec<Package>,
}

/// A system in people's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Such as `debian`.
    pub name: Text,
    /// Such as `12.7`.
    pub release: Text,
    /// Such as `x86_64`.
    pub arch: Text,
}

/// `ID` and `VERSION_ID` of os-release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// Such as `debian`.
    pub id: Text,
    /// Such as `12`; empty where there is none, as in Debian's testing.
    pub version: Text,
}

/// A profile, with everything that it extends already in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Unique in a report.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// What it is for.
    pub summary: Option<String>,
    /// Such as `Apache-2.0`.
    pub license: Option<String>,
    /// Who keeps it.
    pub maintainer: Option<String>,
    /// Of what it says, in hex.
    pub sha256: String,
    /// Its file in the repository.
    pub file: String,
    /// What it was given.
    pub inputs: Vec<Input>,
    /// In the order of the file.
    pub controls: Vec<Control>,
}

/// A value given to a profile. A sensitive one is forgotten here, so that no writer can show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "GivenInput")]
pub struct Input {
    name: String,
    value: serde_json::Value,
    sensitive: bool,
}

#[derive(Deserialize)]
struct GivenInput {
    name: String,
    value: serde_json::Value,
    sensitive: bool,
}

impl From<GivenInput> for Input {
    fn from(given: GivenInput) -> Self {
        Self::new(given.name, given.value, given.sensitive)
    }
}

impl Input {
    /// What stands for a sensitive value.
    pub const HIDDEN: &str = "***";

    /// An input and its value.
    #[must_use]
    pub fn new(name: String, value: serde_json::Value, sensitive: bool) -> Self {
        let value = if sensitive {
            Self::HIDDEN.into()
        } else {
            value
        };
        Self {
            name,
            value,
            sensitive,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, or [`Self::HIDDEN`].
    #[must_use]
    pub fn value(&self) -> &serde_json::Value {
        &self.value
    }

    /// Whether the value is kept to itself.
    #[must_use]
    pub fn sensitive(&self) -> bool {
        self.sensitive
    }
}

/// A control and how it came out. It is written with what it counts as, see [`super::json`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Control {
    /// Unique in a profile.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Why, and what to do about it.
    pub desc: Option<String>,
    /// How bad it is when it fails, 0.0 to 1.0.
    pub impact: Impact,
    /// Numbers in standards, and what else its author noted.
    pub tags: BTreeMap<String, Tag>,
    /// Where to read more.
    pub refs: Vec<Reference>,
    /// Its YAML.
    pub code: String,
    /// Where that is.
    pub place: Place,
    /// Why its failure is borne with.
    pub waiver: Option<Waiver>,
    /// Its impact is below what the gate counts, see [`crate::checks::Gate::tolerates`].
    #[serde(default)]
    pub tolerated: bool,
    /// What the judge said; ask [`Control::outcome`].
    pub outcome: Outcome,
    /// What it was made of.
    pub results: Vec<Finding>,
}

/// A tag's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tag {
    /// One.
    Text(String),
    /// Several.
    List(Vec<String>),
}

impl Tag {
    /// As one text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(list) => list.join(", "),
        }
    }
}

/// Where to read more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// A title.
    Text(String),
    /// An address.
    Url(String),
}

/// A line of a file in the repository, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its path.
    pub file: String,
    /// The line.
    pub line: u32,
}

/// A failure that somebody answers for, until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Why.
    pub justification: String,
    /// Who.
    pub owner: String,
    /// The last day.
    pub expires: Date,
    /// That day has passed: it waives nothing.
    pub expired: bool,
}

/// How one expectation came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of what was looked at, such as `file`.
    pub resource: String,
    /// What was looked at, such as `file /etc/shadow`.
    pub shown: Text,
    /// What of it, such as `mode`.
    pub property: Text,
    /// What was expected, such as `at most 0640`.
    pub expected: Text,
    /// What was found, if anything.
    pub actual: Option<Text>,
    /// The whole of it on one line.
    pub message: Text,
    /// How it came out.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long that took.
    pub seconds: Seconds,
}

/// How one expectation came out; what was not judged always says why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed,
    /// It can't be judged here, or by a machine.
    Skipped {
        /// Why.
        reason: Text,
    },
    /// It could not be determined.
    Error {
        /// Why.
        reason: Text,
    },
}

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Such as `libssl3`.
    pub name: String,
    /// As its package manager writes it.
    pub version: String,
    /// As its package manager writes it, such as `amd64`.
    pub arch: String,
    /// The source package it was built from, where that is known.
    pub source: Option<String>,
    /// Its version.
    pub source_version: Option<String>,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Passed => Outcome::Passed,
            Self::Failed => Outcome::Failed,
            Self::Skipped { .. } => Outcome::Skipped,
            Self::Error { .. } => Outcome::Error,
        }
    }

    /// Why it was not judged.
    #[must_use]
    pub fn reason(&self) -> Option<&Text> {
        match self {
            Self::Passed | Self::Failed => None,
            Self::Skipped { reason } | Self::Error { reason } => Some(reason),
        }
    }
}
