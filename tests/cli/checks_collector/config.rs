//! Tests resources of configuration files: includes, links, unreadable files and program output.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use bakeline::checks::{Facts, parse_facts};

use super::{
    NONCE, assert_verdict_lines, collect_facts, collector_script, parse_controls, run_script,
    shells, write_file,
};

/// Asserts the outcomes of checks in every shell, and that all shells collect the same facts.
#[track_caller]
fn assert_outcomes(root: &Path, rows: &[(&str, &str)]) {
    let yaml: String = rows
        .iter()
        .enumerate()
        .map(|(i, (check, _))| format!("- {{id: c{i}, {check}}}\n"))
        .collect();
    let controls = parse_controls(&yaml);
    let mut before: Option<String> = None;
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(root));
        let verdicts = super::judge_all(&controls, &facts);
        for (verdict, (check, outcome)) in verdicts.iter().zip(rows) {
            assert_eq!(
                verdict.outcome.as_str(),
                *outcome,
                "{shell:?} {check}: {}",
                verdict.line()
            );
        }
        let kept = serde_json::to_string(&facts.readings).expect("json");
        assert_eq!(*before.get_or_insert(kept.clone()), kept, "{shell:?}");
    }
}

/// Creates files with nested, quoted, hidden and conditional includes.
fn write_included_files(root: &Path) {
    let main = "# Include /etc/ssh/not.conf\n\
        Include /etc/ssh/sshd_config.d/*.conf no-such/*.conf \"with space/a b.conf\" # Include /etc/ssh/not.conf\n\
        \tINCLUDE=quoted\\ too/[ab].conf\n  \"Include\" /etc/ssh/../../../../../../up.conf\n\
        Match User x\nInclude /etc/ssh/for-some\nMatch all\nX11Forwarding no\n";
    write_file(root, "etc/ssh/sshd_config", main.as_bytes(), 0o600);
    write_file(
        root,
        "data/10-first.conf",
        b"PermitRootLogin no\r\nMaxAuthTries 2\r\n",
        0o644,
    );
    write_file(root, "data/20-out.conf", b"UseDNS no\n", 0o644);
    write_file(
        root,
        "data/20-second.conf",
        b"PermitRootLogin yes\nMaxSessions 3\nInclude nested\n",
        0o644,
    );
    write_file(
        root,
        "data/.hidden.conf",
        b"PermitRootLogin yes\nBanner hidden\n",
        0o644,
    );
    write_file(root, "data/30-other.txt", b"Banner other\n", 0o644);
    fs::create_dir(root.join("data/40-folder.conf")).expect("folder");
    symlink("/data", root.join("etc/ssh/sshd_config.d")).expect("link");
    write_file(
        root,
        "etc/ssh/nested",
        b"Include /etc/ssh/deeper\nAllowUsers a\n",
        0o644,
    );
    write_file(root, "etc/ssh/deeper", b"AllowUsers b c\n", 0o644);
    write_file(root, "etc/ssh/not.conf", b"Banner not\n", 0o644);
    write_file(
        root,
        "etc/ssh/with space/a b.conf",
        b"PrintMotd no\n",
        0o644,
    );
    write_file(
        root,
        "etc/ssh/quoted too/b.conf",
        b"StrictModes yes\n",
        0o644,
    );
    write_file(root, "up.conf", b"Compression no\n", 0o644);
    write_file(root, "etc/ssh/for-some", b"PermitTunnel no\n", 0o644);
}

#[test]
fn included_files_are_merged_in_order() {
    let (dir, outside) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let root = &dir.path().join("a [root] 'x' *");
    write_file(outside.path(), "20-out.conf", b"UseDNS yes\n", 0o644);
    write_included_files(root);
    assert_outcomes(
        root,
        &[
            (
                "sshd_config: file, PermitRootLogin: \"no\", MaxAuthTries: 2, MaxSessions: 3",
                "passed",
            ),
            (
                "sshd_config: file, AllowUsers: {same_set: [a, b, c]}",
                "passed",
            ),
            (
                "sshd_config: file, PrintMotd: \"no\", StrictModes: \"yes\", UseDNS: \"no\"",
                "passed",
            ),
            (
                "sshd_config: file, Compression: \"no\", X11Forwarding: \"no\"",
                "passed",
            ),
            ("sshd_config: file, Banner: {absent: true}", "passed"),
            ("sshd_config: file, PermitTunnel: \"no\"", "failed"),
            (
                "sshd_config: effective, PermitRootLogin: \"no\", UseDNS: \"no\"",
                "passed",
            ),
            ("sshd_config: effective, Port: 22", "error"),
            ("ssh_config: file, Port: {absent: true}", "passed"),
            ("ssh_config: effective, Port: {not: 1}", "failed"),
        ],
    );
    // A link out of the root is resolved inside it.
    fs::remove_file(root.join("etc/ssh/sshd_config.d")).expect("link");
    symlink(outside.path(), root.join("etc/ssh/sshd_config.d")).expect("link");
    assert_outcomes(
        root,
        &[(
            "sshd_config: file, UseDNS: {absent: true}, MaxSessions: {absent: true}",
            "passed",
        )],
    );
}

