//! Defines the phases in which controls are judged.

use serde::{Deserialize, Serialize};

/// Point in time at which a control is judged.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Inside the Packer build, before the AMI exists.
    Build,
    /// On a new instance of the finished AMI.
    Boot,
}

impl Phase {
    /// Returns the name in YAML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Boot => "boot",
        }
    }
}
