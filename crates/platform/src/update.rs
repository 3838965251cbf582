//! Defines a pending update, and the error of text that breaks the rules of a platform.

use serde::{Deserialize, Serialize};

/// Text that does not follow the rules of a platform, with the reason as a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlatformError(pub String);

/// A pending update of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Update {
    /// Name of the package.
    pub package: String,
    /// Installed version. Empty for a new package.
    pub current: String,
    /// Version of the update.
    pub candidate: String,
    /// Origin of the update, in the notation of the platform.
    pub origin: String,
    /// True if the origin publishes security updates, or an advisory of type security names the
    /// update.
    pub security: bool,
}
