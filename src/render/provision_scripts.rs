//! Lists the scripts of each platform, and those that the build of an image uses.

use crate::catalog::Image;
use crate::platform::{PackageManager, Platform};
use crate::provision::Provision;

/// Scripts of a package manager. All platforms share the others, which are constants.
pub(super) struct PlatformScripts {
    /// Function that runs the package manager and waits for its locks.
    pub(super) package_manager: &'static str,
    /// Functions for packages, which use it. The other scripts include both files.
    pub(super) functions: &'static str,
    /// First script that hardens a base image. [`HARDEN`] follows.
    pub(super) harden: &'static str,
}

/// First part of `prepare.sh`. Stops if the system does not belong to the platform of the image.
pub(super) const CHECK: &str = "templates/provision/common/check-platform.sh";
/// First part of `prepare.sh`, which allows sudo without a terminal.
pub(super) const SUDO: &str = "templates/provision/common/sudo.sh";
/// Script that updates a new instance.
pub(super) const PREPARE: &str = "templates/provision/common/prepare.sh";
/// Part of [`PREPARE`] and [`REBOOT`], which waits for the jobs of the boot.
pub(super) const BOOT: &str = "templates/provision/common/boot.sh";
/// Script that installs packages.
pub(super) const PACKAGES: &str = "templates/provision/common/packages.sh";
/// Script that applies a Puppet manifest.
pub(super) const PUPPET: &str = "templates/provision/common/puppet.sh";
/// Script that removes files of the build, before the checks.
pub(super) const CLEANUP: &str = "templates/provision/common/cleanup.sh";
/// Script that removes keys, identity and history, after the checks.
pub(super) const SEAL: &str = "templates/provision/common/seal.sh";
/// Script that runs a script of the catalog.
pub(super) const SCRIPT: &str = "templates/provision/common/script.sh";
/// Parts of [`PREPARE`] and [`REBOOT`] for the kernel of a base image: before the update, after it,
/// and before the wait for the boot.
pub(super) const KERNEL: [&str; 3] = [
    "templates/provision/common/kernel-before.sh",
    "templates/provision/common/kernel-after.sh",
    "templates/provision/common/kernel-wait.sh",
];
/// Script that waits for the boot after a reboot.
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
    functions: "templates/provision/debian/functions.sh",
    harden: "templates/provision/debian/harden.sh",
};

/// Scripts of Amazon Linux and the RHEL family.
const DNF: PlatformScripts = PlatformScripts {
    package_manager: "templates/provision/rhel/dnf.sh",
    functions: "templates/provision/rhel/functions.sh",
    harden: "templates/provision/rhel/harden.sh",
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
    let scripts = platform_scripts(image.platform);
    let uses = |predicate: fn(&Provision) -> bool| image.provision.iter().any(predicate);
    let mut out = vec![
        scripts.package_manager,
        scripts.functions,
        CHECK,
        SUDO,
        BOOT,
        PREPARE,
        CLEANUP,
        SEAL_ACCOUNTS,
        SEAL,
    ];
    out.extend(uses(|p| matches!(p, Provision::Packages(_))).then_some(PACKAGES));
    out.extend(uses(|p| matches!(p, Provision::File(_))).then_some(FILE));
    out.extend(uses(|p| matches!(p, Provision::Tree(_))).then_some(TREE));
    out.extend(uses(|p| matches!(p, Provision::Script(_))).then_some(SCRIPT));
    let is_base = image.parent().is_none();
    let may_reboot = is_base || uses(|p| matches!(p, Provision::Script(s) if s.reboot));
    out.extend(may_reboot.then_some(REBOOT));
    if uses(|p| matches!(p, Provision::Ansible(_))) {
        out.extend([ANSIBLE_PREPARE, ANSIBLE]);
    }
    out.extend(uses(|p| matches!(p, Provision::Puppet(_))).then_some(PUPPET));
    if is_base {
        out.extend(KERNEL);
        out.push(scripts.harden);
        out.extend(HARDEN);
    }
    out
}
