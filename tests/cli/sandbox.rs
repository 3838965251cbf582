//! The first use of `bakeline sandbox`: its package and virtual environment, with a stub in place of Python.

#![expect(
    clippy::disallowed_methods,
    reason = "a test makes a cache of its own and runs the program"
)]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for a condition before it counts as hanging.
const HANG: Duration = Duration::from_secs(60);

/// A Python whose `venv` waits for the file `go`, and whose `pip` fails where another has installed already.
const STUB: &str = r#"#!/bin/sh
set -eu
echo "$2" >> "$STUB/log"
case $2 in
venv)
    if [ -e "$STUB/broken" ]; then cat "$STUB/broken"; exit 1; fi
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    until [ -e "$STUB/go" ] || [ ! -d "$STUB" ]; do sleep 0.02; done ;;
pip)
    if [ -e "$STUB/broken-pip" ]; then cat "$STUB/broken-pip" >&2; exit 1; fi
    mkdir "${0%/bin/python}/installed" ;;
bakeline_sandbox)
    [ -d "${0%/bin/python}/installed" ]
    [ -f "$PYTHONPATH/bakeline_sandbox/__main__.py" ]
    echo "$3 by ${0%/bin/python}" ;;
esac
"#;

/// A cache that is empty, and the stub.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().expect("a folder"));
        place.write("python3", STUB);
        fs::set_permissions(place.at("python3"), fs::Permissions::from_mode(0o755))
            .expect("a program");
        place.write("log", "");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Starts `bakeline sandbox status`; its output goes to the files `NAME.out` and `NAME.err`.
    fn start(&self, name: &str) -> Child {
        let file = |kind: &str| File::create(self.at(&format!("{name}.{kind}"))).expect("a file");
        let path = format!(
            "{}:{}",
            self.0.path().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        Command::new(env!("CARGO_BIN_EXE_bakeline"))
            .args(["sandbox", "status"])
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.0.path())
            .env("XDG_CACHE_HOME", self.at("cache"))
            .env("STUB", self.0.path())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("it starts")
    }

    fn calls(&self, what: &str) -> usize {
        self.read("log")
            .lines()
            .filter(|line| *line == what)
            .count()
    }

    /// The directories in the cache, without the locks.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("cache/bakeline/sandbox")).expect("a cache");
        let entries = entries
            .map(|e| e.expect("an entry").path())
            .filter(|path| path.is_dir());
        let mut names: Vec<String> = entries.map(|p| name_of(&p)).collect();
        names.sort();
        names
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

fn until(what: &str, mut check: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !check() {
        assert!(begun.elapsed() < HANG, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn first_uses_at_the_same_time_share_one_virtual_environment() {
    let place = Place::new();
    let first = place.start("first");
    until("the first to create it", || place.calls("venv") == 1);
    let others = ["second", "third"].map(|name| (name, place.start(name)));
    let waits = |name: &str| {
        place
            .read(&format!("{name}.err"))
            .contains("waiting for another process that creates")
    };
    until("the others to come that far", || {
        place.calls("venv") == 3 || (waits("second") && waits("third"))
    });
    place.write("go", "");
    for (name, mut child) in [("first", first)].into_iter().chain(others) {
        let status = child.wait().expect("an end");
        assert!(
            status.success(),
            "{name}: {status} {}",
            place.read(&format!("{name}.err"))
        );
        assert!(
            place.read(&format!("{name}.out")).starts_with("status by "),
            "{name}"
        );
    }
    assert_eq!(
        (
            place.calls("venv"),
            place.calls("pip"),
            place.calls("bakeline_sandbox")
        ),
        (1, 1, 3)
    );
    assert!(
        matches!(&place.kept()[..], [package, venv] if package.starts_with("package-") && venv.starts_with("venv-"))
    );
}

#[test]
fn use_after_a_killed_first_use_creates_the_environment_again() {
    let place = Place::new();
    let mut killed = place.start("killed");
    until("it to begin", || place.calls("venv") == 1);
    let mut next = place.start("next");
    until("the next to wait", || {
        place.calls("venv") == 2 || place.read("next.err").contains("waiting")
    });
    killed.kill().expect("a running process");
    killed.wait().expect("an end");
    until("the next to take over", || place.calls("venv") == 2);
    place.write("go", "");
    assert!(
        next.wait().expect("an end").success(),
        "{}",
        place.read("next.err")
    );
    assert_eq!(place.calls("pip"), 1);
    assert_eq!(
        place.kept().len(),
        2,
        "the killed one's part is gone: {:?}",
        place.kept()
    );
    // What is complete stays as it is.
    assert!(place.start("later").wait().expect("an end").success());
    assert_eq!((place.calls("venv"), place.calls("pip")), (2, 1));
}

#[test]
fn incomplete_environment_of_an_earlier_version_is_replaced() {
    let place = Place::new();
    place.write("go", "");
    assert!(place.start("one").wait().expect("an end").success());
    for name in place.kept() {
        fs::remove_file(
            place
                .at("cache/bakeline/sandbox")
                .join(name)
                .join("complete"),
        )
        .expect("the marker");
    }
    assert!(
        place.start("two").wait().expect("an end").success(),
        "{}",
        place.read("two.err")
    );
    assert_eq!((place.calls("venv"), place.kept().len()), (2, 2));
}

#[test]
fn hint_to_install_venv_appears_only_when_python_misses_it() {
    let place = Place::new();
    let fails = |name: &str| {
        assert_eq!(place.start(name).wait().expect("an end").code(), Some(4));
        place.read(&format!("{name}.err"))
    };
    let debian = "The virtual environment was not created successfully because ensurepip is not\navailable.  On Debian/Ubuntu systems, \
                  you need to install the python3-venv\npackage using the following command.\n\n    apt install python3.11-venv\n\n\
                  Failing command: /x/bin/python3\n";
    for (name, text) in [
        ("debian", debian),
        ("bare", "/usr/bin/python3: No module named venv\n"),
        ("half", "ModuleNotFoundError: No module named 'ensurepip'\n"),
    ] {
        place.write("broken", text);
        assert!(fails(name).contains("apt install python3-venv"), "{name}");
    }
    place.write("broken", "Traceback (most recent call last):\n  File \"x\"\n\nOSError: [Errno 28] No space left on device: '/x'\nError: it failed\n");
    let err = fails("full");
    assert!(
        err.contains("No space left on device") && err.contains("Error: it failed"),
        "{err}"
    );
    assert!(!err.contains("python3-venv"), "{err}");
    fs::remove_file(place.at("broken")).expect("the file");
    place.write("go", "");
    place.write("broken-pip", "ERROR: Could not find a version that satisfies the requirement moto\nERROR: No matching distribution found for moto\n");
    let err = fails("pip");
    assert!(
        err.contains("Could not find a version") && err.contains("No matching distribution"),
        "{err}"
    );
    assert!(
        err.contains("package index") && !err.contains("python3-venv"),
        "{err}"
    );
    fs::remove_file(place.at("broken-pip")).expect("the file");
    assert!(
        place.start("again").wait().expect("an end").success(),
        "a failure leaves nothing in the way"
    );
}
