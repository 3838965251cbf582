//! Configuration files as real shells find them: what they include, links, what may not be read, and programs that are asked.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use bakeline::checks::{Facts, parse_facts};

use super::{NONCE, assert_lines, collect, controls, run, script, shells, write};

/// Judges checks of a root in every shell; all shells must have found the same.
#[track_caller]
fn assert_found(root: &Path, rows: &[(&str, &str)]) {
    let yaml: String = rows
        .iter()
        .enumerate()
        .map(|(i, (check, _))| format!("- {{id: c{i}, {check}}}\n"))
        .collect();
    let controls = controls(&yaml);
    let mut before: Option<String> = None;
    for shell in shells() {
        let facts = collect(&shell, &controls, Some(root));
        let verdicts = super::verdicts(&controls, &facts);
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

#[test]
fn what_a_configuration_includes_is_found_in_place() {
    let (dir, outside) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let root = &dir.path().join("a [root] 'x' *");
    write(outside.path(), "20-out.conf", b"UseDNS yes\n", 0o644);
    let main = "# Include /etc/ssh/not.conf\n\
        Include /etc/ssh/sshd_config.d/*.conf no-such/*.conf \"with space/a b.conf\" # Include /etc/ssh/not.conf\n\
        \tINCLUDE=quoted\\ too/[ab].conf\n  \"Include\" /etc/ssh/../../../../../../up.conf\n\
        Match User x\nInclude /etc/ssh/for-some\nMatch all\nX11Forwarding no\n";
    write(root, "etc/ssh/sshd_config", main.as_bytes(), 0o600);
    write(
        root,
        "data/10-first.conf",
        b"PermitRootLogin no\r\nMaxAuthTries 2\r\n",
        0o644,
    );
    write(root, "data/20-out.conf", b"UseDNS no\n", 0o644);
    write(
        root,
        "data/20-second.conf",
        b"PermitRootLogin yes\nMaxSessions 3\nInclude nested\n",
        0o644,
    );
    write(
        root,
        "data/.hidden.conf",
        b"PermitRootLogin yes\nBanner hidden\n",
        0o644,
    );
    write(root, "data/30-other.txt", b"Banner other\n", 0o644);
    fs::create_dir(root.join("data/40-folder.conf")).expect("folder");
    symlink("/data", root.join("etc/ssh/sshd_config.d")).expect("link");
    write(
        root,
        "etc/ssh/nested",
        b"Include /etc/ssh/deeper\nAllowUsers a\n",
        0o644,
    );
    write(root, "etc/ssh/deeper", b"AllowUsers b c\n", 0o644);
    write(root, "etc/ssh/not.conf", b"Banner not\n", 0o644);
    write(
        root,
        "etc/ssh/with space/a b.conf",
        b"PrintMotd no\n",
        0o644,
    );
    write(
        root,
        "etc/ssh/quoted too/b.conf",
        b"StrictModes yes\n",
        0o644,
    );
    write(root, "up.conf", b"Compression no\n", 0o644);
    write(root, "etc/ssh/for-some", b"PermitTunnel no\n", 0o644);
    assert_found(
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
    // A link out of the directory is followed inside it.
    fs::remove_file(root.join("etc/ssh/sshd_config.d")).expect("link");
    symlink(outside.path(), root.join("etc/ssh/sshd_config.d")).expect("link");
    assert_found(
        root,
        &[(
            "sshd_config: file, UseDNS: {absent: true}, MaxSessions: {absent: true}",
            "passed",
        )],
    );
}

#[test]
fn files_that_include_each_other_come_to_an_end() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    write(root, "etc/ssh/sshd_config", b"Port 22\nInclude a\n", 0o644);
    write(root, "etc/ssh/a", b"Include sshd_config\n", 0o644);
    symlink("loop", root.join("etc/ssh/loop")).expect("link");
    write(root, "etc/ssh/ssh_config", b"Include loop\n", 0o644);
    let rows = [
        ("sshd_config: file, Port: 22", "error"),
        ("ssh_config: file, Port: 22", "error"),
    ];
    assert_found(root, &rows);
    let deep = |n: usize| {
        (0..n).for_each(|i| {
            write(
                root,
                &format!("etc/ssh/d{i}"),
                format!("Include d{}\n", i + 1).as_bytes(),
                0o644,
            )
        });
        write(root, &format!("etc/ssh/d{n}"), b"Port 22\n", 0o644);
        write(root, "etc/ssh/sshd_config", b"Include d0\n", 0o644);
    };
    deep(15);
    assert_found(
        root,
        &rows[..1]
            .iter()
            .map(|(check, _)| (*check, "passed"))
            .collect::<Vec<_>>(),
    );
    deep(16);
    assert_found(root, &rows[..1]);
}

#[test]
fn what_is_too_big_or_of_another_kind_is_an_error() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    let big = "# x\n".repeat(300_000) + "Port 22\n";
    write(root, "etc/ssh/sshd_config", big.as_bytes(), 0o644);
    write(root, "big", big.as_bytes(), 0o644);
    write(root, "binary", b"a=\xff\x00\nb=1\n", 0o644);
    fs::create_dir_all(root.join("etc/audit/auditd.conf")).expect("folder");
    assert_found(
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

/// As root, shells of somebody who may not read everything.
fn as_nobody(root: &Path) -> Vec<Vec<&'static str>> {
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
fn what_may_not_be_read_is_never_taken_for_absent() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    write(
        root,
        "etc/ssh/sshd_config",
        b"Include /etc/ssh/closed/*.conf\nPort 22\n",
        0o644,
    );
    write(root, "etc/ssh/closed/a.conf", b"Port 23\n", 0o644);
    write(
        root,
        "etc/ssh/ssh_config",
        b"Include /etc/ssh/mute\nPort 22\n",
        0o644,
    );
    write(root, "etc/ssh/mute", b"Port 23\n", 0o000);
    write(root, "hidden/x.conf", b"a=1\n", 0o644);
    for closed in ["etc/ssh/closed", "hidden"] {
        fs::set_permissions(root.join(closed), fs::Permissions::from_mode(0o000)).expect("mode");
    }
    let controls = controls(
        "- {id: folder, sshd_config: file, Port: {absent: true}}\n- {id: included, ssh_config: file, Port: 22}\n\
         - {id: file, config_file: /etc/ssh/mute, Port: {absent: true}}\n- {id: under, config_file: /hidden/x.conf, exists: false}\n\
         - {id: defs, login_defs: /hidden/x.conf, a: {absent: true}}",
    );
    for shell in as_nobody(root) {
        let facts = collect(&shell, &controls, Some(root));
        for verdict in super::verdicts(&controls, &facts) {
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

/// Facts of this machine with programs of a folder in place of its own.
fn with_programs(shell: &[&str], yaml: &str, folder: &Path) -> Facts {
    let text = script(&controls(yaml), None);
    let path = "PATH=/usr/local/sbin";
    assert!(text.contains(path));
    parse_facts(
        NONCE,
        &run(
            shell,
            &text.replace(path, &format!("PATH={}:/usr/local/sbin", folder.display())),
        ),
    )
    .expect("facts")
}

#[test]
fn the_programs_are_asked_and_what_they_refuse_is_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let yaml = "- {sshd_config: effective, Port: 22}\n- {ssh_config: effective, Port: 22}\n";
    let told = |facts: &Facts, kind: &str| {
        let reading = facts.reading(kind, "").expect("an answer");
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
            write(
                dir.path(),
                name,
                format!("#!/bin/sh\n{program}\n").as_bytes(),
                0o755,
            );
        }
        for shell in shells() {
            let facts = with_programs(&shell, yaml, dir.path());
            assert_eq!(
                told(&facts, "sshd-effective"),
                (rc, text.to_owned()),
                "{shell:?} {program}"
            );
            if !program.contains("-T") {
                assert_eq!(
                    told(&facts, "ssh-effective"),
                    (rc, text.to_owned()),
                    "{shell:?} {program}"
                );
            }
        }
    }
}

#[test]
fn processes_are_seen_without_their_secrets() {
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
    // Until it is the program, its name is that of the thread that made it.
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
    let controls = controls(&format!(
        "- {{id: own, processes: \"{name}\", count: {{at_least: 1}}, arguments: {{any: {{match: \"bakeline --password \\\\.\\\\.\\\\. API_TOKEN=\\\\.\\\\.\\\\. -u http://\\\\.\\\\.\\\\.@h/\"}}}}}}\n\
         - {{id: none, processes: no-such-program, running: false}}"
    ));
    let found: Vec<_> = shells()
        .iter()
        .map(|shell| (collect(shell, &controls, None), shell.clone()))
        .collect();
    drop(child.kill());
    drop(child.wait());
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
        assert_lines(&controls, &facts, &["passed  own", "passed  none"], &shell);
    }
}

/// A shell for which a folder is /etc/ssh, and sshd finds what it needs to tell its options; none where that can't be made.
fn with_own_folder(root: &Path) -> Option<Vec<String>> {
    let ssh = root.join("etc/ssh");
    let key = ssh.join("ssh_host_ed25519_key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    let around = "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && mount --bind \"$0\" /etc/ssh && exec \"$@\"";
    let words = ["unshare", "-m", "sh", "-c", around, ssh.to_str()?].map(str::to_owned);
    let works = made.is_ok_and(|s| s.success())
        && Command::new("unshare")
            .args(&words[1..])
            .args(["sshd", "-t"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
    works.then(|| words.to_vec())
}

#[test]
fn the_real_server_and_its_files_say_the_same() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    let main = "Include sshd_config.d/*.conf\nPort 2222\nPort=2200\nPermitRootLogin yes\nLoginGraceTime 2m # two\nSyslogFacility auth\n\
        AllowUsers a \"b c\"\nAllowUsers d\nAcceptEnv LANG LC_*\nSetEnv A=b C=d\nSetEnv E=f\nSubsystem sftp internal-sftp -f AUTH\n\
        AuthenticationMethods publickey,password publickey\nChallengeResponseAuthentication no\nX11Forwarding yes\n\
        Match User x\nPermitTunnel yes\nInclude some.conf\nMatch all\nX11Forwarding no\nMatch all\nX11Forwarding yes\n";
    write(root, "etc/ssh/sshd_config", main.as_bytes(), 0o644);
    write(
        root,
        "etc/ssh/some.conf",
        b"AllowTcpForwarding no\nMatch all\nAllowAgentForwarding no\n",
        0o644,
    );
    write(
        root,
        "etc/ssh/sshd_config.d/b.conf",
        b"PermitRootLogin no\nBanner /b\nMatch user y\nMaxSessions 1\n",
        0o644,
    );
    write(
        root,
        "etc/ssh/sshd_config.d/a.conf",
        b"PermitRootLogin prohibit-password\nCiphers aes128-ctr,aes256-ctr\r\n",
        0o644,
    );
    let Some(around) = with_own_folder(root) else {
        return eprintln!("skipped: this needs sshd, ssh-keygen and a mount namespace");
    };
    let checks = "PermitRootLogin: prohibit-password, Port: {same_set: [\"2222\", \"2200\"]}, LoginGraceTime: 120, SyslogFacility: AUTH, \
        AllowUsers: {same_set: [a, b c, d]}, AcceptEnv: {same_set: [LANG, LC_*]}, SetEnv: {same_set: [A=b, C=d]}, \
        Subsystem: sftp internal-sftp -f AUTH, AuthenticationMethods: \"publickey,password publickey\", KbdInteractiveAuthentication: \"no\", \
        X11Forwarding: \"no\", Banner: /b, Ciphers: {same_set: [aes256-ctr, aes128-ctr]}";
    // What is set for some only, or nowhere, only the server itself can tell.
    let defaults = "PermitTunnel: \"no\", AllowTcpForwarding: \"yes\", AllowAgentForwarding: \"yes\", MaxSessions: 10, MaxAuthTries: 6";
    let yaml = format!(
        "- {{id: set, sshd_config: effective, {checks}}}\n- {{id: unset, sshd_config: effective, {defaults}}}"
    );
    let controls = controls(&yaml);
    for shell in shells() {
        let words: Vec<&str> = around
            .iter()
            .map(String::as_str)
            .chain(shell.iter().copied())
            .collect();
        assert_lines(
            &controls,
            &collect(&words, &controls, None),
            &["passed  set", "passed  unset"],
            &shell,
        );
        let facts = collect(&shell, &controls, Some(root));
        let verdicts = super::verdicts(&controls, &facts);
        assert_eq!(verdicts[0].line(), "passed  set", "{shell:?}");
        assert!(
            verdicts[1]
                .results
                .iter()
                .all(|f| f.outcome.as_str() == "error"),
            "{}",
            verdicts[1].line()
        );
    }
    write(
        root,
        "etc/ssh/sshd_config.d/c.conf",
        b"NoSuchOption yes\n",
        0o644,
    );
    for shell in shells() {
        let words: Vec<&str> = around
            .iter()
            .map(String::as_str)
            .chain(shell.iter().copied())
            .collect();
        let line = super::verdicts(&controls, &collect(&words, &controls, None))[0].line();
        assert!(
            line.starts_with("error") && line.contains("sshd -T says"),
            "{line}"
        );
    }
}
