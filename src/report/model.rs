//! Defines the model of a report: the target, its profiles, controls, results and packages.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::number::{Impact, Seconds};
use super::text::Text;
pub use crate::checks::{Outcome, Phase};
use crate::model::Timestamp;

/// Report about one target in one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of bakeline.
    pub tool: String,
    /// Name of the image or of another target.
    pub target: Text,
    /// Phase of the checks.
    pub phase: Phase,
    /// Start of the collection.
    pub started: Timestamp,
    /// Duration of the collection.
    pub seconds: Seconds,
    /// System of the target.
    pub platform: Platform,
    /// Distribution of the packages.
    pub os: Os,
    /// Profiles in the order of the image.
    pub profiles: Vec<Profile>,
    /// Installed packages.
    pub packages: Vec<Package>,
}

/// Operating system for display.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Name, such as `debian`.
    pub name: Text,
    /// Release, such as `12.7`.
    pub release: Text,
    /// Architecture, such as `x86_64`.
    pub arch: Text,
}

/// `ID` and `VERSION_ID` of os-release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// Name, such as `debian`.
    pub id: Text,
    /// Version, such as `12`; empty for releases without one, such as Debian testing.
    pub version: Text,
}

/// Profile, including the controls of the profiles that it extends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Name, unique in a report.
    pub name: String,
    /// Title in one line.
    pub title: Option<String>,
    /// Version of the profile.
    pub version: Option<String>,
    /// Purpose of the profile.
    pub summary: Option<String>,
    /// License, such as `Apache-2.0`.
    pub license: Option<String>,
    /// Maintainer.
    pub maintainer: Option<String>,
    /// SHA-256 of its content in hex.
    pub sha256: String,
    /// Path in the repository.
    pub file: String,
    /// Input values.
    pub inputs: Vec<Input>,
    /// Controls in the order of the file.
    pub controls: Vec<Control>,
}

/// Input value of a profile. A sensitive value is replaced here, so that no writer can print it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RawInput")]
pub struct Input {
    name: String,
    value: serde_json::Value,
    sensitive: bool,
}

#[derive(Deserialize)]
struct RawInput {
    name: String,
    value: serde_json::Value,
    sensitive: bool,
}

impl From<RawInput> for Input {
    fn from(raw: RawInput) -> Self {
        Self::new(raw.name, raw.value, raw.sensitive)
    }
}

impl Input {
    /// Replacement for sensitive values.
    pub const HIDDEN: &str = "***";

    /// Creates an input. Replaces a sensitive value.
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

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value, or [`Self::HIDDEN`].
    #[must_use]
    pub fn value(&self) -> &serde_json::Value {
        &self.value
    }

    /// Returns true if the value is sensitive.
    #[must_use]
    pub fn sensitive(&self) -> bool {
        self.sensitive
    }
}

/// Control with its results. [`super::json`] adds the status when it serializes a control.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Control {
    /// ID, unique in a profile.
    pub id: String,
    /// Title in one line.
    pub title: String,
    /// Rationale and remediation.
    pub desc: Option<String>,
    /// Severity of a failure, from 0.0 to 1.0.
    pub impact: Impact,
    /// Tags, such as IDs in standards.
    pub tags: BTreeMap<String, Tag>,
    /// Further reading.
    pub refs: Vec<Reference>,
    /// YAML source.
    pub code: String,
    /// Position of the source.
    pub place: Place,
    /// Waiver for failures.
    pub waiver: Option<Waiver>,
    /// True if the impact is below the gate, see [`crate::checks::Gate::tolerates`].
    #[serde(default)]
    pub tolerated: bool,
    /// Recorded outcome. Use [`Control::outcome`], which compares it with the results.
    pub outcome: Outcome,
    /// Results of the expectations.
    pub results: Vec<Finding>,
}

/// Value of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tag {
    /// Single value.
    Text(String),
    /// List of values.
    List(Vec<String>),
}

impl Tag {
    /// Returns the value, or the values separated by commas.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(list) => list.join(", "),
        }
    }
}

/// Reference to further reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// Title.
    Text(String),
    /// URL.
    Url(String),
}

/// Line of a file in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path of the file.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
}

/// Documented exception with an owner and an expiry date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Justification.
    pub justification: String,
    /// Owner.
    pub owner: String,
    /// Last day on which the waiver is valid.
    pub expires: Date,
    /// True if the waiver has expired and has no effect.
    pub expired: bool,
}

/// Result of one expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Kind of the resource, such as `file`.
    pub resource: String,
    /// Resource, such as `file /etc/shadow`.
    pub shown: Text,
    /// Property, such as `mode`.
    pub property: Text,
    /// Expected value, such as `at most 0640`.
    pub expected: Text,
    /// Actual value, if any.
    pub actual: Option<Text>,
    /// Complete result in one line.
    pub message: Text,
    /// Outcome of the expectation.
    #[serde(flatten)]
    pub outcome: FindingOutcome,
    /// Duration of the evaluation.
    pub seconds: Seconds,
}

/// Outcome of an expectation. Skipped and error outcomes have a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum FindingOutcome {
    /// The actual value is as expected.
    Passed,
    /// The actual value differs.
    Failed,
    /// The expectation does not apply to this target, or needs a manual review.
    Skipped {
        /// Reason.
        reason: Text,
    },
    /// The actual value could not be determined.
    Error {
        /// Reason.
        reason: Text,
    },
}

/// Installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Name, such as `libssl3`.
    pub name: String,
    /// Version in the format of the package manager.
    pub version: String,
    /// Architecture in the format of the package manager, such as `amd64`.
    pub arch: String,
    /// Source package, if known.
    pub source: Option<String>,
    /// Version of the source package.
    pub source_version: Option<String>,
}

impl Finding {
    /// Returns the resource and the property, such as `file /etc/shadow mode`.
    pub(super) fn subject(&self) -> String {
        format!("{} {}", self.shown, self.property)
            .trim_end()
            .to_owned()
    }
}

impl FindingOutcome {
    /// Returns the outcome without the reason.
    #[must_use]
    pub fn kind(&self) -> Outcome {
        match self {
            Self::Passed => Outcome::Passed,
            Self::Failed => Outcome::Failed,
            Self::Skipped { .. } => Outcome::Skipped,
            Self::Error { .. } => Outcome::Error,
        }
    }

    /// Returns the reason of a skipped or error outcome.
    #[must_use]
    pub fn reason(&self) -> Option<&Text> {
        match self {
            Self::Passed | Self::Failed => None,
            Self::Skipped { reason } | Self::Error { reason } => Some(reason),
        }
    }
}
