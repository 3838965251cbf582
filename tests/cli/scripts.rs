//! Runs the templates that run a script of the catalog and copy a folder, with real shells.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests run shells on temporary files"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bakeline::render::{Language, render_text};
use serde_json::{Value, json};

use super::checks_collector::shells;

const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/provision/common");
/// Text that no shell may expand.
const AWKWARD: &str = "it's \"quoted\" $(id) `id` ${HOME} \\n {{ x }} {% y %}\n\tä; *";

/// Result of a script.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
    seconds: u64,
}

impl Ran {
    /// Returns the last line of the errors.
    fn last(&self) -> &str {
        self.err.lines().last().unwrap_or_default()
    }
}

fn render(name: &str, values: &Value) -> String {
    let text = fs::read_to_string(format!("{TEMPLATES}/{name}")).expect("the template");
    render_text(name, &text, Language::Shell, values).expect("rendered")
}

/// Runs a script of the catalog in a temporary directory. `options` replace the default words.
fn run_catalog_script(shell: &[&str], text: &str, options: &Value) -> Ran {
    let dir = tempfile::tempdir().expect("directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    let uploaded = dir.path().join("uploaded");
    fs::write(&uploaded, text).expect("file");
    let mut words = json!({
        "path": "scripts/it.sh", "interpreter": "/bin/sh", "env": [], "args": [], "timeout": 0,
        "user": "", "may_reboot": "",
    });
    for (key, value) in options.as_object().into_iter().flatten() {
        words[key] = value.clone();
    }
    let values = json!({"uploaded": uploaded, "script": words});
    let at = dir.path().display();
    let rendered = render("script.sh", &values)
        .replace("/var/lib/", &format!("{at}/"))
        .replace("/run/", &format!("{at}/"));
    let begin = Instant::now();
    let ended = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", &rendered])
        .stdin(Stdio::null())
        .output()
        .expect("spawn");
    let left: Vec<_> = fs::read_dir(dir.path())
        .expect("directory")
        .map(|e| e.expect("entry").file_name())
        .filter(|name| name != "bakeline-script")
        .collect();
    assert!(left.is_empty(), "{left:?} were left");
    Ran {
        code: ended.status.code(),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        seconds: begin.elapsed().as_secs(),
    }
}

#[test]
fn environment_and_arguments_arrive_verbatim() {
    for shell in shells() {
        let text = "printf '%s|' \"$TEXT\" \"$EMPTY\" \"$#\" \"$@\"; basename \"$0\"; read -r x || echo no input\n";
        let options =
            json!({"env": [format!("TEXT={AWKWARD}"), "EMPTY="], "args": [AWKWARD, "", "--all"]});
        let ran = run_catalog_script(&shell, text, &options);
        let expected = format!("{AWKWARD}||3|{AWKWARD}||--all|it.sh\nno input\n");
        assert_eq!(
            (ran.code, ran.out),
            (Some(0), expected),
            "{shell:?}: {}",
            ran.err
        );
    }
}

/// A script that ends immediately ends before the processes that copy its output have started.
#[test]
fn short_scripts_end() {
    for shell in shells() {
        for _ in 0..6 {
            let text = "echo short; exit 0\n";
            let ran = run_catalog_script(&shell, text, &json!({}));
            assert_eq!(
                (ran.code, ran.out.as_str(), ran.err.as_str()),
                (Some(0), "short\n", ""),
                "{shell:?}"
            );
        }
    }
}

#[test]
fn failure_names_script_status_and_last_errors() {
    for shell in shells() {
        let text = "echo fine; echo one >&2; echo two >&2; echo three >&2; echo >&2; echo 'a | b' >&2; exit 3\n";
        let ran = run_catalog_script(&shell, text, &json!({}));
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(1), "fine\n"),
            "{shell:?}"
        );
        assert_eq!(
            ran.last(),
            "bakeline: script `scripts/it.sh` failed with exit status 3: two | three | a | b",
            "{shell:?}"
        );
        assert!(
            ran.err.starts_with("one\ntwo\nthree\n\na | b\n"),
            "{}",
            ran.err
        );
        let ran = run_catalog_script(&shell, "echo only output; exit 4\n", &json!({}));
        assert_eq!(
            ran.last(),
            "bakeline: script `scripts/it.sh` failed with exit status 4: only output"
        );
        let ran = run_catalog_script(&shell, "kill -9 $$\n", &json!({}));
        let words = "bakeline: script `scripts/it.sh` was ended by signal 9";
        assert!(ran.last().starts_with(words), "{}", ran.err);
    }
}

