//! Tests the shell function `apt_get` of the templates: with the real apt-get while this process
//! holds the locks of apt, and with programs that fail in different ways.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests run shells on temporary files"
)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use bakeline::platform::Platform;
use rustix::fs::{FlockOperation, fcntl_lock};

use super::checks_collector::shells;

const ALL_TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/provision");
const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/provision/debian");
/// Time for which a lock is held: longer than the pause between two attempts.
const LOCK_TIME: Duration = Duration::from_secs(3);

/// Starts a script that can call the function.
fn start_script(shell: &[&str], script: &str, path: Option<&Path>) -> Child {
    let function = fs::read_to_string(format!("{TEMPLATES}/apt.sh")).expect("the template");
    start_plain_script(shell, &format!("set -eu\n{function}\n{script}"), path)
}

/// Starts a script with an additional directory at the start of PATH.
fn start_plain_script(shell: &[&str], script: &str, path: Option<&Path>) -> Child {
    let prefix = path
        .map(|p| format!("{}:", p.display()))
        .unwrap_or_default();
    Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", script])
        .env(
            "PATH",
            format!("{prefix}{}", std::env::var("PATH").expect("PATH")),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn")
}

fn output_texts(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Creates a root directory for apt without sources or packages. Returns `None` without apt-get.
fn create_apt_root() -> Option<tempfile::TempDir> {
    if !Path::new("/usr/bin/apt-get").exists() {
        eprintln!("skipped: this machine has no apt-get");
        return None;
    }
    let root = tempfile::tempdir().expect("directory");
    for path in [
        "etc/apt/preferences.d",
        "etc/apt/sources.list.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
    ] {
        fs::create_dir_all(root.path().join(path)).expect("directory");
    }
    for path in ["etc/apt/sources.list", "var/lib/dpkg/status"] {
        fs::write(root.path().join(path), "").expect("file");
    }
    Some(root)
}

fn apt_get_call(root: &Path, arguments: &str) -> String {
    let dir = root.display();
    format!(
        "apt_get -q -o Dir='{dir}' -o Dir::State::status='{dir}/var/lib/dpkg/status' {arguments}"
    )
}

fn lock_file(root: &Path, lock: &str) -> File {
    let file = File::create(root.join(lock)).expect("lock file");
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).expect("lock");
    file
}

#[test]
fn apt_get_waits_for_each_lock_of_another_process() {
    thread::scope(|scope| {
        for (lock, words) in [
            ("var/lib/apt/lists/lock", "update"),
            ("var/cache/apt/archives/lock", "clean"),
            ("var/lib/dpkg/lock-frontend", "-y autoremove"),
        ] {
            scope.spawn(move || assert_apt_get_waits(lock, words));
        }
    });
}

/// Asserts that a call of apt-get waits while this process holds a lock, and then succeeds.
fn assert_apt_get_waits(lock: &str, words: &str) {
    let Some(root) = create_apt_root() else {
        return;
    };
    let held = lock_file(root.path(), lock);
    let mut child = start_script(&["sh"], &apt_get_call(root.path(), words), None);
    thread::sleep(LOCK_TIME);
    let ended = child.try_wait().expect("child");
    drop(held);
    let (out, err) = output_texts(&child.wait_with_output().expect("output"));
    assert!(
        ended.is_none(),
        "{words} did not wait for {lock}: {out}{err}"
    );
    assert!(out.contains(lock) && err.is_empty(), "{words}: {out}{err}");
}

#[test]
fn apt_get_times_out_and_names_lock_holder() {
    let Some(root) = create_apt_root() else {
        return;
    };
    let lock = "var/lib/apt/lists/lock";
    let _held = lock_file(root.path(), lock);
    let script = format!(
        "apt_lock_seconds=1\n{}",
        apt_get_call(root.path(), "update")
    );
    let ended = start_script(&["sh"], &script, None)
        .wait_with_output()
        .expect("output");
    let (out, err) = output_texts(&ended);
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

/// Errors of apt-get, and whether it is called again.
const ERRORS: [(&str, bool); 5] = [
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
];

#[test]
fn apt_get_retries_only_for_held_locks() {
    thread::scope(|scope| {
        for (error, retries) in ERRORS {
            for shell in shells() {
                scope.spawn(move || assert_apt_get_calls(&shell, error, retries));
            }
        }
    });
}

/// Asserts that apt-get is called twice for an error that is retried, otherwise once.
fn assert_apt_get_calls(shell: &[&str], error: &str, retries: bool) {
    let root = tempfile::tempdir().expect("directory");
    let calls = root.path().join("calls");
    write_program(
        root.path(),
        &format!(
            "echo \"$@\" >> '{0}'\n[ \"$(wc -l < '{0}')\" = 1 ] || exit 0\necho '{error}' >&2\nexit 100\n",
            calls.display()
        ),
    );
    let script = "apt_get -q 'a b' update || exit $?";
    let ended = start_script(shell, script, Some(root.path()));
    let ended = ended.wait_with_output().expect("output");
    let (out, err) = output_texts(&ended);
    let code = if retries { 0 } else { 100 };
    assert_eq!(
        ended.status.code(),
        Some(code),
        "{shell:?} {error}: {out}{err}"
    );
    assert_eq!(err.contains(error), !retries, "{shell:?}: {err}");
    assert_eq!(
        fs::read_to_string(&calls).expect("calls"),
        "-q a b update\n".repeat(1 + usize::from(retries)),
        "{shell:?} {error}"
    );
}

/// Writes a program `apt-get` that runs a script of `sh`.
///
/// Another process writes it. If this process did, a child that another thread forks meanwhile
/// would keep the file open for writing, and the kernel would refuse to start it (ETXTBSY).
fn write_program(directory: &Path, script: &str) {
    let write = "printf '#!/bin/sh\\n%s' \"$1\" > apt-get && chmod +x apt-get";
    let status = Command::new("sh")
        .args(["-c", write, "sh", script])
        .current_dir(directory)
        .status();
    assert!(status.expect("sh").success(), "cannot write the program");
}

#[test]
fn update_probe_waits_for_locks() {
    let root = tempfile::tempdir().expect("directory");
    write_program(
        root.path(),
        &format!(
            "case \"$*\" in -s*) echo 'Inst a [1] (2 D:1 [x])'; exit 0 ;; esac\n[ ! -e '{0}' ] || exit 0\n: > '{0}'\n\
             echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (x)' >&2\nexit 100\n",
            root.path().join("called").display()
        ),
    );
    let ended = start_plain_script(
        &["sh"],
        &Platform::Debian.pending_script(),
        Some(root.path()),
    );
    let (out, err) = output_texts(&ended.wait_with_output().expect("output"));
    let pending = Platform::Debian
        .parse_pending(&out)
        .unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    assert_eq!(pending.len(), 1, "{out}{err}");
}

/// Scripts with their code, without comments.
fn scripts() -> Vec<(String, String, Vec<String>)> {
    let mut out = Vec::new();
    for folder in ["common", "debian", "rhel"] {
        for entry in fs::read_dir(format!("{ALL_TEMPLATES}/{folder}")).expect("the templates") {
            let path = entry.expect("entry").path();
            let text = fs::read_to_string(&path).expect("template");
            let code = text.lines().map(|line| line.trim_start().to_owned());
            let code = code.filter(|line| !line.starts_with('#')).collect();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            out.push((format!("{folder}/{name}"), text, code));
        }
    }
    out
}

/// Returns the names of the functions that a script defines.
fn defined_functions(name: &str) -> BTreeSet<String> {
    let (_, _, code) = scripts()
        .into_iter()
        .find(|(script, ..)| script == name)
        .expect("a script");
    code.iter()
        .filter_map(|line| line.split_once("() {"))
        .map(|(function, _)| function.to_owned())
        .collect()
}

#[test]
fn both_package_managers_define_the_same_functions() {
    let apt = defined_functions("debian/functions.sh");
    let dnf = defined_functions("rhel/functions.sh");
    assert!(apt.len() > 5, "{apt:?}");
    assert_eq!(apt, dnf);
}

#[test]
fn only_these_functions_call_a_package_manager() {
    let functions = defined_functions("debian/functions.sh");
    let mut calls = 0;
    for (name, text, code) in scripts() {
        if name.ends_with("/functions.sh")
            || ["debian/apt.sh", "rhel/dnf.sh"].contains(&name.as_str())
        {
            continue;
        }
        let direct = code.iter().find(|line| {
            ["apt-get ", "apt_get ", "dpkg -", "dnf ", "run_dnf ", "yum "]
                .iter()
                .any(|command| line.starts_with(command) || line.contains(&format!("; {command}")))
        });
        assert!(
            direct.is_none(),
            "{name}: {direct:?} calls a package manager directly"
        );
        let is_call = |line: &&String| {
            line.split([' ', ';', '@'])
                .any(|word| functions.contains(word))
        };
        let found = code.iter().filter(is_call).count();
        calls += found;
        let includes_functions = text.contains("@{ package_manager | safe }@");
        assert_eq!(
            includes_functions,
            found > 0,
            "{name} and the value `package_manager`"
        );
    }
    assert!(calls > 8, "only {calls} calls were found");
}
