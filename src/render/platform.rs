//! Selects the scripts of a platform, and the variables of the check that runs first.

use serde::Serialize;

use crate::catalog::{Catalog, Image};
use crate::platform::{PackageManager, Platform};

/// Check that a build runs first. Stops if the system does not belong to the platform of the
/// image.
pub(super) const CHECK: &str = "templates/provision/check-platform.sh";

/// Part of the seal that removes the files of all accounts. All platforms share it.
pub(super) const SEAL_ACCOUNTS: &str = "templates/provision/seal-accounts.sh";

/// Scripts of a platform.
pub(super) struct PlatformScripts {
    pub(super) apt: &'static str,
    pub(super) prepare: &'static str,
    pub(super) packages: &'static str,
    pub(super) file: &'static str,
    pub(super) ansible_prepare: &'static str,
    pub(super) ansible: &'static str,
    pub(super) puppet: &'static str,
    pub(super) harden: &'static [&'static str],
    pub(super) cleanup: &'static str,
    pub(super) seal: &'static str,
}

/// Scripts of Debian and Ubuntu.
const APT: PlatformScripts = PlatformScripts {
    apt: "templates/provision/debian/apt.sh",
    prepare: "templates/provision/debian/prepare.sh",
    packages: "templates/provision/debian/packages.sh",
    file: "templates/provision/debian/file.sh",
    ansible_prepare: "templates/provision/debian/ansible-prepare.sh",
    ansible: "templates/provision/debian/ansible.sh",
    puppet: "templates/provision/debian/puppet.sh",
    harden: &[
        "templates/provision/debian/harden.sh",
        "templates/provision/debian/harden-audit.sh",
        "templates/provision/debian/harden-kernel.sh",
        "templates/provision/debian/harden-login.sh",
        "templates/provision/debian/harden-files.sh",
        "templates/provision/debian/harden-ssh.sh",
        "templates/provision/debian/harden-apply.sh",
    ],
    cleanup: "templates/provision/debian/cleanup.sh",
    seal: "templates/provision/debian/seal.sh",
};

/// Scripts of Amazon Linux and the RHEL family. Scripts that need no package manager are those of
/// Debian.
const DNF: PlatformScripts = PlatformScripts {
    apt: "templates/provision/rhel/dnf.sh",
    prepare: "templates/provision/rhel/prepare.sh",
    packages: "templates/provision/rhel/packages.sh",
    file: APT.file,
    ansible_prepare: APT.ansible_prepare,
    ansible: APT.ansible,
    puppet: "templates/provision/rhel/puppet.sh",
    harden: &[
        "templates/provision/rhel/harden.sh",
        "templates/provision/debian/harden-audit.sh",
        "templates/provision/debian/harden-kernel.sh",
        "templates/provision/debian/harden-login.sh",
        "templates/provision/debian/harden-files.sh",
        "templates/provision/debian/harden-ssh.sh",
        "templates/provision/debian/harden-apply.sh",
    ],
    cleanup: "templates/provision/rhel/cleanup.sh",
    seal: "templates/provision/rhel/seal.sh",
};

pub(super) fn platform_scripts(platform: Platform) -> PlatformScripts {
    match platform.package_manager() {
        PackageManager::Apt => APT,
        PackageManager::Dnf => DNF,
    }
}

/// Variables of the check.
#[derive(Serialize)]
pub(super) struct CheckValues<'v> {
    /// Name of the image.
    image: &'v str,
    /// File of the base image, which sets the platform.
    file: &'v str,
    /// Name of the platform.
    platform: &'v str,
    /// Oldest supported major version.
    oldest: u32,
    /// All platforms with the systems that belong to them.
    platforms: Vec<PlatformIds>,
}

#[derive(Serialize)]
struct PlatformIds {
    name: &'static str,
    ids: &'static [&'static str],
}

/// Returns the variables of the check.
pub(super) fn check_values<'v>(catalog: &'v Catalog, image: &'v Image) -> CheckValues<'v> {
    let mut base = image;
    while let Some(parent) = base.parent().and_then(|name| catalog.images.get(name)) {
        base = parent;
    }
    let platforms = Platform::ALL.map(|platform| PlatformIds {
        name: platform.name(),
        ids: platform.os_ids(),
    });
    CheckValues {
        image: image.name.as_str(),
        file: &base.file,
        platform: image.platform.name(),
        oldest: image.platform.oldest_version(),
        platforms: platforms.into(),
    }
}
