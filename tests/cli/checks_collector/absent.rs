//! Distinguishes roots without a resource from roots that cannot be read.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bakeline::checks::Outcome;

use super::image::chmod;
use super::{collect_facts, judge_all, parse_controls, shells, write_file};

/// Checks and their outcomes on a root with accounts only.
const ABSENT: &[(&str, Outcome)] = &[
    (
        "{authorized_keys: all, count: 0, files: {empty: true}, unsafe: {empty: true}}",
        Outcome::Passed,
    ),
    ("{authorized_keys: nobody, count: 0}", Outcome::Failed),
    ("{host_keys: all, files: {empty: true}}", Outcome::Passed),
    (
        "{machine_id: this, state: absent, dbus: absent}",
        Outcome::Passed,
    ),
    ("{cloud_init: this, installed: false}", Outcome::Passed),
    ("{cloud_init: this, enabled: true}", Outcome::Failed),
    ("{shell_history: all}", Outcome::Passed),
    ("{logs: all, files: {empty: true}}", Outcome::Passed),
    ("{logs: all, stale: {empty: true}}", Outcome::Skipped),
    ("{build_artifacts: all}", Outcome::Passed),
    ("{private_keys: all, files: {empty: true}}", Outcome::Passed),
    ("{credentials: all}", Outcome::Passed),
    ("{packages: x, names: {empty: true}}", Outcome::Error),
    ("{time_sync: this}", Outcome::Failed),
    ("{time_sync: this, synchronised: true}", Outcome::Skipped),
    ("{apparmor: this}", Outcome::Failed),
    ("{repositories: all, uris: {empty: true}}", Outcome::Passed),
    ("{cron: system, entries: {empty: true}}", Outcome::Passed),
    ("{cron: system, allowed: {include: root}}", Outcome::Failed),
    (
        "{firewall: iptables, files: {empty: true}}",
        Outcome::Passed,
    ),
    (
        "{firewall: iptables, rules: {empty: true}}",
        Outcome::Skipped,
    ),
    ("{port: 22}", Outcome::Skipped),
    ("{unit: ssh, ProtectSystem: strict}", Outcome::Skipped),
    ("{failed_units: all}", Outcome::Skipped),
    ("{updates: security, phase: [boot]}", Outcome::Skipped),
];

fn assert_outcomes(table: &[(&str, Outcome)], root: &Path, prefix: &[&'static str]) {
    let yaml: String = table
        .iter()
        .map(|(check, _)| format!("- {check}\n"))
        .collect();
    let controls = parse_controls(&yaml);
    for shell in shells() {
        let shell: Vec<&str> = prefix.iter().copied().chain(shell).collect();
        let facts = collect_facts(&shell, &controls, Some(root));
        for (verdict, (check, outcome)) in judge_all(&controls, &facts).iter().zip(table) {
            assert_eq!(
                verdict.outcome,
                *outcome,
                "{shell:?} {check}: {}",
                verdict.line()
            );
        }
    }
}

#[test]
fn empty_root_has_no_resources() {
    let dir = tempfile::tempdir().expect("dir");
    write_file(
        dir.path(),
        "etc/passwd",
        b"root:x:0:0::/root:/bin/sh\nx:x:1:1::/nowhere/x:/x\n",
        0o644,
    );
    assert_outcomes(ABSENT, dir.path(), &[]);
}

/// Checks that need accounts or directories, and their outcomes if the directories are unreadable.
const UNREADABLE: &[(&str, Outcome)] = &[
    ("{authorized_keys: all, count: 0}", Outcome::Error),
    ("{host_keys: all, files: {empty: true}}", Outcome::Error),
    ("{machine_id: this, dbus: absent}", Outcome::Error),
    ("{cloud_init: this, state: {empty: true}}", Outcome::Error),
    ("{shell_history: all}", Outcome::Error),
    ("{logs: all, files: {empty: true}}", Outcome::Error),
    ("{build_artifacts: all}", Outcome::Error),
    ("{private_keys: all, files: {empty: true}}", Outcome::Error),
    ("{credentials: all}", Outcome::Error),
    ("{time_sync: this}", Outcome::Error),
    ("{repositories: all, uris: {empty: true}}", Outcome::Error),
    ("{cron: system, entries: {empty: true}}", Outcome::Error),
    ("{sudoers: all, rules: {empty: true}}", Outcome::Error),
    (
        "{privileged_files: all, setuid: {empty: true}}",
        Outcome::Error,
    ),
];

#[test]
fn unreadable_directories_are_errors() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    write_file(
        root,
        "etc/passwd",
        b"root:x:0:0::/root:/bin/sh\nbob:x:5:5::/home/bob:/x\n",
        0o644,
    );
    write_file(root, "etc/sudoers", b"", 0o000);
    let closed = [
        "etc/ssh",
        "etc/cron.d",
        "etc/apt",
        "etc/systemd",
        "var/lib/cloud",
        "var/lib/dbus",
        "var/log",
        "tmp",
        "home",
        "root",
    ];
    for path in closed {
        fs::create_dir_all(root.join(path)).expect("directory");
        chmod(root, path, 0o000);
    }
    chmod(root, "", 0o755);
    // Root can read all directories. If the test runs as root, the shell therefore runs as another user.
    let other: &[&str] = &[
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let prefix = if fs::metadata(root).expect("own").uid() == 0 {
        other
    } else {
        &[]
    };
    assert_outcomes(UNREADABLE, root, prefix);
    closed.iter().for_each(|path| chmod(root, path, 0o755));
}

#[test]
fn missing_passwd_makes_home_checks_errors() {
    let dir = tempfile::tempdir().expect("dir");
    write_file(dir.path(), "root/.bash_history", b"x", 0o600);
    let table = [
        "{shell_history: all}",
        "{authorized_keys: all, count: 0}",
        "{build_artifacts: all}",
        "{private_keys: all}",
    ];
    assert_outcomes(&table.map(|check| (check, Outcome::Error)), dir.path(), &[]);
}

#[test]
fn names_with_line_breaks_are_errors() {
    let dir = tempfile::tempdir().expect("dir");
    write_file(
        dir.path(),
        "etc/passwd",
        b"root:x:0:0::/root:/bin/sh\n",
        0o644,
    );
    write_file(
        dir.path(),
        "tmp/x\n-rw------- 1 0 0 0 Jan  1 12:00 .",
        b"",
        0o644,
    );
    assert_outcomes(
        &[
            ("{build_artifacts: all}", Outcome::Error),
            ("{shell_history: all}", Outcome::Passed),
        ],
        dir.path(),
        &[],
    );
}
