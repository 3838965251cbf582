//! Resources about the system's state: on a real root, and again after the root was changed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command;

use bakeline::checks::{Outcome, Verdict, parse_facts};

#[path = "system_root.rs"]
mod system_root;

use super::{NONCE, collect, controls, run, script, shells, verdicts, write};
use system_root::{CASES, NO_SHA, stock};

#[test]
fn verdicts_change_with_the_root() {
    let outer = tempfile::tempdir().expect("dir");
    for shell in shells() {
        let dir = tempfile::tempdir_in(outer.path()).expect("dir");
        let root = dir.path().join("root");
        stock(&root);
        let own = fs::metadata(&root).expect("own");
        let owner = if own.uid() == 0 {
            "root".to_owned()
        } else {
            format!("\"{}\"", own.uid())
        };
        let yaml: String = CASES
            .iter()
            .map(|(check, ..)| format!("- {check}\n"))
            .collect();
        let yaml = yaml.replace("SHA", NO_SHA).replace("OWNER", &owner);
        let yaml = yaml
            .replace("uid: UID", &format!("uid: {}", own.uid()))
            .replace("gid: GID", &format!("gid: {}", own.gid()));
        let controls = controls(&yaml);
        let told = |which: usize| {
            let facts = collect(&shell, &controls, Some(&root));
            for (verdict, case) in verdicts(&controls, &facts).iter().zip(CASES) {
                // Whose files these are is part of some questions.
                if own.uid() != 0
                    && (case.0.contains("nouser") || case.0.contains("search_path: root}"))
                {
                    continue;
                }
                let expected = if which == 0 { case.1 } else { case.3 };
                // Without getfacl only an ls that shows ACLs can tell.
                if expected != "ls" || shell[0] != "busybox" {
                    let expected = if expected == "ls" { "passed" } else { expected };
                    assert!(
                        verdict.line().starts_with(expected),
                        "{shell:?} {which} {}: {}",
                        case.0,
                        verdict.line()
                    );
                }
            }
        };
        told(0);
        CASES
            .iter()
            .for_each(|(_, _, change, _)| change.apply(&root));
        told(1);
    }
}

/// A shell that is not root's, where the tests are.
fn unprivileged(shell: &[&'static str]) -> Option<Vec<&'static str>> {
    let words = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let works = Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .status()
        .is_ok_and(|s| s.success());
    works.then(|| words.into_iter().chain(shell.iter().copied()).collect())
}

#[test]
fn what_may_not_be_read_is_never_taken_for_absent() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("mode");
    stock(root);
    for (path, mode) in [
        ("etc/sysctl.d/50-a.conf", 0),
        ("etc/modprobe.d", 0o700),
        ("etc/fstab", 0),
        ("etc/shadow", 0),
        ("etc/profile", 0),
        ("srv/a", 0o700),
        ("etc/plain", 0),
        ("usr/sbin", 0o700),
    ] {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).expect("mode");
    }
    let yaml = "
- {kernel_parameter: vm.none, configured: {absent: true}}
- {kernel_module: none, disabled: false}
- {fstab: /none, configured: false}
- {mount: /none, configured: false}
- {shadow: none, exists: false}
- {search_path: root, directories: {disjoint: [.]}}
- {files: /srv, name: none}
- {file: /etc/plain, sha256: {not: x}}
- {file: /usr/sbin/none, exists: false}
- {file: /srv/a/none, writable: {not: {include: other}}}
- {acl: /srv/a/none, exists: false}
- {files: /srv/a}
";
    let controls = controls(yaml);
    for shell in shells() {
        let Some(shell) = unprivileged(&shell) else {
            eprintln!("skipped: setpriv can't make a shell that may not read everything");
            return;
        };
        let facts = collect(&shell, &controls, Some(root));
        for verdict in verdicts(&controls, &facts) {
            assert_eq!(
                verdict.outcome,
                Outcome::Error,
                "{shell:?} {}",
                verdict.line()
            );
        }
    }
}

