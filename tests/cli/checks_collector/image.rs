//! Tests resources of image hygiene on a clean root, and again after changes that must fail.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use bakeline::checks::{Facts, Outcome};

use super::{collect_facts, judge_all, parse_controls, shells, write_file};

/// A change of a root.
type Change = fn(&Path);

/// Checks that pass on the root of [`create_clean_root`] and fail after a change.
const CHECKS: &[(&str, Change)] = &[
    (
        "{authorized_keys: all, users: {same_set: [admin]}, count: 2, comments: {include: bob@desk}}",
        |root| {
            append_file(
                root,
                "home/admin/.ssh/authorized_keys",
                "ssh-rsa AAAAKEY late\n",
            );
        },
    ),
    (
        "{authorized_keys: admin, files: {subset_of: [/home/admin/.ssh/authorized_keys]}}",
        |root| {
            write_file(
                root,
                "etc/ssh/keys/admin",
                b"ssh-rsa AAAAKEY hidden\n",
                0o600,
            );
        },
    ),
    (
        "{authorized_keys: all, unsafe: {empty: true}, options: {same_set: [\"\", \"command,no-pty\"]}}",
        |root| {
            chmod(root, "home/admin/.ssh", 0o770);
        },
    ),
    (
        "{host_keys: all, modes: {same_set: [\"0600\"]}, types: {same_set: [ed25519]}}",
        |root| {
            chmod(root, "etc/ssh/ssh_host_ed25519_key", 0o640);
        },
    ),
    ("{machine_id: this, state: empty}", |root| {
        write_file(
            root,
            "etc/machine-id",
            b"0123456789abcdef0123456789abcdef\n",
            0o444,
        )
    }),
    ("{machine_id: this, dbus: same}", |root| {
        write_file(root, "var/lib/dbus/machine-id", b"ffff\n", 0o444)
    }),
    ("{cloud_init: this, enabled: true}", |root| {
        write_file(root, "etc/cloud/cloud-init.disabled", b"", 0o644)
    }),
    ("{cloud_init: this, state: {empty: true}}", |root| {
        write_file(root, "var/lib/cloud/data/instance-id", b"i-1\n", 0o644)
    }),
    ("{cloud_init: this, earlier: {empty: true}}", |root| {
        write_file(root, "var/lib/cloud/instances/i-0/x", b"", 0o644)
    }),
    (
        "{shell_history: all, files: {disjoint: [/root/.python_history]}}",
        |root| write_file(root, "root/.python_history", b"x\n", 0o600),
    ),
    (
        "{shell_history: all, files: {disjoint: [/home/admin/.local/state/lesshst]}}",
        |root| {
            write_file(root, "home/admin/.local/state/lesshst", b"x\n", 0o600);
        },
    ),
    ("{shell_history: all}", |root| {
        append_file(root, "home/admin/.bash_history", "ls\n")
    }),
    (
        "{logs: all, files: {same_set: [/var/log/auth.log, \"/var/log/a b.log\"]}, rotated: {empty: true}}",
        |root| {
            write_file(root, "var/log/apt/term.log.1.gz", b"x", 0o640);
        },
    ),
    ("{logs: all}", |root| chmod(root, "var/log/auth.log", 0o644)),
    ("{logs: all, journals: {empty: true}}", |root| {
        write_file(
            root,
            "var/log/journal/fedcba9876543210fedcba9876543210/system.journal",
            b"x",
            0o640,
        );
    }),
    ("{build_artifacts: all, temporary: {empty: true}}", |root| {
        write_file(root, "tmp/-rf * 'x'", b"", 0o644)
    }),
    (
        "{build_artifacts: all, configuration: {empty: true}}",
        |root| write_file(root, "etc/a/x.conf.dpkg-old", b"", 0o644),
    ),
    ("{build_artifacts: all, packages: {empty: true}}", |root| {
        write_file(root, "var/lib/apt/lists/x_Packages", b"x", 0o644)
    }),
    ("{build_artifacts: all, tools: {empty: true}}", |root| {
        write_file(root, "home/admin/.ansible/tmp/x", b"", 0o644)
    }),
    (
        "{private_keys: all, files: {same_set: [/home/admin/.ssh/id]}}",
        |root| {
            write_file(
                root,
                "etc/app/x y.pem",
                b"-----BEGIN RSA PRIVATE KEY-----\nMIISECRET\n",
                0o600,
            );
        },
    ),
    ("{private_keys: all}", |root| {
        chmod(root, "home/admin/.ssh/id", 0o604)
    }),
    ("{packages: \"telnet*\", names: {empty: true}}", |root| {
        append_file(
            root,
            "var/lib/dpkg/status",
            "\nPackage: telnetd\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n",
        );
    }),
    (
        "{time_sync: this, services: {same_set: [chrony]}, servers: {same_set: [169.254.169.123]}}",
        |root| {
            fs::remove_file(root.join("etc/systemd/system/multi-user.target.wants/chrony.service"))
                .expect("the link");
        },
    ),
    (
        "{apparmor: this, profiles_on_disk: {same_set: [usr.sbin.x]}, enabled: true}",
        |root| {
            write_file(
                root,
                "etc/default/grub.d/x.cfg",
                b"GRUB_CMDLINE_LINUX=\"apparmor=0\"\n",
                0o644,
            );
        },
    ),
    (
        "{repositories: all, suites: {same_set: [bookworm]}, insecure: {empty: true}}",
        |root| {
            write_file(
                root,
                "etc/apt/sources.list.d/x.sources",
                b"Types: deb\nURIs: https://u:SECRET@x/\nSuites: y\nTrusted: yes\n",
                0o644,
            );
        },
    ),
    (
        "{cron: system, entries: {same_set: [\"5 * * * * root x --password ...\"]}, denied: {absent: true}}",
        |root| {
            write_file(root, "etc/cron.d/y", b"@reboot root y\n", 0o644);
        },
    ),
    ("{cron: admin, entries: {empty: true}}", |root| {
        write_file(root, "var/spool/cron/crontabs/admin", b"@daily z\n", 0o600)
    }),
    (
        "{firewall: nft, files: {same_set: [/etc/nftables.conf]}}",
        |root| write_file(root, "etc/nftables.conf", b"", 0o644),
    ),
];