#[test]
fn circular_includes_are_errors() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    write_file(root, "etc/ssh/sshd_config", b"Port 22\nInclude a\n", 0o644);
    write_file(root, "etc/ssh/a", b"Include sshd_config\n", 0o644);
    symlink("loop", root.join("etc/ssh/loop")).expect("link");
    write_file(root, "etc/ssh/ssh_config", b"Include loop\n", 0o644);
    let rows = [
        ("sshd_config: file, Port: 22", "error"),
        ("ssh_config: file, Port: 22", "error"),
    ];
    assert_outcomes(root, &rows);
    let deep = |n: usize| {
        (0..n).for_each(|i| {
            write_file(
                root,
                &format!("etc/ssh/d{i}"),
                format!("Include d{}\n", i + 1).as_bytes(),
                0o644,
            )
        });
        write_file(root, &format!("etc/ssh/d{n}"), b"Port 22\n", 0o644);
        write_file(root, "etc/ssh/sshd_config", b"Include d0\n", 0o644);
    };
    deep(15);
    assert_outcomes(
        root,
        &rows[..1]
            .iter()
            .map(|(check, _)| (*check, "passed"))
            .collect::<Vec<_>>(),
    );
    deep(16);
    assert_outcomes(root, &rows[..1]);
}

#[test]
fn large_files_and_directories_are_errors() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    let big = "# x\n".repeat(300_000) + "Port 22\n";
    write_file(root, "etc/ssh/sshd_config", big.as_bytes(), 0o644);
    write_file(root, "big", big.as_bytes(), 0o644);
    write_file(root, "binary", b"a=\xff\x00\nb=1\n", 0o644);
    fs::create_dir_all(root.join("etc/audit/auditd.conf")).expect("folder");
    assert_outcomes(
        root,
        &[
            ("sshd_config: file, Port: {absent: true}", "error"),
            ("config_file: /big, x: {absent: true}", "error"),
            ("config_file: /binary, b: 1", "passed"),
            ("config_file: /etc, x: {absent: true}", "error"),
            (
                "auditd_conf: /etc/audit/auditd.conf, x: {absent: true}",
                "error",
            ),
            ("login_defs: /etc/login.defs, UMASK: {not: x}", "failed"),
            ("config_file: /none, exists: false", "passed"),
            ("config_file: /big/none, exists: false", "passed"),
        ],
    );
}

/// Returns the shells, run as an unprivileged user if the test runs as root.
fn unprivileged_shells(root: &Path) -> Vec<Vec<&'static str>> {
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("mode");
    let is_root = fs::metadata(root).expect("own").uid() == 0;
    let before: &[&str] = &[
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let add = |shell: Vec<&'static str>| {
        if is_root {
            [before, &shell].concat()
        } else {
            shell
        }
    };
    shells().into_iter().map(add).collect()
}

#[test]
fn unreadable_configuration_is_an_error_and_not_absent() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    write_file(
        root,
        "etc/ssh/sshd_config",
        b"Include /etc/ssh/closed/*.conf\nPort 22\n",
        0o644,
    );
    write_file(root, "etc/ssh/closed/a.conf", b"Port 23\n", 0o644);
    write_file(
        root,
        "etc/ssh/ssh_config",
        b"Include /etc/ssh/mute\nPort 22\n",
        0o644,
    );
    write_file(root, "etc/ssh/mute", b"Port 23\n", 0o000);
    write_file(root, "hidden/x.conf", b"a=1\n", 0o644);
    for closed in ["etc/ssh/closed", "hidden"] {
        fs::set_permissions(root.join(closed), fs::Permissions::from_mode(0o000)).expect("mode");
    }
    let controls = parse_controls(
        "- {id: folder, sshd_config: file, Port: {absent: true}}\n- {id: included, ssh_config: file, Port: 22}\n\
         - {id: file, config_file: /etc/ssh/mute, Port: {absent: true}}\n- {id: under, config_file: /hidden/x.conf, exists: false}\n\
         - {id: defs, login_defs: /hidden/x.conf, a: {absent: true}}",
    );
    for shell in unprivileged_shells(root) {
        let facts = collect_facts(&shell, &controls, Some(root));
        for verdict in super::judge_all(&controls, &facts) {
            assert_eq!(
                verdict.outcome.as_str(),
                "error",
                "{shell:?} {}",
                verdict.line()
            );
            assert!(
                verdict.line().to_lowercase().contains("permission denied"),
                "{}",
                verdict.line()
            );
        }
    }
    for closed in ["etc/ssh/closed", "hidden"] {
        fs::set_permissions(root.join(closed), fs::Permissions::from_mode(0o755)).expect("mode");
    }
}

