//! Defines the state of a version.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::NameError;

/// State of a version, as in the tag `bakeline:state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not yet passed its boot checks; no lookup returns it.
    Candidate,
    /// Passed all checks.
    Released,
    /// Blocked from promotion and from builds on it.
    Held,
    /// Withdrawn with all versions built from it.
    Revoked,
    /// In retirement.
    Retiring,
}

impl State {
    /// Returns the value of the tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Released => "released",
            Self::Held => "held",
            Self::Revoked => "revoked",
            Self::Retiring => "retiring",
        }
    }
}

impl FromStr for State {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        [
            Self::Candidate,
            Self::Released,
            Self::Held,
            Self::Revoked,
            Self::Retiring,
        ]
        .into_iter()
        .find(|s| s.as_str() == text)
        .ok_or_else(|| NameError::State(text.to_owned()))
    }
}