pub(super) fn chmod(root: &Path, path: &str, mode: u32) {
    fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).expect("mode");
}

fn append_file(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    let old = fs::read_to_string(&path).expect("there is a file");
    fs::write(path, old + text).expect("file");
}

fn create_link(root: &Path, to: &str, at: &str) {
    let at = root.join(at);
    fs::create_dir_all(at.parent().expect("a parent")).expect("directory");
    symlink(to, at).expect("link");
}

/// Creates a root file system as a build should leave it. One home directory links outside.
fn create_clean_root(root: &Path, outside: &Path) {
    let uid = fs::metadata(root).expect("own").uid();
    let passwd = format!(
        "root:x:0:0::/root:/bin/sh\nadmin:x:{uid}:1::/home/admin:/bin/sh\neve:x:7:7::/home/eve:/x\n"
    );
    write_file(root, "etc/passwd", passwd.as_bytes(), 0o644);
    write_file(outside, ".bash_history", b"ls\n", 0o600);
    create_link(root, outside.to_str().expect("UTF-8"), "home/eve");
    create_keys(root);
    create_units(root);
    create_logs(root);
    create_packages(root);
    create_link(root, "/dev/null", "root/.lesshst");
    fs::create_dir(root.join("tmp")).expect("directory");
    write_file(root, "etc/apparmor.d/usr.sbin.x", b"x\n", 0o644);
    write_file(
        root,
        "etc/cron.d/x",
        b"# SECRET\n5 * * * *\troot  x --password SECRET\n",
        0o644,
    );
    write_file(root, "etc/nftables.conf", b"flush ruleset\n", 0o644);
}

