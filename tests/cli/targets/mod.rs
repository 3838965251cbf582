//! Runs `bakeline check` on good and bad targets, with a script in place of `ssh` or with a real sshd.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests create targets and run the program"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

mod faulty;
mod results;
mod sshd;

/// Time after which a test counts as hanging: longer than it takes on the slowest machine.
const HANG_TIMEOUT: Duration = Duration::from_secs(300);

/// A temporary directory with a catalog, a profile, and programs that come first in PATH.
struct TestEnv(TempDir);

impl TestEnv {
    fn new() -> Self {
        let env = Self(TempDir::new().expect("directory"));
        env.write("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n");
        env.write(
            "images/web.yaml",
            "source: {owner: amazon, name: debian-*}\nchecks:\n  - {file: /etc/passwd, content: {match: \"^root:\"}}\n  \
             - {command: \"echo out; echo err >&2\", stdout: \"out\\n\", phase: [boot]}\n",
        );
        env.write(
            "profiles/small.yaml",
            "title: A small profile\ninputs:\n  shell: {default: sh}\nchecks:\n  - {id: small-1, file: /etc/passwd, \
             exists: true}\n  - {id: small-2, file: /no/such/file, exists: false}\n",
        );
        env
    }

    /// Creates an environment with a script in place of `ssh`. `$remote` is the remote command.
    fn with_ssh(script: &str) -> Self {
        let env = Self::new();
        let log = env.path("calls");
        let header = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\nfor remote; do :; done\n",
            log.display()
        );
        env.write_program("ssh", &format!("{header}{script}"));
        env
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("directory")).expect("directory");
        fs::write(path, text).expect("file");
    }

    fn write_program(&self, name: &str, text: &str) {
        self.write(&format!("bin/{name}"), text);
        fs::set_permissions(
            self.path(&format!("bin/{name}")),
            fs::Permissions::from_mode(0o755),
        )
        .expect("program");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn check(&self, arguments: &[&str]) -> CommandResult {
        let started = Instant::now();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeline"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()));
        let output = command
            .current_dir(self.0.path())
            .arg("check")
            .args(arguments)
            .output()
            .expect("output");
        assert!(
            started.elapsed() < HANG_TIMEOUT,
            "{arguments:?} took {:?}",
            started.elapsed()
        );
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        CommandResult {
            code: output.status.code().expect("no signal"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Exit code and output of the program.
#[derive(Debug)]
struct CommandResult {
    code: i32,
    stdout: String,
    stderr: String,
}

impl CommandResult {
    /// Asserts the exit code, these texts on stderr, and an empty stdout.
    fn assert_fails(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "{text}: {self:?}");
        }
        assert_eq!(self.stdout, "", "{self:?}");
    }

    fn assert_passes(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Script that runs the remote command on this machine, as a login would.
const RUN_LOCALLY: &str = "exec /bin/sh -c \"$remote\"\n";

fn is_root() -> bool {
    let owner = fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m));
    owner.is_ok_and(|uid| uid == 0)
}

fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
