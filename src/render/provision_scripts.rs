//! Lists the scripts of each platform, and those that the build of an image uses.

use crate::catalog::Image;
use crate::platform::Platform;
use crate::provision::Provision;

/// Scripts of a platform.
pub(super) struct PlatformScripts {
    pub(super) apt: &'static str,
    pub(super) prepare: &'static str,
    pub(super) reboot: &'static str,
    pub(super) boot: &'static str,
    pub(super) packages: &'static str,
    pub(super) file: &'static str,
    pub(super) ansible_prepare: &'static str,
    pub(super) ansible: &'static str,
    pub(super) puppet: &'static str,
    pub(super) harden: &'static [&'static str],
    pub(super) cleanup: &'static str,
    pub(super) seal: &'static str,
}

/// Script that runs a script of the catalog, on any platform.
pub(super) const SCRIPT: &str = "templates/provision/common/script.sh";
/// First part of `prepare.sh`, which allows sudo without a terminal, on any platform.
pub(super) const SUDO: &str = "templates/provision/common/sudo.sh";
/// Script that copies a folder, on any platform.
pub(super) const TREE: &str = "templates/provision/common/tree.sh";

pub(super) fn platform_scripts(platform: Platform) -> PlatformScripts {
    match platform {
        Platform::Debian => PlatformScripts {
            apt: "templates/provision/debian/apt.sh",
            prepare: "templates/provision/debian/prepare.sh",
            reboot: "templates/provision/debian/reboot.sh",
            boot: "templates/provision/debian/boot.sh",
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
        },
    }
}

/// Returns the scripts that the build of an image uses. Other scripts are not part of its recipe.
pub(super) fn templates(image: &Image) -> Vec<&'static str> {
    let PlatformScripts {
        apt,
        prepare,
        reboot,
        boot,
        packages,
        file,
        ansible_prepare,
        ansible,
        puppet,
        harden,
        cleanup,
        seal,
    } = platform_scripts(image.platform);
    let uses = |predicate: fn(&Provision) -> bool| image.provision.iter().any(predicate);
    let mut out = vec![apt, boot, SUDO, prepare, cleanup, seal];
    out.extend(uses(|p| matches!(p, Provision::Packages(_))).then_some(packages));
    out.extend(uses(|p| matches!(p, Provision::File(_))).then_some(file));
    out.extend(uses(|p| matches!(p, Provision::Tree(_))).then_some(TREE));
    out.extend(uses(|p| matches!(p, Provision::Script(_))).then_some(SCRIPT));
    out.extend(uses(|p| matches!(p, Provision::Script(s) if s.reboot)).then_some(reboot));
    if uses(|p| matches!(p, Provision::Ansible(_))) {
        out.extend([ansible_prepare, ansible]);
    }
    out.extend(uses(|p| matches!(p, Provision::Puppet(_))).then_some(puppet));
    if image.parent().is_none() {
        out.extend(harden);
    }
    out
}
