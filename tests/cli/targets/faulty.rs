//! Tests targets that hang, fail, or write too much or too little. Each ends with a clear error within
//! its limits.

use super::{RUN_LOCALLY, TestEnv, exists, is_root, skip};

const TARGET: &str = "ssh://someone@far.example:2222";

#[test]
fn ssh_check_uses_one_connection() {
    if !is_root() {
        return skip("the test script runs as root in place of ssh");
    }
    let env = TestEnv::with_ssh(RUN_LOCALLY);
    let result = env.check(&["web", TARGET, "--identity", "my key", "--json"]);
    let report = result.assert_passes().json();
    let verdicts = report["verdicts"].as_array().expect("verdicts");
    assert!(
        verdicts.len() == 2 && verdicts.iter().all(|v| v["outcome"] == "passed"),
        "{report}"
    );
    assert_eq!(
        (&report["phase"], &report["profiles"][0]["name"]),
        (&"boot".into(), &"web".into()),
        "{report}"
    );
    let calls = env.read("calls");
    assert_eq!(calls.lines().count(), 1, "one connection: {calls}");
    for word in [
        "-p 2222",
        "-i my key",
        "-l someone -- far.example sh -c ",
        "StrictHostKeyChecking=yes",
        "sudo -n",
    ] {
        assert!(calls.contains(word), "{word}: {calls}");
    }
}

#[test]
fn target_that_looks_like_an_option_is_refused() {
    let env = TestEnv::with_ssh(RUN_LOCALLY);
    for target in [
        "ssh://-oProxyCommand=touch pwned",
        "ssh://-l@host",
        "ssh://host;touch pwned",
        "ftp://host",
    ] {
        env.check(&["web", target])
            .assert_fails(2, &["is not a target"]);
    }
    assert_eq!(env.read("calls"), "");
    assert!(!env.path("pwned").exists());
}

#[test]
fn banners_do_not_disturb_a_collection() {
    if !is_root() {
        return skip("the test script runs as root in place of ssh");
    }
    let noise = "printf 'Welcome!\\r\\n\\033[2J%s end 3\\n' 0123456789abcdef; head -c 100000 /dev/urandom; echo\n";
    let env = TestEnv::with_ssh(&format!("{noise}/bin/sh -c \"$remote\"\n{noise}exit 0\n"));
    env.check(&["web", TARGET]).assert_passes();
    // A banner alone is not a collection.
    TestEnv::with_ssh(noise)
        .check(&["web", TARGET])
        .assert_fails(4, &["incomplete", "printed no facts"]);
}

#[test]
fn incomplete_collection_is_an_error() {
    if !is_root() {
        return skip("the test script runs as root in place of ssh");
    }
    let env = TestEnv::with_ssh("/bin/sh -c \"$remote\" | head -c 2000\n");
    env.check(&["web", TARGET])
        .assert_fails(4, &["incomplete", "the output of the collector ends after"]);
    let env = TestEnv::with_ssh("/bin/sh -c \"$remote\" | sed '/ os-release /d'\n");
    env.check(&["web", TARGET])
        .assert_fails(4, &["the output of the collector is incomplete"]);
    let env = TestEnv::with_ssh("exit 0\n");
    env.check(&["web", TARGET])
        .assert_fails(4, &["incomplete", "printed no facts"]);
    let env = TestEnv::with_ssh("echo 'This account is closed.' >&2\nexit 1\n");
    env.check(&["web", TARGET]).assert_fails(
        4,
        &[
            "incomplete",
            "last output of the target: This account is closed.",
        ],
    );
}

#[test]
fn hanging_target_is_stopped_at_the_time_limit() {
    // The script ignores SIGTERM, and its child keeps the output open.
    let env = TestEnv::with_ssh("trap '' TERM\ntouch started\nsleep 600 &\nsleep 600\n");
    env.check(&["web", TARGET, "--max-seconds", "2"])
        .assert_fails(4, &["did not end within 2 s", "--max-seconds"]);
    assert!(env.path("started").exists());
}

#[test]
fn endless_output_is_stopped_at_the_output_limit() {
    let env = TestEnv::with_ssh("while :; do head -c 1000000 /dev/zero; done\n");
    env.check(&["web", TARGET, "--max-mebibytes", "5"])
        .assert_fails(4, &["more than 5 MiB", "--max-mebibytes"]);
    let env = TestEnv::with_ssh("head -c 100000000 /dev/urandom\n");
    env.check(&["web", TARGET])
        .assert_fails(4, &["more than 32 MiB"]);
}

