//! Runs the script of the collector with real shells, on a directory and on this machine.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests run shells on temporary files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use bakeline::checks::{
    CollectOptions, Control, Facts, IdAllocator, Outcome, ParseContext, Phase, SourceLocation,
    Tree, Verdict, collector, judge, parse_control, parse_facts,
};

mod absent;
mod backdoors;
mod certificate;
mod commands;
mod config;
mod credentials;
mod image;
mod privileged;
mod rpm;
mod running;
mod sshd_agreement;
mod sudoers;
mod system;
mod transport;

const NONCE: &str = "n0nce";

/// Returns the supported shells of this machine: dash, bash in POSIX mode, ash of BusyBox.
pub(crate) fn shells() -> Vec<Vec<&'static str>> {
    static SHELLS: LazyLock<Vec<Vec<&'static str>>> = LazyLock::new(find_shells);
    SHELLS.clone()
}

fn find_shells() -> Vec<Vec<&'static str>> {
    let all: [Vec<&str>; 3] = [
        vec!["dash"],
        vec!["bash", "--posix"],
        vec!["busybox", "ash"],
    ];
    let works = |shell: &&Vec<&str>| {
        let status = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", "exit 0"])
            .status();
        status.is_ok_and(|s| s.success())
    };
    let found: Vec<Vec<&str>> = all.iter().filter(works).cloned().collect();
    assert!(!found.is_empty(), "no shell to test with");
    found
}

fn parse_controls(yaml: &str) -> Vec<Control> {
    let mut taken = IdAllocator::default();
    let raw: Vec<Tree> = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
    let inputs = BTreeMap::new();
    let mut one = |raw: &Tree| {
        parse_control(
            raw,
            ParseContext {
                ids: &mut taken,
                inputs: &inputs,
                defined_at: SourceLocation::default(),
            },
        )
    };
    raw.iter()
        .map(|r| one(r).unwrap_or_else(|e| panic!("{yaml}: {e:?}")))
        .collect()
}

fn collector_script(controls: &[Control], root: Option<&Path>) -> String {
    let refs: Vec<&Control> = controls.iter().collect();
    let root = root.map(|r| r.to_str().expect("UTF-8 path"));
    collector(
        &refs,
        CollectOptions {
            nonce: NONCE,
            root,
            phase: Phase::Boot,
            seal: true,
        },
    )
}

/// Runs a script on standard input, as over SSH.
fn run_script(shell: &[&str], script: &str) -> Vec<u8> {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    // A shell that ends early closes the pipe. Its output explains why.
    let mut stdin = child.stdin.take().expect("stdin");
    let _ignored = stdin.write_all(script.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && stderr.is_empty(),
        "{shell:?}: {:?} {stderr}",
        output.status
    );
    output.stdout
}

fn collect_facts(shell: &[&str], controls: &[Control], root: Option<&Path>) -> Facts {
    parse_facts(NONCE, &run_script(shell, &collector_script(controls, root))).expect("facts")
}

fn judge_all(controls: &[Control], facts: &Facts) -> Vec<Verdict> {
    judge(&controls.iter().collect::<Vec<_>>(), facts, Phase::Boot)
}

