//! Tests resources of the system state on a root, before and after changes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command;

use bakeline::checks::{Outcome, Verdict, parse_facts};

mod cases;
mod root;

use super::{
    NONCE, collect_facts, collector_script, judge_all, parse_controls, run_script, shells,
    write_file,
};
use cases::{CASES, NO_SHA};
use root::create_root;

#[test]
fn verdicts_follow_changes_of_the_root() {
    let outer = tempfile::tempdir().expect("dir");
    for shell in shells() {
        let dir = tempfile::tempdir_in(outer.path()).expect("dir");
        let root = dir.path().join("root");
        create_root(&root);
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
        let controls = parse_controls(&yaml);
        let assert_outcomes = |round: usize| {
            let facts = collect_facts(&shell, &controls, Some(&root));
            for (verdict, case) in judge_all(&controls, &facts).iter().zip(CASES) {
                // Some checks depend on the owner of the files.
                if own.uid() != 0
                    && (case.0.contains("nouser") || case.0.contains("login_path: root}"))
                {
                    continue;
                }
                let expected = if round == 0 { case.1 } else { case.3 };
                // Without getfacl, ACLs are visible only in the output of GNU ls.
                if expected != "ls" || shell[0] != "busybox" {
                    let expected = if expected == "ls" { "passed" } else { expected };
                    assert!(
                        verdict.line().starts_with(expected),
                        "{shell:?} {round} {}: {}",
                        case.0,
                        verdict.line()
                    );
                }
            }
        };
        assert_outcomes(0);
        CASES
            .iter()
            .for_each(|(_, _, change, _)| change.apply(&root));
        assert_outcomes(1);
    }
}

/// Returns a shell of an unprivileged user, if `setpriv` works.
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
fn unreadable_files_are_errors_and_not_absent() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("mode");
    create_root(root);
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
- {login_path: root, directories: {disjoint: [.]}}
- {files: /srv, name: none}
- {file: /etc/plain, sha256: {not: x}}
- {file: /usr/sbin/none, exists: false}
- {file: /srv/a/none, writable: {not: {include: other}}}
- {acl: /srv/a/none, exists: false}
- {files: /srv/a}
";
    let controls = parse_controls(yaml);
    for shell in shells() {
        let Some(shell) = unprivileged(&shell) else {
            eprintln!("skipped: setpriv cannot start an unprivileged shell");
            return;
        };
        let facts = collect_facts(&shell, &controls, Some(root));
        for verdict in judge_all(&controls, &facts) {
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
fn running_values_are_read_only_from_own_kernel() {
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
    let controls = parse_controls(&yaml);
    let expected = [
        "passed", "passed", "passed", "passed", "failed", "error", "passed", "passed", "", "failed",
    ];
    for shell in shells() {
        for (owned, expected) in [("yes", expected), ("no", ["skipped"; 10])] {
            let script = collector_script(&controls, Option::None);
            let changed = script.replace(
                "virtual=none owned=no",
                &format!("virtual=none; owned={owned}; return"),
            );
            assert_ne!(changed, script);
            let facts = parse_facts(NONCE, &run_script(&shell, &changed)).expect("facts");
            let lines: Vec<String> = judge_all(&controls, &facts)
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
                "values of a foreign kernel are not collected"
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
fn symlinks_never_lead_out_of_the_root() {
    let outside = tempfile::tempdir().expect("dir");
    write_file(outside.path(), "x.conf", b"vm.x=1\n", 0o644);
    write_file(outside.path(), "y.conf", b"vm.y=1\n", 0o644);
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
    write_file(root, "etc/own", b"x", 0o644);
    let controls = parse_controls(
        "- {kernel_parameter: vm.x, configured: {absent: true}}\n- {files: /srv, if_absent: skip}\n\
         - {files: /, name: y.conf}\n- {files: /up, name: own, paths: {same_set: [/up/own]}}\n- {file: /srv/x.conf, exists: false}\n",
    );
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(root));
        let lines: Vec<String> = judge_all(&controls, &facts)
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
fn password_hash_is_collected_as_kind_only() {
    let dir = tempfile::tempdir().expect("dir");
    let shadow = "a:$y$j9T$SALT$HASHHASH:1::::::\nb:!$6$SALT$HASHHASH:1::::::\nc:abHASHHASH./x:1::::::\nd:*:1::::::\ne::1::::::\nf:HASHHASH:1::::::\n";
    write_file(dir.path(), "etc/shadow", shadow.as_bytes(), 0o640);
    write_file(dir.path(), "etc/passwd", b"a:x:1:1::/:/\n", 0o644);
    let kinds = ["yescrypt", "locked", "des", "none", "empty", "other"];
    let yaml: String = kinds
        .iter()
        .zip('a'..)
        .map(|(kind, user)| format!("- {{shadow: {user}, hash: {kind}}}\n"))
        .collect();
    let controls = parse_controls(&yaml);
    let hash: String = "HASHHASH".bytes().map(|b| format!("{b:02x}")).collect();
    for shell in shells() {
        let output = run_script(&shell, &collector_script(&controls, Some(dir.path())));
        assert!(
            !String::from_utf8_lossy(&output).contains(&hash),
            "{shell:?}"
        );
        for verdict in judge_all(&controls, &parse_facts(NONCE, &output).expect("facts")) {
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
fn too_many_files_are_an_error() {
    let dir = tempfile::tempdir().expect("dir");
    let long = "x".repeat(200);
    for i in 0..6000 {
        fs::create_dir_all(dir.path().join("many")).expect("directory");
        fs::write(dir.path().join(format!("many/{long}{i}")), b"").expect("file");
    }
    let controls = parse_controls(
        "- {files: /many, paths: {include: /many/y}}\n- {files: /many, name: none}\n",
    );
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        let lines: Vec<String> = judge_all(&controls, &facts)
            .iter()
            .map(Verdict::line)
            .collect();
        assert!(lines[0].starts_with("error"), "{shell:?} {lines:?}");
    }
}
