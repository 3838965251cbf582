//! Defines platforms: login user, package syntax, user data and pending updates of an OS family.

mod apt;
pub mod debian;
mod dnf;
mod pending;
pub mod rpm;
mod shell;
#[cfg(test)]
mod tests;
mod update;
mod user_data;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use shell::sh_quote;
pub use update::{PlatformError, Update};

/// An OS family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Debian and its derivatives: dpkg, apt, systemd. Login user `admin`.
    #[default]
    Debian,
    /// Ubuntu: dpkg, apt, systemd. Login user `ubuntu`.
    Ubuntu,
    /// Amazon Linux 2023: rpm, dnf, systemd. Login user `ec2-user`.
    AmazonLinux,
    /// RHEL, CentOS Stream, Rocky Linux and AlmaLinux from version 9: rpm, dnf, systemd. Login user
    /// `ec2-user`.
    Rhel,
}

/// Package manager of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageManager {
    /// dpkg and apt.
    Apt,
    /// rpm and dnf.
    Dnf,
}

impl Platform {
    /// All platforms.
    pub const ALL: [Self; 4] = [Self::Debian, Self::Ubuntu, Self::AmazonLinux, Self::Rhel];

    /// Returns the name in the catalog.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
            Self::AmazonLinux => "amazon-linux",
            Self::Rhel => "rhel",
        }
    }

    /// Returns the package manager.
    #[must_use]
    pub fn package_manager(self) -> PackageManager {
        match self {
            Self::Debian | Self::Ubuntu => PackageManager::Apt,
            Self::AmazonLinux | Self::Rhel => PackageManager::Dnf,
        }
    }

    /// Returns the login user of vendor AMIs.
    ///
    /// Sources: Amazon EC2 User Guide, "Manage system users on your Amazon EC2 Linux instance"
    /// (`admin`, `ubuntu`, `ec2-user`), and wiki.almalinux.org/cloud/AWS.html (`ec2-user`). The
    /// AMIs of Rocky Linux have the user `rocky` (Amazon EC2 User Guide, the same page).
    #[must_use]
    pub fn login_user(self) -> &'static str {
        match self {
            Self::Debian => "admin",
            Self::Ubuntu => "ubuntu",
            Self::AmazonLinux | Self::Rhel => "ec2-user",
        }
    }

    /// Returns the values of `ID` in os-release(5) that belong to the platform.
    #[must_use]
    pub fn os_ids(self) -> &'static [&'static str] {
        match self {
            Self::Debian => &["debian"],
            Self::Ubuntu => &["ubuntu"],
            Self::AmazonLinux => &["amzn"],
            Self::Rhel => &["rhel", "centos", "rocky", "almalinux"],
        }
    }

    /// Returns the oldest supported major version, the first number of `VERSION_ID`. Earlier
    /// versions of Amazon Linux have yum instead of dnf, and RHEL 8 has no sshd_config.d.
    #[must_use]
    pub fn oldest_version(self) -> u32 {
        match self {
            Self::Debian | Self::Ubuntu => 0,
            Self::AmazonLinux => 2023,
            Self::Rhel => 9,
        }
    }

    /// Returns the package syntax, as a fragment of a hint.
    #[must_use]
    pub fn package_syntax(self) -> &'static str {
        match self.package_manager() {
            PackageManager::Apt => "a package name, `name=version` or `name=1.22.*`",
            PackageManager::Dnf => {
                "a package name, `name-version-release`, `name-1.22.*` or `name.arch`"
            }
        }
    }

    /// Returns user data for a temporary instance. It powers off after `hours`, also without
    /// bakeline.
    ///
    /// Temporary instances are launched with shutdown behavior `terminate`.
    #[must_use]
    pub fn deadline(self, hours: i64) -> String {
        user_data::deadline(hours)
    }

    /// Returns user data for an instance that is checked: the [deadline](Platform::deadline) and
    /// its host keys.
    ///
    /// Each key has a kind (`ed25519`), the private part and the public part.
    #[must_use]
    pub fn first_boot(self, hours: i64, host_keys: &[(&str, &str, &str)]) -> String {
        user_data::first_boot(hours, host_keys)
    }

    /// Checks the syntax of a package in the catalog.
    ///
    /// # Errors
    /// Returns the problem as a fragment of a sentence.
    pub fn check_package(self, text: &str) -> Result<(), PlatformError> {
        match self.package_manager() {
            PackageManager::Apt => debian::check_package(text),
            PackageManager::Dnf => dnf::check_package(text),
        }
    }

    /// Compares two versions of a package.
    #[must_use]
    pub fn compare_versions(self, a: &str, b: &str) -> std::cmp::Ordering {
        match self.package_manager() {
            PackageManager::Apt => debian::compare_versions(a, b),
            PackageManager::Dnf => rpm::compare_versions(a, b),
        }
    }

    /// Returns further options of dnf. AL2023 installs only packages of the release of its AMI,
    /// unless the release is given (Amazon Linux 2023 User Guide, "Deterministic upgrades").
    #[must_use]
    pub fn release_options(self) -> &'static str {
        match self {
            Self::AmazonLinux => "--releasever=latest",
            Self::Debian | Self::Ubuntu | Self::Rhel => "",
        }
    }

    /// Returns a script that lists pending updates and installs nothing. It needs root.
    #[must_use]
    pub fn pending_script(self) -> String {
        match self.package_manager() {
            PackageManager::Apt => apt::pending_script(),
            PackageManager::Dnf => dnf::pending_script(self.release_options()),
        }
    }

    /// Parses the output of [`Platform::pending_script`].
    ///
    /// # Errors
    /// Fails if the script failed or its output is incomplete or unknown. None of these means "no
    /// updates".
    pub fn parse_pending(self, out: &str) -> Result<Vec<Update>, PlatformError> {
        match self.package_manager() {
            PackageManager::Apt => apt::parse_pending(out),
            PackageManager::Dnf => dnf::parse_pending(out),
        }
    }

    /// Parses the list of updates that [`Platform::pending_script`] prints: the output of a
    /// simulated upgrade of apt, or lines such as `Update bash.x86_64 5.1-1 5.1-2 baseos other`.
    ///
    /// # Errors
    /// Fails for unknown output.
    pub fn parse_upgrade(self, out: &str) -> Result<Vec<Update>, PlatformError> {
        match self.package_manager() {
            PackageManager::Apt => apt::parse_upgrade(out),
            PackageManager::Dnf => dnf::parse_upgrade(out),
        }
    }
}