/// Returns the line of the verdict of a check on a root in each shell, which must be the same.
#[track_caller]
fn verdict_line(root: &Path, check: &str) -> String {
    let controls = parse_controls(&format!("- {check}"));
    let mut lines: Vec<String> = shells()
        .iter()
        .map(|shell| verdict_line_in(shell, root, &controls))
        .collect();
    lines.dedup();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// Returns the line of the first verdict in one shell.
fn verdict_line_in(shell: &[&str], root: &Path, controls: &[Control]) -> String {
    let facts = collect_facts(shell, controls, Some(root));
    judge_all(controls, &facts)[0].line()
}

fn assert_verdict_lines(controls: &[Control], facts: &Facts, expected: &[&str], shell: &[&str]) {
    let lines: Vec<String> = judge_all(controls, facts)
        .iter()
        .map(Verdict::line)
        .collect();
    assert_eq!(lines, expected, "{shell:?}");
}

fn write_file(root: &Path, path: &str, content: &[u8], mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
    fs::write(&path, content).expect("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
}

/// Creates a root file system with symbolic links that lead up, outside and in a circle.
fn create_root_with_links(root: &Path, outside: &Path) {
    write_file(outside, "secret", b"outside", 0o644);
    write_file(
        root,
        "etc/passwd",
        b"base:x:4242:1::/:/bin/sh\nme:x:0:0::/:/bin/sh\n",
        0o644,
    );
    write_file(root, "etc/group", b"wheel:x:4242:\n", 0o644);
    write_file(root, "etc/motd", b"Hello\nworld\n", 0o4711);
    let status = "Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22.1-9\nDescription: x\n \
        more\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1.0\n\nPackage: last\n\
        Status: install ok installed\nVersion: 2~rc1\nArchitecture: all\n";
    write_file(root, "var/lib/dpkg/status", status.as_bytes(), 0o644);
    let link = |to: &Path, at: &str| symlink(to, root.join(at)).expect("link");
    link(Path::new("/etc/motd"), "absolute");
    link(Path::new("../../../../../../etc/motd"), "upward");
    link(Path::new("/etc"), "folder");
    link(&outside.join("secret"), "out");
    link(outside, "outdir");
    link(Path::new("loop"), "loop");
}

const DIRECTORY_CHECKS: &[(&str, &str)] = &[
    (
        "{file: /etc/motd, mode: \"4711\", type: file, size: 12, content: {match: \"^world$\"}}",
        "passed",
    ),
    (
        "{file: /absolute, type: link, link_target: /etc/motd, content: {include: Hello}}",
        "passed",
    ),
    ("{file: /absolute, mode: \"4711\"}", "passed"),
    ("{file: /upward, content: {include: Hello}}", "passed"),
    (
        "{file: /folder/motd, content: {include: Hello}, type: file}",
        "passed",
    ),
    (
        "{file: /out, content: {include: outside}}",
        "failed  file:/out  content: expected a value including \"outside\", but it is a link to",
    ),
    ("{file: /outdir/secret, exists: false}", "passed"),
    (
        "{file: /outdir/secret, content: {include: outside}}",
        "failed  file:/outdir/secret#2  content: expected a value including \"outside\", but it does not exist",
    ),
    (
        "{file: /loop}",
        "error   file:/loop  exists: too many levels of symbolic links",
    ),
    (
        "{file: /loop/x, exists: false}",
        "error   file:/loop/x  exists: too many levels of symbolic links",
    ),
    ("{file: /nowhere/x, exists: false}", "passed"),
    ("{file: /etc/motd/x, exists: false}", "passed"),
    ("{file: /, type: directory}", "passed"),
    ("{package: nginx, version: {at_least: \"1.22\"}}", "passed"),
    ("{package: gone, installed: false}", "passed"),
    ("{package: last, version: {at_most: \"2\"}}", "passed"),
    ("{package: never, installed: false}", "passed"),
    (
        "{service: ssh, enabled: true}",
        "skipped service:ssh  enabled: a directory has no service manager",
    ),
    (
        "{command: \"touch pwned\"}",
        "skipped command:touch pwned  succeeds: commands can't be run in a directory",
    ),
];

#[test]
fn directory_is_checked_as_a_root() {
    let (outside, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let root = dir.path().join("a 'root' $(touch pwned)");
    create_root_with_links(&root, outside.path());
    let yaml: String = DIRECTORY_CHECKS
        .iter()
        .map(|(check, _)| format!("- {check}\n"))
        .collect();
    let controls = parse_controls(&yaml);
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(&root));
        let found = judge_all(&controls, &facts);
        assert_eq!(found.len(), DIRECTORY_CHECKS.len());
        for (verdict, (check, expected)) in found.iter().zip(DIRECTORY_CHECKS) {
            let line = verdict.line();
            assert!(line.starts_with(expected), "{shell:?} {check}: {line}");
        }
        assert!(
            facts.identity.directory && facts.identity.uid.is_some(),
            "{:?}",
            facts.identity
        );
        for (table, row) in [("passwd", "base:x:4242:"), ("group", "wheel:x:4242:")] {
            let reading = serde_json::to_string(&facts.reading(table, "")).expect("json");
            assert!(
                reading.contains(row),
                "names come from the directory: {reading}"
            );
        }
    }
    assert!(!Path::new("pwned").exists() && !root.join("pwned").exists());
}

#[test]
fn unreadable_file_is_an_error() {
    let dir = tempfile::tempdir().expect("dir");
    if fs::metadata(dir.path()).expect("own").uid() == 0 {
        eprintln!("skipped: root can read all files");
        return;
    }
    write_file(dir.path(), "closed/x", b"x", 0o644);
    write_file(dir.path(), "mute", b"x", 0o000);
    let closed = dir.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("mode");
    let controls = parse_controls(
        "- {file: /closed/x, exists: false}\n- {file: /mute, content: {not: {include: other}}}",
    );
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        for verdict in judge_all(&controls, &facts) {
            assert_eq!(verdict.outcome, Outcome::Error, "{}", verdict.line());
        }
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("mode");
}

#[test]
fn local_machine_is_checked_without_changes() {
    let controls = parse_controls(
        r#"
- {file: /etc/passwd, owner: root, type: file, mode: {at_most: "0644"}, content: {match: "^root:"}}
- {file: /dev/null, type: char}
- {file: /no/such/file, exists: false}
- {package: no-such-package, installed: false}
- {package: dpkg}
- {service: no-such-unit, enabled: false, running: false}
"#,
    );
    let has_dpkg = Path::new("/var/lib/dpkg/status").exists();
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, None);
        let found = judge_all(&controls, &facts);
        let outcomes: Vec<Outcome> = found.iter().map(|v| v.outcome).collect();
        assert_eq!(outcomes[..3], [Outcome::Passed; 3], "{found:#?}");
        let packages = if has_dpkg {
            Outcome::Passed
        } else {
            Outcome::Error
        };
        assert_eq!(outcomes[3..5], [packages; 2], "{found:#?}");
        if !facts.identity.service_manager {
            let running = &found[5].findings[1];
            assert_ne!(
                running.outcome,
                Outcome::Passed,
                "without a service manager no service counts as stopped"
            );
        }
        assert!(
            !facts.identity.directory
                && !facts.identity.kernel.is_empty()
                && facts.identity.clock.ends_with('Z')
        );
    }
}