#[test]
fn script_and_children_stop_after_timeout() {
    std::thread::scope(|scope| {
        for shell in shells() {
            scope.spawn(move || {
                let mark = format!("MARK=timeout-{}-{}", std::process::id(), shell.join("-"));
                // One child ignores the signal, the other leaves the process group.
                let text = "echo begin; (trap '' TERM; exec sleep 71) & setsid sleep 72 & sleep 73\n";
                let options = json!({"timeout": 1, "env": [mark]});
                let ran = run_catalog_script(&shell, text, &options);
                assert_eq!(
                    ran.last(),
                    "bakeline: script `scripts/it.sh` did not finish within its timeout of 1 s and was stopped: begin",
                    "{shell:?}"
                );
                assert!(ran.code == Some(1) && ran.seconds < 30, "{} s", ran.seconds);
                assert_eq!(processes_with(&mark), Vec::<String>::new(), "{shell:?}");
            });
        }
    });
}

/// Returns the commands of processes with a variable in their environment.
fn processes_with(variable: &str) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ.split(|b| *b == 0).any(|v| v == variable.as_bytes()) {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            out.push(String::from_utf8_lossy(&command).into_owned());
        }
    }
    out
}

#[test]
fn exit_status_of_timeout_program_is_no_timeout() {
    let ran = run_catalog_script(&["sh"], "exit 124\n", &json!({"timeout": 60}));
    assert_eq!(
        ran.last(),
        "bakeline: script `scripts/it.sh` failed with exit status 124"
    );
}

#[test]
fn background_process_does_not_delay_the_end() {
    let begin = Instant::now();
    let ran = run_catalog_script(&["sh"], "sleep 20 & echo started\n", &json!({}));
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "started\n"),
        "{}",
        ran.err
    );
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn script_runs_as_other_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can change the user");
        return;
    }
    for shell in shells() {
        let text = "id -un; echo $USER $HOME $A; cat \"$0\" >/dev/null; pwd >/dev/null; exit 5\n";
        let options = json!({"user": "nobody", "env": ["A=b c"], "timeout": 60});
        let ran = run_catalog_script(&shell, text, &options);
        assert_eq!(
            ran.out, "nobody\nnobody /nonexistent b c\n",
            "{shell:?}: {}",
            ran.err
        );
        assert_eq!(
            ran.last().split(": ").nth(1),
            Some("script `scripts/it.sh` failed with exit status 5")
        );
        let ran = run_catalog_script(&shell, text, &json!({"user": "no-such-user"}));
        assert_eq!(
            ran.last(),
            "bakeline: script `scripts/it.sh` cannot run: the user `no-such-user` does not exist on the instance"
        );
    }
}

#[test]
fn shutdown_signal_needs_permission_to_reboot() {
    // $PPID is the wrapper, or `env`, `runuser` and `timeout` between them, which were replaced.
    let text = "kill -TERM \"$PPID\"; sleep 1; exit 1\n";
    let refused = run_catalog_script(&["sh"], text, &json!({}));
    assert!(
        refused.last().contains(
            "script `scripts/it.sh` shut down or rebooted the instance; set `reboot: true`"
        ),
        "{}",
        refused.err
    );
    let allowed = run_catalog_script(&["sh"], text, &json!({"may_reboot": "yes"}));
    assert_eq!(allowed.code, Some(0), "{}", allowed.err);
    assert!(
        allowed.out.contains("waiting for the reboot"),
        "{}",
        allowed.out
    );
}

