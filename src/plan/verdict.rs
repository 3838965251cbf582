//! Defines the verdict of a plan about an image.

use serde::{Deserialize, Serialize};

/// Verdict about one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanVerdict {
    /// Build a new version.
    Build,
    /// Boot and check the candidate of an earlier run, and release it.
    Adopt,
    /// Boot the existing version and judge it again, because only the checks changed.
    Recheck,
    /// Boot the existing version and look for pending updates.
    Probe,
    /// Promote an existing version.
    Promote,
    /// Roll back an environment to an earlier version.
    Rollback,
    /// Hold a version.
    Hold,
    /// Release the hold of a version.
    Unhold,
    /// Revoke a version.
    Revoke,
    /// Keep the current version.
    Keep,
    /// Do nothing, because the image cannot be built now.
    Blocked,
}

impl PlanVerdict {
    /// Returns the name for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Adopt => "adopt",
            Self::Recheck => "recheck",
            Self::Probe => "probe",
            Self::Promote => "promote",
            Self::Rollback => "roll back",
            Self::Hold => "hold",
            Self::Unhold => "release hold",
            Self::Revoke => "revoke",
            Self::Keep => "keep",
            Self::Blocked => "blocked",
        }
    }
}
