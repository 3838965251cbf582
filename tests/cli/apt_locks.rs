//! The function `apt_get` of the templates, run by real shells: with the machine's own apt-get on files of the test, while
//! this process holds apt's locks, and with programs in its place that fail in one way or the other.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test runs shells on files of its own"
)]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bakeline::platform::Platform;
use rustix::fs::{FlockOperation, fcntl_lock};

use super::checks_collector::shells;

const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/provision/debian");
/// Longer than the time between two attempts.
const HELD: Duration = Duration::from_secs(3);

/// Starts a script that has the function; it may set the limit.
fn start(shell: &[&str], script: &str, path: Option<&Path>) -> Child {
    let function = fs::read_to_string(format!("{TEMPLATES}/apt.sh")).expect("the template");
    start_alone(shell, &format!("set -eu\n{function}\n{script}"), path)
}

/// Starts a script, with the programs of a folder before those of the machine.
fn start_alone(shell: &[&str], script: &str, path: Option<&Path>) -> Child {
    let own = path
        .map(|p| format!("{}:", p.display()))
        .unwrap_or_default();
    Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", script])
        .env(
            "PATH",
            format!("{own}{}", std::env::var("PATH").expect("a path")),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts")
}

fn said(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A folder for apt without sources or packages; none where the machine has no apt-get.
fn apt_folder() -> Option<tempfile::TempDir> {
    if !Path::new("/usr/bin/apt-get").exists() {
        eprintln!("skipped: this machine has no apt-get");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for path in [
        "etc/apt/preferences.d",
        "etc/apt/sources.list.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
    ] {
        fs::create_dir_all(folder.path().join(path)).expect("a folder");
    }
    for path in ["etc/apt/sources.list", "var/lib/dpkg/status"] {
        fs::write(folder.path().join(path), "").expect("a file");
    }
    Some(folder)
}

fn call(folder: &Path, words: &str) -> String {
    let dir = folder.display();
    format!("apt_get -q -o Dir='{dir}' -o Dir::State::status='{dir}/var/lib/dpkg/status' {words}")
}

fn hold(folder: &Path, lock: &str) -> File {
    let file = File::create(folder.join(lock)).expect("the lock's file");
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).expect("the lock");
    file
}

#[test]
fn apt_get_waits_for_each_lock_of_another_process() {
    for (lock, words) in [
        ("var/lib/apt/lists/lock", "update"),
        ("var/cache/apt/archives/lock", "clean"),
        ("var/lib/dpkg/lock-frontend", "-y autoremove"),
    ] {
        let Some(folder) = apt_folder() else { return };
        let held = hold(folder.path(), lock);
        let mut child = start(&["sh"], &call(folder.path(), words), None);
        sleep(HELD);
        let ended = child.try_wait().expect("a child");
        drop(held);
        let (out, err) = said(&child.wait_with_output().expect("it ends"));
        assert!(
            ended.is_none(),
            "{words} did not wait for {lock}: {out}{err}"
        );
        assert!(out.contains(lock) && err.is_empty(), "{words}: {out}{err}");
    }
}

#[test]
fn apt_get_gives_up_at_the_limit_and_names_the_holder() {
    let Some(folder) = apt_folder() else { return };
    let lock = "var/lib/apt/lists/lock";
    let _held = hold(folder.path(), lock);
    let script = format!("apt_lock_seconds=1\n{}", call(folder.path(), "update"));
    let ended = start(&["sh"], &script, None)
        .wait_with_output()
        .expect("it ends");
    let (out, err) = said(&ended);
    assert_eq!(ended.status.code(), Some(100), "{out}{err}");
    let holder = format!("process {}", std::process::id());
    assert!(
        err.contains(lock)
            && err.contains(&holder)
            && err.contains("1 s")
            && err.lines().count() == 1,
        "{err}"
    );
}

#[test]
fn apt_get_tries_again_for_held_locks_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, calls) = (folder.path().join("apt-get"), folder.path().join("calls"));
    for (error, again) in [
        (
            "E: Sperre /var/lib/apt/lists/lock konnte nicht bekommen werden. Prozess 7 (apt-get) hat sie.",
            true,
        ),
        (
            "E: Could not get lock /var/lib/dpkg/lock - open (11: Resource temporarily unavailable)",
            true,
        ),
        (
            "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)",
            false,
        ),
        (
            "E: Could not open lock file /var/cache/apt/archives/lock - open (1: Operation not permitted)",
            false,
        ),
        ("E: Unable to locate package lists/lock", false),
    ] {
        let text = format!(
            "#!/bin/sh\necho \"$@\" >> '{0}'\n[ \"$(wc -l < '{0}')\" = 1 ] || exit 0\necho '{error}' >&2\nexit 100\n",
            calls.display()
        );
        fs::write(&program, text).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        for shell in shells() {
            let _first = fs::remove_file(&calls);
            let ended = start(
                &shell,
                "apt_get -q 'a b' update || exit $?",
                Some(folder.path()),
            );
            let ended = ended.wait_with_output().expect("it ends");
            let (out, err) = said(&ended);
            let code = if again { 0 } else { 100 };
            assert_eq!(
                ended.status.code(),
                Some(code),
                "{shell:?} {error}: {out}{err}"
            );
            assert_eq!(err.contains(error), !again, "{shell:?}: {err}");
            let called = fs::read_to_string(&calls).expect("calls");
            assert_eq!(
                called,
                "-q a b update\n".repeat(1 + usize::from(again)),
                "{shell:?} {error}"
            );
        }
    }
}

#[test]
fn a_probe_waits_for_locks() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("apt-get");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in -s*) echo 'Inst a [1] (2 D:1 [x])'; exit 0 ;; esac\n[ ! -e '{0}' ] || exit 0\n: > '{0}'\n\
         echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (x)' >&2\nexit 100\n",
        folder.path().join("called").display()
    );
    fs::write(&program, text).expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let ended = start_alone(
        &["sh"],
        &Platform::Debian.pending_script(),
        Some(folder.path()),
    );
    let (out, err) = said(&ended.wait_with_output().expect("it ends"));
    let pending = Platform::Debian
        .parse_pending(&out)
        .unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    assert_eq!(pending.len(), 1, "{out}{err}");
}

#[test]
fn templates_call_apt_get_through_the_function() {
    let mut seen = 0;
    for entry in fs::read_dir(TEMPLATES).expect("the templates") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a template");
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect();
        let calls = code.iter().filter(|line| line.contains("apt_get ")).count();
        seen += calls;
        if path.ends_with("apt.sh") {
            continue;
        }
        let direct = code
            .iter()
            .find(|line| line.contains("apt-get ") || line.contains("dpkg -"));
        assert!(
            direct.is_none(),
            "{}: {direct:?} does not wait for locks",
            path.display()
        );
        let has = text.contains("@{ apt | safe }@");
        assert_eq!(has, calls > 0, "{} and the value `apt`", path.display());
    }
    assert!(seen > 5, "only {seen} calls were found");
}