#[test]
fn folder_is_copied_with_names_owners_and_modes() {
    let dir = tempfile::tempdir().expect("directory");
    let uploaded = dir.path().join("up");
    let to = dir.path().join("parent/it's ü");
    fs::create_dir(&uploaded).expect("directory");
    fs::write(uploaded.join("0000"), "one").expect("file");
    fs::write(uploaded.join("0001"), "two").expect("file");
    fs::create_dir_all(to.join("kept")).expect("directory");
    fs::set_permissions(to.join("kept"), fs::Permissions::from_mode(0o711)).expect("mode");
    let (uid, gid) = (
        rustix::process::geteuid().as_raw().to_string(),
        rustix::process::getegid().as_raw().to_string(),
    );
    let at = |path: &str| to.join(path).display().to_string();
    let values = json!({
        "uploaded": uploaded, "destination": to, "owner": uid, "group": gid,
        "folders": [{"path": to, "mode": "0755"}, {"path": at("kept"), "mode": "0755"}, {"path": at("new $(id)"), "mode": "0750"}],
        "files": [{"name": "0000", "path": at("kept/-a b"), "mode": "0644"}, {"name": "0001", "path": at("new $(id)/é"), "mode": "0755"}],
        "links": [{"name": "../kept/-a b", "path": at("new $(id)/link"), "mode": ""}],
    });
    let script = render("tree.sh", &values);
    for shell in shells() {
        fs::create_dir_all(&uploaded).expect("directory");
        fs::write(uploaded.join("0000"), "one").expect("file");
        fs::write(uploaded.join("0001"), "two").expect("file");
        let ended = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", &script])
            .output();
        let ended = ended.expect("spawn");
        assert!(
            ended.status.success(),
            "{shell:?} {}",
            String::from_utf8_lossy(&ended.stderr)
        );
        let mode = |path: &str| fs::metadata(to.join(path)).expect("file").mode() & 0o7777;
        assert_eq!(
            ["kept", "kept/-a b", "new $(id)", "new $(id)/é"].map(mode),
            [0o711, 0o644, 0o750, 0o755],
            "{shell:?}"
        );
        assert_eq!(
            fs::read_to_string(to.join("new $(id)/link")).expect("link"),
            "one"
        );
        assert_eq!(
            fs::read_link(to.join("new $(id)/link")).expect("link"),
            Path::new("../kept/-a b")
        );
        assert!(!uploaded.exists());
    }
}

#[test]
fn sudo_is_allowed_without_terminal() {
    for shell in shells() {
        let dir = tempfile::tempdir().expect("directory");
        let at = dir.path();
        fs::create_dir(at.join("sudoers.d")).expect("directory");
        let main = "# Defaults requiretty\nDefaults env_reset, requiretty\nDefaults:bob requiretty,umask=0022\n";
        fs::write(at.join("sudoers"), main).expect("file");
        fs::write(
            at.join("sudoers.d/set"),
            "Defaults !requiretty\nrequiretty ALL=ALL\n",
        )
        .expect("file");
        let text = fs::read_to_string(format!("{TEMPLATES}/sudo.sh")).expect("the template");
        let etc = format!("{}/", at.display());
        let script = format!(
            "visudo() {{ :; }}\n{}\necho more",
            text.replace("/etc/", &etc)
        );
        let run = |argument: &str| {
            let ended = Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", &script, "sh", argument])
                .output()
                .expect("spawn");
            String::from_utf8_lossy(&ended.stdout).into_owned()
        };
        assert_eq!(run(""), "more\n", "{shell:?}");
        assert_eq!(fs::read_to_string(at.join("sudoers")).expect("file"), main);
        assert!(!run("tty").contains("more"), "{shell:?}");
        assert_eq!(
            fs::read_to_string(at.join("sudoers")).expect("file"),
            "# Defaults requiretty\nDefaults env_reset, !requiretty\nDefaults:bob !requiretty,umask=0022\n",
            "{shell:?}"
        );
        assert_eq!(
            fs::read_to_string(at.join("sudoers.d/set")).expect("file"),
            "Defaults !requiretty\nrequiretty ALL=ALL\n"
        );
    }
}