/// Creates authorized keys, private keys and host keys.
fn create_keys(root: &Path) {
    let keys =
        "# bob\n\nssh-ed25519 AAAAKEY bob@desk\ncommand=\"a \\\" SECRET\",no-pty ssh-rsa AAAAKEY\n";
    write_file(
        root,
        "home/admin/.ssh/authorized_keys",
        keys.as_bytes(),
        0o600,
    );
    for (path, mode) in [("home/admin/.ssh", 0o700), ("home/admin", 0o755)] {
        chmod(root, path, mode);
    }
    write_file(
        root,
        "etc/ssh/sshd_config.d/k.conf",
        b"AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u\n",
        0o644,
    );
    let key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n";
    write_file(root, "etc/ssh/ssh_host_ed25519_key", key, 0o600);
    write_file(root, "home/admin/.ssh/id", key, 0o600);
}

/// Creates units that are enabled, and the configuration of chrony.
fn create_units(root: &Path) {
    write_file(root, "usr/bin/cloud-init", b"#!", 0o755);
    for unit in ["cloud-init", "chrony", "apparmor"] {
        write_file(
            root,
            &format!("usr/lib/systemd/system/{unit}.service"),
            b"[Unit]\n",
            0o644,
        );
        let target = if unit == "cloud-init" {
            unit
        } else {
            "multi-user"
        };
        create_link(
            root,
            &format!("/lib/systemd/system/{unit}.service"),
            &format!("etc/systemd/system/{target}.target.wants/{unit}.service"),
        );
    }
    write_file(
        root,
        "etc/chrony/sources.d/x.sources",
        b"server 169.254.169.123 prefer iburst\n",
        0o644,
    );
}

/// Creates log files, and empty files of the machine ID and the shell history.
fn create_logs(root: &Path) {
    for path in [
        "etc/machine-id",
        "var/lib/dbus/machine-id",
        "home/admin/.bash_history",
        "var/log/dpkg.log",
    ] {
        write_file(root, path, b"", 0o644);
    }
    write_file(root, "var/log/auth.log", b"x\n", 0o640);
    write_file(root, "var/log/a b.log", b"x\n", 0o644);
}

/// Creates the package database and the package sources.
fn create_packages(root: &Path) {
    write_file(
        root,
        "var/lib/dpkg/status",
        b"Package: nginx\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n",
        0o644,
    );
    write_file(
        root,
        "etc/apt/sources.list",
        b"deb [signed-by=/k.gpg] http://u:SECRET@deb.debian.org/debian bookworm main\n",
        0o644,
    );
}

fn checks_yaml() -> String {
    CHECKS
        .iter()
        .map(|(check, _)| format!("- {check}\n"))
        .collect()
}

fn assert_all(facts: &Facts, outcome: Outcome, shell: &[&str]) {
    for (verdict, (check, _)) in judge_all(&parse_controls(&checks_yaml()), facts)
        .iter()
        .zip(CHECKS)
    {
        assert_eq!(
            verdict.outcome,
            outcome,
            "{shell:?} {check}: {}",
            verdict.line()
        );
    }
}

#[test]
fn verdicts_fail_after_changes_without_leaking_secrets() {
    let controls = parse_controls(&checks_yaml());
    for shell in shells() {
        let (outside, dir) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        let root = dir.path().join("a 'root' $(x)");
        fs::create_dir(&root).expect("directory");
        create_clean_root(&root, outside.path());
        let facts = collect_facts(&shell, &controls, Some(&root));
        assert_all(&facts, Outcome::Passed, &shell);
        CHECKS.iter().for_each(|(_, change)| change(&root));
        let changed = collect_facts(&shell, &controls, Some(&root));
        assert_all(&changed, Outcome::Failed, &shell);
        let kept = format!(
            "{}{}",
            serde_json::to_string(&facts).expect("json"),
            serde_json::to_string(&changed).expect("json")
        );
        for secret in ["SECRET", "AAAAKEY", "0123456789abcdef0123456789abcdef"] {
            assert!(
                !kept.contains(secret),
                "{shell:?}: the facts contain {secret}"
            );
        }
        assert!(
            kept.contains("/home/admin/.ssh/id"),
            "the facts contain paths"
        );
    }
}
