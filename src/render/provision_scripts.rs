//! Lists the scripts of each platform, and those that the build of an image uses.

use crate::catalog::Image;
use crate::platform::{PackageManager, Platform};
use crate::provision::Provision;

/// Scripts of a package manager. Scripts that need none are constants, and all platforms share them.
pub(super) struct PlatformScripts {
    pub(super) package_manager: &'static str,
    pub(super) prepare: &'static str,
    pub(super) boot: &'static str,
    pub(super) packages: &'static str,
    pub(super) puppet: &'static str,
    /// First script that hardens a base image. [`HARDEN`] follows.
    pub(super) harden: &'static str,
    pub(super) cleanup: &'static str,
    pub(super) seal: &'static str,
}

/// First part of `prepare.sh`. Stops if the system does not belong to the platform of the image.
pub(super) const CHECK: &str = "templates/provision/common/check-platform.sh";
/// First part of `prepare.sh`, which allows sudo without a terminal.
pub(super) const SUDO: &str = "templates/provision/common/sudo.sh";
/// Script that runs a script of the catalog.
pub(super) const SCRIPT: &str = "templates/provision/common/script.sh";
/// Script that waits for the boot after a script of the catalog.
pub(super) const REBOOT: &str = "templates/provision/common/reboot.sh";
/// Script that copies a file.
pub(super) const FILE: &str = "templates/provision/common/file.sh";
/// Script that copies a folder.
pub(super) const TREE: &str = "templates/provision/common/tree.sh";
/// Script that prepares the instance for a playbook.
pub(super) const ANSIBLE_PREPARE: &str = "templates/provision/common/ansible-prepare.sh";
/// Script that removes the files of a playbook.
pub(super) const ANSIBLE: &str = "templates/provision/common/ansible.sh";
/// Scripts that harden a base image, in order.
pub(super) const HARDEN: [&str; 6] = [
    "templates/provision/common/harden-audit.sh",
    "templates/provision/common/harden-kernel.sh",
    "templates/provision/common/harden-login.sh",
    "templates/provision/common/harden-files.sh",
    "templates/provision/common/harden-ssh.sh",
    "templates/provision/common/harden-apply.sh",
];
/// First part of `seal.sh`, which removes the files of all accounts.
pub(super) const SEAL_ACCOUNTS: &str = "templates/provision/common/seal-accounts.sh";

/// Scripts of Debian and Ubuntu.
const APT: PlatformScripts = PlatformScripts {
    package_manager: "templates/provision/debian/apt.sh",
    prepare: "templates/provision/debian/prepare.sh",
    boot: "templates/provision/debian/boot.sh",
    packages: "templates/provision/debian/packages.sh",
    puppet: "templates/provision/debian/puppet.sh",
    harden: "templates/provision/debian/harden.sh",
    cleanup: "templates/provision/debian/cleanup.sh",
    seal: "templates/provision/debian/seal.sh",
};

/// Scripts of Amazon Linux and the RHEL family.
const DNF: PlatformScripts = PlatformScripts {
    package_manager: "templates/provision/rhel/dnf.sh",
    prepare: "templates/provision/rhel/prepare.sh",
    boot: "templates/provision/rhel/boot.sh",
    packages: "templates/provision/rhel/packages.sh",
    puppet: "templates/provision/rhel/puppet.sh",
    harden: "templates/provision/rhel/harden.sh",
    cleanup: "templates/provision/rhel/cleanup.sh",
    seal: "templates/provision/rhel/seal.sh",
};

/// Returns the scripts of a platform.
pub(super) fn platform_scripts(platform: Platform) -> PlatformScripts {
    match platform.package_manager() {
        PackageManager::Apt => APT,
        PackageManager::Dnf => DNF,
    }
}

/// Returns the scripts that the build of an image uses. Other scripts are not part of its recipe.
pub(super) fn templates(image: &Image) -> Vec<&'static str> {
    let PlatformScripts {
        package_manager,
        prepare,
        boot,
        packages,
        puppet,
        harden,
        cleanup,
        seal,
    } = platform_scripts(image.platform);
    let uses = |predicate: fn(&Provision) -> bool| image.provision.iter().any(predicate);
    let mut out = vec![
        package_manager,
        CHECK,
        SUDO,
        boot,
        prepare,
        cleanup,
        SEAL_ACCOUNTS,
        seal,
    ];
    out.extend(uses(|p| matches!(p, Provision::Packages(_))).then_some(packages));
    out.extend(uses(|p| matches!(p, Provision::File(_))).then_some(FILE));
    out.extend(uses(|p| matches!(p, Provision::Tree(_))).then_some(TREE));
    out.extend(uses(|p| matches!(p, Provision::Script(_))).then_some(SCRIPT));
    out.extend(uses(|p| matches!(p, Provision::Script(s) if s.reboot)).then_some(REBOOT));
    if uses(|p| matches!(p, Provision::Ansible(_))) {
        out.extend([ANSIBLE_PREPARE, ANSIBLE]);
    }
    out.extend(uses(|p| matches!(p, Provision::Puppet(_))).then_some(puppet));
    if image.parent().is_none() {
        out.push(harden);
        out.extend(HARDEN);
    }
    out
}
