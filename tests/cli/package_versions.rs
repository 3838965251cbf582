//! Installs packages with `packages.sh` and the real apt-get and dnf, from repositories in a
//! temporary directory, as far as these programs exist. Nothing is installed on this machine.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests run shells on temporary files"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bakeline::render::{Language, render_text};
use serde_json::json;
use tempfile::TempDir;

const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/provision");
/// Packages of both repositories, with their versions.
const PACKAGES: &[(&str, &str)] = &[
    ("tool", "1.9"),
    ("tool", "1.10"),
    ("tool", "2.0"),
    ("tool-17-kit", "17.0"),
];

/// Returns true if all programs exist; otherwise the test is skipped.
fn has_programs(programs: &[&str]) -> bool {
    let missing = programs
        .iter()
        .find(|p| !Path::new("/usr/bin").join(p).exists());
    if let Some(program) = missing {
        eprintln!("skipped: this machine has no {program}");
    }
    missing.is_none()
}

/// Writes an executable that PATH finds before the real program.
fn write_wrapper(dir: &Path, name: &str, text: &str) {
    let path = dir.join("bin").join(name);
    fs::create_dir_all(dir.join("bin")).expect("directory");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
}

/// Runs `packages.sh` of a package manager with the wrappers of a directory.
fn install(dir: &Path, functions: [&str; 2], packages: &[&str]) -> (bool, String) {
    let read = |name: &str| fs::read_to_string(format!("{TEMPLATES}/{name}"));
    let values = json!({
        "image": "web", "packages": packages, "package_manager": functions.map(|name| read(name).expect("the template")).concat(),
    });
    let text = read("common/packages.sh").expect("the template");
    let script = render_text("packages.sh", &text, Language::Shell, &values).expect("rendered");
    let path = std::env::var("PATH").expect("PATH");
    // A file whose name the unquoted glob would match.
    fs::write(dir.join("tool=1.x"), "").expect("file");
    fs::write(dir.join("tool-1.x"), "").expect("file");
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(dir)
        .env("PATH", format!("{}/bin:{path}", dir.display()))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .expect("spawn");
    (output.status.success(), all_output(&output))
}

fn all_output(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn run_shell(dir: &Path, script: &str) {
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .output();
    let output = output.expect("spawn");
    assert!(output.status.success(), "{script}\n{}", all_output(&output));
}

/// Creates a root directory for apt with an index of the packages. apt only simulates.
fn create_apt_repository() -> TempDir {
    let root = tempfile::tempdir().expect("directory");
    let dir = root.path();
    for path in [
        "etc/apt/preferences.d",
        "etc/apt/sources.list.d",
        "etc/apt/apt.conf.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
        "repository",
    ] {
        fs::create_dir_all(dir.join(path)).expect("directory");
    }
    let entry = |(name, version): &(&str, &str)| {
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.com>\n\
             Filename: ./{name}_{version}.deb\nSize: 1\nSHA256: {:064}\nDescription: x\n\n",
            0
        )
    };
    let index: String = PACKAGES.iter().map(entry).collect();
    let source = format!("deb [trusted=yes] file:{}/repository ./\n", dir.display());
    for (path, text) in [
        ("repository/Packages", index),
        ("etc/apt/sources.list", source),
        ("var/lib/dpkg/status", String::new()),
    ] {
        fs::write(dir.join(path), text).expect("file");
    }
    let at = dir.display();
    let options = format!(
        "-o Dir='{at}' -o Dir::State::status='{at}/var/lib/dpkg/status' -o APT::Sandbox::User=root"
    );
    run_shell(dir, &format!("/usr/bin/apt-get -q {options} update"));
    write_wrapper(
        dir,
        "apt-get",
        &format!("exec /usr/bin/apt-get {options} -s \"$@\""),
    );
    root
}

#[test]
fn apt_installs_newest_version_of_glob() {
    if !has_programs(&["apt-get"]) {
        return;
    }
    let root = create_apt_repository();
    let run = |packages: &[&str]| {
        install(
            root.path(),
            ["debian/apt.sh", "debian/functions.sh"],
            packages,
        )
    };
    for (package, expected) in [
        ("tool", "Inst tool (2.0 "),
        ("tool=1.*", "Inst tool (1.10 "),
        ("tool=1.9*", "Inst tool (1.9 "),
    ] {
        let (is_ok, output) = run(&[package]);
        assert!(is_ok && output.contains(expected), "{package}: {output}");
    }
    let (is_ok, output) = run(&["tool-17-kit", "tool=3.*"]);
    let expected = "E: Version '3.*' for 'tool' was not found";
    assert!(!is_ok && output.contains(expected), "{output}");
}

/// Creates a repository for dnf, and a wrapper that installs nothing and prints the transaction.
fn create_dnf_repository() -> TempDir {
    let root = tempfile::tempdir().expect("directory");
    let dir = root.path();
    for (name, version) in PACKAGES {
        let spec = format!(
            "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: x\nLicense: MIT\n\
             BuildArch: noarch\n%description\nx\n%files\n"
        );
        fs::write(dir.join("package.spec"), spec).expect("file");
        run_shell(
            dir,
            "rpmbuild -bb --quiet --define \"_rpmdir $PWD/repository\" --define \"_topdir $PWD/top\" package.spec",
        );
    }
    run_shell(dir, "createrepo_c -q repository && mkdir log");
    let at = dir.display();
    let wrapper = format!(
        "shift\nexec /usr/bin/dnf --installroot='{at}/root' --repofrompath='t,file://{at}/repository' \
         --repo=t --nogpgcheck --setopt=reposdir='{at}/none' --setopt=cachedir='{at}/cache' \
         --setopt=logdir='{at}/log' --setopt=tsflags=test --releasever=9 \"$@\""
    );
    write_wrapper(dir, "dnf", &wrapper);
    root
}

#[test]
fn dnf_installs_newest_version_of_glob() {
    if !has_programs(&["dnf", "rpmbuild", "createrepo_c"]) {
        return;
    }
    let root = create_dnf_repository();
    let run =
        |packages: &[&str]| install(root.path(), ["rhel/dnf.sh", "rhel/functions.sh"], packages);
    for (package, version) in [
        ("tool", "2.0-1"),
        ("tool-1.*", "1.10-1"),
        ("tool-1.9*", "1.9-1"),
        ("tool-0:1*", "1.10-1"),
        ("tool-0:1.9-1", "1.9-1"),
        ("tool-0:1.9-1.noarch", "1.9-1"),
    ] {
        let (is_ok, output) = run(&[package]);
        let row = output.lines().find(|l| l.starts_with(" tool "));
        let words: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
        assert!(is_ok, "{package}: {output}");
        assert_eq!(words.get(2), Some(&version), "{package}: {output}");
        assert!(!output.contains("tool-17-kit"), "{package}: {output}");
    }
    let (is_ok, output) = run(&["tool-17-kit", "tool-3.*"]);
    let expected = "Unable to find a match: tool-3.*";
    assert!(!is_ok && output.contains(expected), "{output}");
}
