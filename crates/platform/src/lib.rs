//! Defines platforms: login user, package syntax, user data and pending updates of an OS family.

mod apt;
pub mod debian;
pub mod rpm;
mod shell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use shell::sh_quote;

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
    /// True if the origin publishes security updates.
    pub security: bool,
}

/// An OS family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Debian and its derivatives: dpkg, apt, systemd.
    #[default]
    Debian,
}

impl Platform {
    /// Returns the directory in `templates/provision/`.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Debian => debian::FOLDER,
        }
    }

    /// Returns the login user of vendor AMIs.
    #[must_use]
    pub fn login_user(self) -> &'static str {
        match self {
            Self::Debian => debian::LOGIN_USER,
        }
    }

    /// Returns user data for a temporary instance. It powers off after `hours`, also without
    /// bakeline.
    ///
    /// Temporary instances are launched with shutdown behavior `terminate`.
    #[must_use]
    pub fn deadline(self, hours: i64) -> String {
        match self {
            Self::Debian => debian::deadline(hours),
        }
    }

    /// Returns user data for an instance that is checked: the [deadline](Platform::deadline) and
    /// its host keys.
    ///
    /// Each key has a kind (`ed25519`), the private part and the public part.
    #[must_use]
    pub fn first_boot(self, hours: i64, host_keys: &[(&str, &str, &str)]) -> String {
        match self {
            Self::Debian => debian::first_boot(hours, host_keys),
        }
    }

    /// Checks the syntax of a package in the catalog.
    ///
    /// # Errors
    /// Returns the problem as a fragment of a sentence.
    pub fn check_package(self, text: &str) -> Result<(), PlatformError> {
        match self {
            Self::Debian => debian::check_package(text),
        }
    }

    /// Compares two versions of a package.
    #[must_use]
    pub fn compare_versions(self, a: &str, b: &str) -> std::cmp::Ordering {
        match self {
            Self::Debian => debian::compare_versions(a, b),
        }
    }

    /// Returns a script that lists pending updates and installs nothing. It needs root.
    #[must_use]
    pub fn pending_script(self) -> String {
        match self {
            Self::Debian => apt::pending_script(),
        }
    }

    /// Parses the output of [`Platform::pending_script`].
    ///
    /// # Errors
    /// Fails if the script failed or its output is incomplete or unknown. None of these means "no
    /// updates".
    pub fn parse_pending(self, out: &str) -> Result<Vec<Update>, PlatformError> {
        match self {
            Self::Debian => apt::parse_pending(out),
        }
    }

    /// Parses the output of a simulated upgrade.
    ///
    /// # Errors
    /// Fails for unknown output.
    pub fn parse_upgrade(self, out: &str) -> Result<Vec<Update>, PlatformError> {
        match self {
            Self::Debian => apt::parse_upgrade(out),
        }
    }
}
