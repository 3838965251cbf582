//! Owns what a plan does with an image: the word for it.

use serde::{Deserialize, Serialize};

/// What is decided about one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A new version is built.
    Build,
    /// Only the checks changed: the existing version is booted and judged again.
    Recheck,
    /// The existing version is booted and asked for pending updates.
    Probe,
    /// An existing version moves up.
    Promote,
    /// An environment goes back to an earlier version.
    Rollback,
    /// A version may not be promoted, or may be again.
    Hold,
    /// A version is withdrawn.
    Revoke,
    /// The current version stays.
    Keep,
    /// It can't be built now.
    Blocked,
}

impl Verdict {
    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Recheck => "recheck",
            Self::Probe => "probe",
            Self::Promote => "promote",
            Self::Rollback => "roll back",
            Self::Hold => "hold",
            Self::Revoke => "revoke",
            Self::Keep => "keep",
            Self::Blocked => "blocked",
        }
    }
}
