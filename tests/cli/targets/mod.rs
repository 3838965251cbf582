//! `bakeline check` on targets that behave and on targets that don't: a script stands in for `ssh`, or a real sshd answers.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test makes targets of its own and runs the program"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

mod kept;
mod sshd;
mod unruly;

/// Longer than it takes on the slowest machine, shorter than anything that is waited for in vain.
const HANG: Duration = Duration::from_secs(300);

/// A folder with a catalog, a profile, and programs that come first in PATH.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let house = Self(TempDir::new().expect("a folder"));
        house.write("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n");
        house.write(
            "images/web.yaml",
            "source: {owner: amazon, name: debian-*}\nchecks:\n  - {file: /etc/passwd, content: {match: \"^root:\"}}\n  \
             - {command: \"echo out; echo err >&2\", stdout: \"out\\n\", phase: [boot]}\n",
        );
        house.write(
            "profiles/small.yaml",
            "title: A small profile\ninputs:\n  shell: {default: sh}\nchecks:\n  - {id: small-1, file: /etc/passwd, \
             exists: true}\n  - {id: small-2, file: /no/such/file, exists: false}\n",
        );
        house
    }

    /// The same with a script that is called as `ssh` is; its last word, which is the remote command, is in `$remote`.
    fn with_ssh(script: &str) -> Self {
        let house = Self::new();
        let log = house.path("calls");
        let head = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\nfor remote; do :; done\n",
            log.display()
        );
        house.program("ssh", &format!("{head}{script}"));
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn program(&self, name: &str, text: &str) {
        self.write(&format!("bin/{name}"), text);
        fs::set_permissions(
            self.path(&format!("bin/{name}")),
            fs::Permissions::from_mode(0o755),
        )
        .expect("a program");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn check(&self, words: &[&str]) -> Answer {
        let begun = Instant::now();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeline"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()));
        let out = command
            .current_dir(self.0.path())
            .arg("check")
            .args(words)
            .output()
            .expect("it runs");
        assert!(
            begun.elapsed() < HANG,
            "{words:?} took {:?}",
            begun.elapsed()
        );
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Answer {
            code: out.status.code().expect("no signal"),
            out: text(out.stdout),
            err: text(out.stderr),
        }
    }
}

/// What the program said.
#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    /// Fails with this code, says all of these words on stderr, and reports nothing.
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word}: {self:?}");
        }
        assert_eq!(self.out, "", "{self:?}");
    }

    fn passes(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Runs the remote command on this machine, as a login would.
const HERE: &str = "exec /bin/sh -c \"$remote\"\n";

fn root() -> bool {
    let own = fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m));
    own.is_ok_and(|uid| uid == 0)
}

fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
