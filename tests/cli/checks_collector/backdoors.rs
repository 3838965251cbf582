//! Tests shipped controls on a clean root, and again after each back door that they must find.

use std::fs;
use std::path::Path;

use bakeline::adapters::catalog_files::CatalogFiles;
use bakeline::checks::{Control, Verdict};
use bakeline::model::ImageName;

use super::image::chmod;
use super::{collect_facts, judge_all, shells, write_file};

/// Controls, and a file with content and mode that they must find.
const BACK_DOORS: &[(&[&str], &str, &str, u32)] = &[
    (
        &["sudo", "sudo-files"],
        "etc/sudoers.d/README",
        "@includedir /opt/sudo.d\n",
        0o440,
    ),
    (
        &["sudo"],
        "etc/sudoers.d/90-cloud-init-users",
        "Defaults !authenticate\n",
        0o440,
    ),
    (
        &["sshd-27"],
        "etc/ssh/sshd_config.d/x.conf",
        "Match User bob\nPasswordAuthentication yes\n",
        0o644,
    ),
    (
        &["sshd-06", "sshd-39"],
        "etc/ssh/sshd_config.d/x.conf",
        "Match Address 10.0.0.0/8\nPermitRootLogin yes\nAllowTcpForwarding local\n",
        0o644,
    ),
    (
        &["sshd-28", "sshd-42"],
        "etc/ssh/sshd_config.d/x.conf",
        "Match Group x\n permitemptypasswords TRUE\nX11Forwarding yes\n",
        0o644,
    ),
    (&["privileged-files"], "var/lib/rootsh", "x", 0o4755),
    (&["privileged-files"], "usr/local/bin/x y", "x", 0o2755),
    (&["privileged-shells"], "usr/bin/dash", "x", 0o4755),
    (&["preload"], "etc/ld.so.preload", "/opt/x.so\n", 0o644),
    (
        &["startup-umask"],
        "etc/profile.d/zz.sh",
        "umask 000\n",
        0o644,
    ),
    (
        &["startup-umask"],
        "etc/bash.bashrc",
        "if x; then umask 0002; fi\n",
        0o644,
    ),
    (
        &["startup-umask"],
        "root/.profile",
        "a && umask u=rwx,g=rwx,o=rx\n",
        0o644,
    ),
    (
        &["startup-umask"],
        "home/bob/.bashrc",
        "\tumask \"7\"\n",
        0o644,
    ),
    (
        &["pam-permit"],
        "etc/pam.d/common-auth",
        "auth\tsufficient\tpam_permit.so\n",
        0o644,
    ),
    (
        &["pam-permit"],
        "etc/pam.d/sshd",
        "-Auth [success=done default=ignore] /lib/security/pam_permit.so\n",
        0o644,
    ),
];

/// Creates a root with the files of Debian that the controls read.
fn create_clean_root(root: &Path) {
    let list = "/.\n/usr/bin/dash\n/usr/bin/su\n";
    let ssh = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\nPermitRootLogin no\n\
        PermitEmptyPasswords no\nAllowTcpForwarding no\nX11Forwarding no\n";
    let auth = "# here are the per-package modules\nauth\t[success=1 default=ignore]\tpam_unix.so nullok\n\
        auth\trequisite\t\t\tpam_deny.so\nauth\trequired\t\t\tpam_permit.so\n";
    let sudo = "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n";
    let profile = "# the default umask is set in /etc/profile; for setting the umask\n#umask 000\n\
        umask 022\n umask 0077; umask u=rwx,g=rx,o=\nUMASK=0\n";
    let cloud = "admin ALL=(ALL) NOPASSWD:ALL\n";
    for (path, text, mode) in [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\n", 0o644),
        ("etc/os-release", "ID=debian\nVERSION_ID=12\n", 0o644),
        ("var/lib/dpkg/status", "", 0o644),
        ("var/lib/dpkg/info/x.list", list, 0o644),
        ("usr/bin/su", "x", 0o4755),
        ("usr/bin/dash", "x", 0o755),
        ("etc/ssh/sshd_config", ssh, 0o600),
        ("etc/pam.d/common-auth", auth, 0o644),
        ("etc/pam.d/sshd", "@include common-auth\n", 0o644),
        ("etc/pam.d/su", "auth sufficient pam_rootok.so\n", 0o644),
        ("etc/sudoers", sudo, 0o440),
        ("etc/sudoers.d/README", "#\n", 0o440),
        ("etc/sudoers.d/90-cloud-init-users", cloud, 0o440),
        ("opt/sudo.d/x", "bob ALL=(ALL) NOPASSWD: ALL\n", 0o440),
        ("etc/profile", profile, 0o644),
        ("etc/bash.bashrc", profile, 0o644),
        ("root/.profile", profile, 0o644),
        ("home/bob/.bashrc", "umask $(umask)\n", 0o644),
    ] {
        write_file(root, path, text.as_bytes(), mode);
    }
    for directory in ["", "etc", "etc/sudoers.d", "opt", "opt/sudo.d"] {
        chmod(root, directory, 0o755);
    }
}

/// Returns the shipped controls that find a back door.
fn shipped_controls() -> Vec<Control> {
    let files = CatalogFiles::open(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the repository");
    let (catalog, problems) = bakeline::catalog::load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{problems:?}"));
    let all = catalog.controls(&ImageName::from("base-debian-12"));
    let named = |control: &Control| {
        let id = control.id.as_str();
        BACK_DOORS.iter().any(|(ids, ..)| ids.contains(&id))
    };
    all.into_iter()
        .filter(|control| named(control))
        .cloned()
        .collect()
}

/// Returns the lines of its controls for a root with a back door.
fn judge_back_door(
    shell: &[&str],
    all: &[Control],
    (ids, path, text, mode): (&[&str], &str, &str, u32),
) -> Vec<String> {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_clean_root(root);
    if root.join(path).exists() {
        fs::remove_file(root.join(path)).expect("removed");
    }
    write_file(root, path, text.as_bytes(), mode);
    let mut controls = all.to_vec();
    controls.retain(|control| ids.contains(&control.id.as_str()));
    assert_eq!(controls.len(), ids.len(), "{ids:?}");
    let verdicts = judge_all(&controls, &collect_facts(shell, &controls, Some(root)));
    verdicts.iter().map(Verdict::line).collect()
}

#[test]
fn shipped_controls_find_each_back_door() {
    let controls = shipped_controls();
    for shell in shells() {
        let dir = tempfile::tempdir().expect("dir");
        create_clean_root(dir.path());
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        for verdict in judge_all(&controls, &facts) {
            let line = verdict.line();
            assert!(line.starts_with("passed"), "{shell:?} clean: {line}");
        }
        for &(ids, path, text, mode) in BACK_DOORS {
            for line in judge_back_door(&shell, &controls, (ids, path, text, mode)) {
                assert!(line.starts_with("failed"), "{shell:?} {path}: {line}");
                let named = [path, "/opt/sudo.d/x"].iter().any(|p| line.contains(p));
                assert!(named || path.contains("preload"), "{path} in {line}");
            }
        }
    }
}