#[test]
fn missing_sudo_rights_are_reported_with_a_hint() {
    let sudo = "echo 'Last login: today'\ncat >/dev/null\necho 'sudo: a password is required' >&2\nexit 1\n";
    assert_check_fails(sudo, &["sudo: a password is required", "NOPASSWD"]);
    let gone = "echo 'sh: 1: exec: sudo: not found' >&2\nexit 127\n";
    assert_check_fails(gone, &["sudo: not found", "log in as root"]);
    // The remote command uses sudo once, and only if the user is not root.
    let env = TestEnv::with_ssh("PATH=\"$HOME/bin:$PATH\" exec /bin/sh -c \"$remote\"\n");
    env.write_program("id", "#!/bin/sh\necho 1000\n");
    env.write_program(
        "sudo",
        "#!/bin/sh\necho \"$*\" >>\"$HOME/sudos\"\nshift 2\nexec \"$@\"\n",
    );
    env.check(&["--profile", "small", TARGET]).assert_passes();
    assert_eq!(env.read("sudos"), "-n -- sh -s\n");
}

fn assert_check_fails(ssh: &str, texts: &[&str]) {
    TestEnv::with_ssh(ssh)
        .check(&["web", TARGET])
        .assert_fails(4, texts);
}

#[test]
fn missing_shell_or_tools_are_reported() {
    assert_check_fails(
        "mkdir -p empty\nPATH=$PWD/empty exec /bin/sh -c \"$remote\"\n",
        &["not found", "POSIX `sh`"],
    );
    assert_check_fails(
        "echo 'exec: /bin/sh: Permission denied' >&2\nexit 126\n",
        &["Permission denied", "POSIX `sh`"],
    );
    // A machine without `od`, then one with a broken `od`. Both have no `stat`.
    let tools = "awk cat date dpkg-query getent head id ls ps readlink sed setsid sleep sh sort systemctl tail timeout tr uname wc grep find cut";
    let some = format!(
        "mkdir -p some\nfor tool in {tools}; do at=$(command -v \"$tool\") && ln -sf \"$at\" some/\"$tool\"; done\n\
         sed \"s|^PATH=.*|PATH=$PWD/some|\" | /bin/sh -s\n"
    );
    assert_check_fails(&some, &["lacks tools that the collector requires", "od"]);
    assert_check_fails(
        &some.replace(
            "\nsed",
            "\nprintf '#!/bin/sh\\ncat >/dev/null\\n' >some/od; chmod 755 some/od\nsed",
        ),
        &["lacks tools that the collector requires", "od"],
    );
    if is_root() {
        // `stat` is optional.
        let with_od = some.replace("for tool in ", "for tool in od ");
        TestEnv::with_ssh(&with_od)
            .check(&["web", TARGET])
            .assert_passes();
    }
}

#[test]
fn changed_host_key_is_reported() {
    let changed = "echo '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @' >&2\n\
                   echo 'Host key verification failed.' >&2\nexit 255\n";
    assert_check_fails(
        changed,
        &["host key differs from the known one", "--known-hosts"],
    );
}

#[test]
fn collector_works_without_writable_directories() {
    let works = std::process::Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "none", "/tmp"])
        .status();
    if !works.is_ok_and(|s| s.success()) {
        return skip("mount namespaces are not available");
    }
    // Mounts read-only, noexec file systems on all directories for temporary files.
    let mounts = "for at in /tmp /var/tmp /run /dev/shm; do mount -t tmpfs -o ro,noexec none $at; done; exec sh -s";
    let env = TestEnv::with_ssh(&format!("exec unshare -m sh -c '{mounts}'\n"));
    env.check(&["web", TARGET]).assert_passes();
}

#[test]
fn local_machine_can_be_checked() {
    if is_root() {
        TestEnv::new().check(&["web", "local"]).assert_passes();
    } else {
        let env = TestEnv::new();
        env.write_program(
            "sudo",
            "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
        );
        env.check(&["web", "local"])
            .assert_fails(4, &["a password is required", "NOPASSWD"]);
    }
    assert!(exists("/etc/passwd"));
}