/// Collects facts of this machine with the programs of a directory first in PATH.
fn collect_with_programs(shell: &[&str], yaml: &str, folder: &Path) -> Facts {
    let text = collector_script(&parse_controls(yaml), None);
    let path = "PATH=/usr/local/sbin";
    assert!(text.contains(path));
    parse_facts(
        NONCE,
        &run_script(
            shell,
            &text.replace(path, &format!("PATH={}:/usr/local/sbin", folder.display())),
        ),
    )
    .expect("facts")
}

#[test]
fn program_output_and_errors_are_collected() {
    let dir = tempfile::tempdir().expect("dir");
    let yaml = "- {sshd_config: effective, Port: 22}\n- {ssh_config: effective, Port: 22}\n";
    let reading_of = |facts: &Facts, kind: &str| {
        let reading = facts.reading(kind, "").expect("reading");
        let kept = serde_json::to_value(reading).expect("json");
        (
            reading.rc,
            kept["text"].as_str().expect("text").trim_end().to_owned(),
        )
    };
    for (program, rc, text) in [
        ("echo port 22; echo noise >&2", 0, "port 22"),
        (
            "[ $1 = -G ] || { echo no hostkeys available >&2; exit 1; }; echo port 23",
            0,
            "port 23",
        ),
        (
            "echo port 22; echo first >&2; echo 'last one' >&2; exit 255",
            3,
            "first\nlast one",
        ),
        (
            "[ $1 != -T ] || exit 1; read -r x && echo $x; echo port 24",
            0,
            "port 24",
        ),
    ] {
        for name in ["sshd", "ssh"] {
            write_file(
                dir.path(),
                name,
                format!("#!/bin/sh\n{program}\n").as_bytes(),
                0o755,
            );
        }
        for shell in shells() {
            let facts = collect_with_programs(&shell, yaml, dir.path());
            assert_eq!(
                reading_of(&facts, "sshd-effective"),
                (rc, text.to_owned()),
                "{shell:?} {program}"
            );
            if !program.contains("-T") {
                assert_eq!(
                    reading_of(&facts, "ssh-effective"),
                    (rc, text.to_owned()),
                    "{shell:?} {program}"
                );
            }
        }
    }
}

#[test]
fn process_arguments_are_collected_without_secrets() {
    let mut child = Command::new("sh")
        .args([
            "-c",
            "read -r line",
            "bakeline",
            "--password",
            "zq7kx-2",
            "API_TOKEN=zq7kx-3",
            "-u",
            "http://u:zq7kx-4@h/",
        ])
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh");
    // Before execve, the process has the name of the thread that created it.
    let started = || {
        fs::read(format!("/proc/{}/cmdline", child.id()))
            .is_ok_and(|line| line.starts_with(b"sh\0-c"))
    };
    for _ in 0..1000 {
        if started() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let name = fs::read_to_string(format!("/proc/{}/comm", child.id()))
        .map(|n| n.trim().to_owned())
        .unwrap_or_default();
    let controls = parse_controls(&format!(
        "- {{id: own, processes: \"{name}\", count: {{at_least: 1}}, arguments: {{any: {{match: \"bakeline --password \\\\.\\\\.\\\\. API_TOKEN=\\\\.\\\\.\\\\. -u http://\\\\.\\\\.\\\\.@h/\"}}}}}}\n\
         - {{id: none, processes: no-such-program, running: false}}"
    ));
    let found: Vec<_> = shells()
        .iter()
        .map(|shell| (collect_facts(shell, &controls, None), shell.clone()))
        .collect();
    let _ignored = child.kill();
    let _ignored = child.wait();
    for (facts, shell) in found {
        assert!(
            !serde_json::to_string(&facts)
                .expect("json")
                .contains("zq7kx"),
            "{shell:?}"
        );
        if facts.identity.virtualization == "chroot" || name.is_empty() {
            continue;
        }
        assert_verdict_lines(&controls, &facts, &["passed  own", "passed  none"], &shell);
    }
}
