//! Tests the first use of `bakeline sandbox`, with a stub in place of Python.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests create a cache and run the program"
)]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Time after which a test counts as hanging.
const HANG_TIMEOUT: Duration = Duration::from_secs(60);

/// Stub of Python. `venv` waits for the file `go`. `pip` fails in an environment with packages.
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

/// An empty cache directory with the stub.
struct TestCache(TempDir);

impl TestCache {
    fn new() -> Self {
        let cache = Self(TempDir::new().expect("directory"));
        cache.write("python3", STUB);
        fs::set_permissions(cache.path("python3"), fs::Permissions::from_mode(0o755))
            .expect("permissions");
        cache.write("log", "");
        cache
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Starts `bakeline sandbox status` with output to the files `NAME.out` and `NAME.err`.
    fn start_status(&self, name: &str) -> Child {
        let file = |kind: &str| File::create(self.path(&format!("{name}.{kind}"))).expect("file");
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
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("STUB", self.0.path())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("spawn")
    }

    fn count_calls(&self, module: &str) -> usize {
        self.read("log")
            .lines()
            .filter(|line| *line == module)
            .count()
    }

    /// Lists the directories in the cache.
    fn cached_directories(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("cache/bakeline/sandbox")).expect("cache");
        let entries = entries
            .map(|e| e.expect("entry").path())
            .filter(|path| path.is_dir());
        let mut names: Vec<String> = entries.map(|p| file_name(&p)).collect();
        names.sort();
        names
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .expect("name")
        .to_string_lossy()
        .into_owned()
}

fn wait_until(condition: &str, mut check: impl FnMut() -> bool) {
    let started = Instant::now();
    while !check() {
        assert!(started.elapsed() < HANG_TIMEOUT, "not reached: {condition}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn concurrent_first_uses_share_one_virtual_environment() {
    let cache = TestCache::new();
    let first = cache.start_status("first");
    wait_until("first creates the environment", || {
        cache.count_calls("venv") == 1
    });
    let others = ["second", "third"].map(|name| (name, cache.start_status(name)));
    let waits = |name: &str| {
        cache
            .read(&format!("{name}.err"))
            .contains("waiting for another process that creates")
    };
    wait_until("others wait", || {
        cache.count_calls("venv") == 3 || (waits("second") && waits("third"))
    });
    cache.write("go", "");
    for (name, mut child) in [("first", first)].into_iter().chain(others) {
        let status = child.wait().expect("exit status");
        assert!(
            status.success(),
            "{name}: {status} {}",
            cache.read(&format!("{name}.err"))
        );
        assert!(
            cache.read(&format!("{name}.out")).starts_with("status by "),
            "{name}"
        );
    }
    assert_eq!(
        (
            cache.count_calls("venv"),
            cache.count_calls("pip"),
            cache.count_calls("bakeline_sandbox")
        ),
        (1, 1, 3)
    );
    assert!(
        matches!(&cache.cached_directories()[..], [package, venv] if package.starts_with("package-") && venv.starts_with("venv-"))
    );
}

#[test]
fn killed_first_use_is_repeated() {
    let cache = TestCache::new();
    let mut killed = cache.start_status("killed");
    wait_until("first creates the environment", || {
        cache.count_calls("venv") == 1
    });
    let mut next = cache.start_status("next");
    wait_until("next waits", || {
        cache.count_calls("venv") == 2 || cache.read("next.err").contains("waiting")
    });
    killed.kill().expect("a running process");
    killed.wait().expect("exit status");
    wait_until("next creates the environment", || {
        cache.count_calls("venv") == 2
    });
    cache.write("go", "");
    assert!(
        next.wait().expect("exit status").success(),
        "{}",
        cache.read("next.err")
    );
    assert_eq!(cache.count_calls("pip"), 1);
    assert_eq!(
        cache.cached_directories().len(),
        2,
        "a partial directory is left: {:?}",
        cache.cached_directories()
    );
    // A complete environment does not change.
    assert!(
        cache
            .start_status("later")
            .wait()
            .expect("exit status")
            .success()
    );
    assert_eq!(
        (cache.count_calls("venv"), cache.count_calls("pip")),
        (2, 1)
    );
}

#[test]
fn incomplete_environment_of_old_version_is_replaced() {
    let cache = TestCache::new();
    cache.write("go", "");
    assert!(
        cache
            .start_status("one")
            .wait()
            .expect("exit status")
            .success()
    );
    for name in cache.cached_directories() {
        fs::remove_file(
            cache
                .path("cache/bakeline/sandbox")
                .join(name)
                .join("complete"),
        )
        .expect("the marker");
    }
    assert!(
        cache
            .start_status("two")
            .wait()
            .expect("exit status")
            .success(),
        "{}",
        cache.read("two.err")
    );
    assert_eq!(
        (cache.count_calls("venv"), cache.cached_directories().len()),
        (2, 2)
    );
}

#[test]
fn venv_hint_appears_only_without_venv_module() {
    let cache = TestCache::new();
    let stderr_of_failure = |name: &str| {
        assert_eq!(
            cache.start_status(name).wait().expect("exit status").code(),
            Some(4)
        );
        cache.read(&format!("{name}.err"))
    };
    let debian = "The virtual environment was not created successfully because ensurepip is not\navailable.  On Debian/Ubuntu systems, \
                  you need to install the python3-venv\npackage using the following command.\n\n    apt install python3.11-venv\n\n\
                  Failing command: /x/bin/python3\n";
    for (name, text) in [
        ("debian", debian),
        ("bare", "/usr/bin/python3: No module named venv\n"),
        ("half", "ModuleNotFoundError: No module named 'ensurepip'\n"),
    ] {
        cache.write("broken", text);
        assert!(
            stderr_of_failure(name).contains("apt install python3-venv"),
            "{name}"
        );
    }
    cache.write("broken", "Traceback (most recent call last):\n  File \"x\"\n\nOSError: [Errno 28] No space left on device: '/x'\nError: it failed\n");
    let err = stderr_of_failure("full");
    assert!(
        err.contains("No space left on device") && err.contains("Error: it failed"),
        "{err}"
    );
    assert!(!err.contains("python3-venv"), "{err}");
    fs::remove_file(cache.path("broken")).expect("the file");
    cache.write("go", "");
    cache.write("broken-pip", "ERROR: Could not find a version that satisfies the requirement moto\nERROR: No matching distribution found for moto\n");
    let err = stderr_of_failure("pip");
    assert!(
        err.contains("Could not find a version") && err.contains("No matching distribution"),
        "{err}"
    );
    assert!(
        err.contains("package index") && !err.contains("python3-venv"),
        "{err}"
    );
    fs::remove_file(cache.path("broken-pip")).expect("the file");
    assert!(
        cache
            .start_status("again")
            .wait()
            .expect("exit status")
            .success(),
        "a failure does not block the next use"
    );
}
