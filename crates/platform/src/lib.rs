//! Owns what an OS family must answer: login user, package names, template folder.

mod apt;
pub mod debian;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text that does not follow the rules of a platform, with the reason as a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlatformError(pub String);

/// One package that could be newer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Update {
    /// The package.
    pub package: String,
    /// The installed version; empty for a package that an update would add.
    pub current: String,
    /// The version there is.
    pub candidate: String,
    /// Where it comes from, in the platform's words.
    pub origin: String,
    /// Whether it comes from where the vendor publishes security updates.
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
    /// The folder under `templates/provision/`.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Debian => debian::FOLDER,
        }
    }

    /// The user that the vendor's AMIs let in with the key pair.
    #[must_use]
    pub fn login_user(self) -> &'static str {
        match self {
            Self::Debian => debian::LOGIN_USER,
        }
    }

    /// The user data of a temporary instance: it ends itself after so many hours, also when nobody is left to do it.
    /// (Such instances are launched with shutdown behaviour `terminate`.)
    #[must_use]
    pub fn deadline(self, hours: i64) -> String {
        match self {
            Self::Debian => debian::deadline(hours),
        }
    }

    /// The user data of an instance that is checked: the [deadline](Platform::deadline), and the keys that it is to prove
    /// itself with: kind (`ed25519`), private and public half of each.
    #[must_use]
    pub fn first_boot(self, hours: i64, host_keys: &[(&str, &str, &str)]) -> String {
        match self {
            Self::Debian => debian::first_boot(hours, host_keys),
        }
    }

    /// Checks a package as it is written in the catalog.
    ///
    /// # Errors
    /// What is wrong, as a fragment.
    pub fn check_package(self, text: &str) -> Result<(), PlatformError> {
        match self {
            Self::Debian => debian::check_package(text),
        }
    }

    /// The order of two versions of a package.
    #[must_use]
    pub fn compare_versions(self, a: &str, b: &str) -> std::cmp::Ordering {
        match self {
            Self::Debian => debian::compare_versions(a, b),
        }
    }

    /// What to run as root to learn which updates are pending; it installs nothing.
    #[must_use]
    pub fn pending_script(self) -> String {
        match self {
            Self::Debian => apt::script(),
        }
    }

    /// Reads the answer to [`Platform::pending_script`].
    ///
    /// # Errors
    /// It failed, is cut off, or says something unknown: never taken for "nothing pending".
    pub fn parse_pending(self, out: &str) -> Result<Vec<Update>, PlatformError> {
        match self {
            Self::Debian => apt::parse(out),
        }
    }

    /// Reads what a simulated upgrade says it would install.
    ///
    /// # Errors
    /// It says something unknown.
    pub fn parse_upgrade(self, out: &str) -> Result<Vec<Update>, PlatformError> {
        match self {
            Self::Debian => apt::upgrade(out),
        }
    }
}