#[test]
fn what_runs_is_read_where_the_kernel_is_the_targets_own() {
    let read = |path: &str| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let memory = read("/proc/sys/vm/overcommit_memory");
    let pid_max = read("/proc/sys/kernel/threads-max");
    let printk = read("/proc/sys/kernel/printk").replace('\t', " ");
    let yaml = format!(
        "- {{kernel_parameter: vm.overcommit_memory, running: {memory}}}\n- {{kernel_parameter: kernel.threads-max, running: {pid_max}}}\n\
         - {{kernel_parameter: kernel.printk, running: {printk}}}\n- {{kernel_parameter: kernel.no_such, running: {{absent: true}}}}\n\
         - {{kernel_parameter: kernel.no_such, running: {{not: 1}}}}\n- {{kernel_parameter: net.ipv4.route.flush, running: {{not: 1}}}}\n\
         - {{mount: /proc, fstype: proc}}\n- {{mount: /no/such, mounted: false}}\n- {{kernel_module: no_such, loaded: false}}\n\
         - {{kernel_parameter: vm/overcommit_memory, running: {{not: {memory}}}}}\n"
    );
    let controls = controls(&yaml);
    let expected = [
        "passed", "passed", "passed", "passed", "failed", "error", "passed", "passed", "", "failed",
    ];
    for shell in shells() {
        for (owned, expected) in [("yes", expected), ("no", ["skipped"; 10])] {
            let script = script(&controls, Option::None);
            let changed = script.replace(
                "virtual=none owned=no",
                &format!("virtual=none; owned={owned}; return"),
            );
            assert_ne!(changed, script);
            let facts = parse_facts(NONCE, &run(&shell, &changed)).expect("facts");
            let lines: Vec<String> = verdicts(&controls, &facts)
                .iter()
                .map(Verdict::line)
                .collect();
            for (line, expected) in lines.iter().zip(expected) {
                assert!(line.starts_with(expected), "{shell:?} {owned}: {line}");
            }
            let kept = serde_json::to_value(&facts).expect("json");
            assert_eq!(
                kept["readings"]["sysctl"].is_null(),
                owned == "no",
                "another system's kernel is nobody's evidence"
            );
            assert!(
                kept["readings"]["mounts"][""]["text"]
                    .as_str()
                    .is_some_and(|text| text.contains(" /proc "))
            );
        }
    }
}

#[test]
fn links_in_a_directory_never_lead_out_of_it() {
    let outside = tempfile::tempdir().expect("dir");
    write(outside.path(), "x.conf", b"vm.x=1\n", 0o644);
    write(outside.path(), "y.conf", b"vm.y=1\n", 0o644);
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    fs::create_dir_all(root.join("etc/sysctl.d")).expect("directory");
    symlink(
        outside.path().join("x.conf"),
        root.join("etc/sysctl.d/x.conf"),
    )
    .expect("link");
    symlink(outside.path(), root.join("run")).expect("link");
    symlink(outside.path(), root.join("srv")).expect("link");
    symlink("../../../../etc", root.join("up")).expect("link");
    write(root, "etc/own", b"x", 0o644);
    let controls = controls(
        "- {kernel_parameter: vm.x, configured: {absent: true}}\n- {files: /srv, if_absent: skip}\n\
         - {files: /, name: y.conf}\n- {files: /up, name: own, paths: {same_set: [/up/own]}}\n- {file: /srv/x.conf, exists: false}\n",
    );
    for shell in shells() {
        let facts = collect(&shell, &controls, Some(root));
        let lines: Vec<String> = verdicts(&controls, &facts)
            .iter()
            .map(Verdict::line)
            .collect();
        for (line, expected) in lines
            .iter()
            .zip(["passed", "skipped", "passed", "passed", "passed"])
        {
            assert!(line.starts_with(expected), "{shell:?} {line}");
        }
    }
}

#[test]
fn of_passwords_only_the_kind_leaves_the_target() {
    let dir = tempfile::tempdir().expect("dir");
    let shadow = "a:$y$j9T$SALT$HASHHASH:1::::::\nb:!$6$SALT$HASHHASH:1::::::\nc:abHASHHASH./x:1::::::\nd:*:1::::::\ne::1::::::\nf:HASHHASH:1::::::\n";
    write(dir.path(), "etc/shadow", shadow.as_bytes(), 0o640);
    write(dir.path(), "etc/passwd", b"a:x:1:1::/:/\n", 0o644);
    let kinds = ["yescrypt", "locked", "des", "none", "empty", "other"];
    let yaml: String = kinds
        .iter()
        .zip('a'..)
        .map(|(kind, user)| format!("- {{shadow: {user}, hash: {kind}}}\n"))
        .collect();
    let controls = controls(&yaml);
    let hash: String = "HASHHASH".bytes().map(|b| format!("{b:02x}")).collect();
    for shell in shells() {
        let output = run(&shell, &script(&controls, Some(dir.path())));
        assert!(
            !String::from_utf8_lossy(&output).contains(&hash),
            "{shell:?}"
        );
        for verdict in verdicts(&controls, &parse_facts(NONCE, &output).expect("facts")) {
            assert_eq!(
                verdict.outcome,
                Outcome::Passed,
                "{shell:?} {}",
                verdict.line()
            );
        }
    }
}

#[test]
fn more_than_can_be_judged_is_an_error() {
    let dir = tempfile::tempdir().expect("dir");
    let long = "x".repeat(200);
    for i in 0..6000 {
        fs::create_dir_all(dir.path().join("many")).expect("directory");
        fs::write(dir.path().join(format!("many/{long}{i}")), b"").expect("file");
    }
    let controls =
        controls("- {files: /many, paths: {include: /many/y}}\n- {files: /many, name: none}\n");
    for shell in shells() {
        let facts = collect(&shell, &controls, Some(dir.path()));
        let lines: Vec<String> = verdicts(&controls, &facts)
            .iter()
            .map(Verdict::line)
            .collect();
        assert!(lines[0].starts_with("error"), "{shell:?} {lines:?}");
    }
}
