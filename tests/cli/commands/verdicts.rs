//! Tests verdicts on root file systems, and that secrets and files of the host stay out of results.

use std::fs;
use std::os::unix::fs::symlink;

use super::TestCatalog;

impl TestCatalog {
    /// Returns the outcome of a check of a root, and all output and facts.
    fn check_outcome(&self, check: &str) -> (String, String) {
        self.write(
            "images/web.yaml",
            &format!("source: {{ssm: /a}}\nchecks:\n  - {check}\n"),
        );
        let result = self.run(&[
            "check",
            "web",
            "root",
            "--json",
            "--save-facts",
            "facts.json",
        ]);
        assert!([0, 3].contains(&result.code), "{check}: {}", result.stderr);
        let outcome = result.json()["verdicts"][0]["outcome"]
            .as_str()
            .unwrap_or("none")
            .to_owned();
        let facts = fs::read_to_string(self.path().join("facts.json")).expect("facts");
        (outcome, result.stdout + &result.stderr + &facts)
    }

    fn with_root() -> Self {
        let catalog = Self::new();
        for (path, text) in [
            (
                "etc/passwd",
                "root:x:0:0::/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n",
            ),
            ("etc/group", "root:x:0:\n"),
            ("etc/os-release", "ID=almalinux\nVERSION_ID=\"8.10\"\n"),
            ("root/.rhosts", "+ +\n"),
            (
                "etc/ssh/sshd_config",
                "AuthorizedKeysFile \"/etc/ssh/keys/%u\" .ssh/authorized_keys\n",
            ),
            ("etc/ssh/keys/bob", "ssh-ed25519 AAAA bob@desk\n"),
            (
                "etc/fstab",
                "//srv/x /mnt cifs username=u,password=Tr0ub4dor,ro 0 0\n",
            ),
            (
                "etc/cloud/cloud.cfg.d/99.cfg",
                "ssh_keys:\n  rsa_private: |\n    -----BEGIN RSA PRIVATE KEY-----\n    MIIE\n",
            ),
            (
                "etc/apt/sources.list.d/real.list",
                "deb [trusted=yes] http://x y main\n",
            ),
            ("var/backups/shadow.bak", "root:$6$c0ffee$abcdefghijk:1::\n"),
        ] {
            catalog.write(&format!("root/{path}"), text);
        }
        catalog
    }
}

#[test]
fn checks_of_a_root_have_expected_outcome() {
    let catalog = TestCatalog::with_root();
    for (check, outcome) in [
        (
            "{for_each: {n: [.rhosts, .netrc]}, files: /, name: \"${n}\", paths: {empty: true}}",
            "failed",
        ),
        (
            "{for_each: {n: [.never, .netrc]}, files: /, name: \"${n}\", paths: {empty: true}}",
            "passed",
        ),
        (
            "{file: /etc/passwd, when: 'os.version >= \"8.9\"'}",
            "passed",
        ),
        (
            "{none_of: [{service: telnet, running: true}, {file: /etc/nothing}], phase: [build]}",
            "skipped",
        ),
        (
            "{authorized_keys: all, users: {subset_of: [root]}, phase: [build]}",
            "failed",
        ),
        (
            "{private_keys: all, files: {empty: true}, phase: [build]}",
            "failed",
        ),
        ("{repositories: all, insecure: {empty: true}}", "failed"),
        ("{mount: /mnt, configured_options: {include: ro}}", "passed"),
    ] {
        let (found, output) = catalog.check_outcome(check);
        assert_eq!(found, outcome, "{check}: {output}");
    }
}

#[test]
fn secrets_and_host_files_stay_out_of_results() {
    let catalog = TestCatalog::with_root();
    catalog.write(
        "outside/list",
        "deb http://outside.example y main\nroot:$6$c0ffee$abcdefghijk:1::\n",
    );
    let (list, inside) = (
        catalog.path().join("root/etc/apt/sources.list.d"),
        catalog.path().join("root/etc/apt/real"),
    );
    symlink(catalog.path().join("outside/list"), list.join("out.list")).expect("symlink");
    symlink("../../../../../../../etc/apt/real", list.join("in.list")).expect("symlink");
    fs::write(inside, "deb http://inside.example y main\n").expect("file");
    for (check, expected) in [
        (
            "{repositories: all, uris: {include: \"http://inside.example\"}}",
            "inside.example",
        ),
        (
            "{file: /var/backups/shadow.bak, content: {match: nothing}}",
            "shadow.bak",
        ),
        (
            "{mount: /mnt, configured_options: {include: rw}}",
            "username=u",
        ),
    ] {
        let (_, output) = catalog.check_outcome(check);
        assert!(output.contains(expected), "{check}: {output}");
        for secret in ["outside.example", "c0ffee", "Tr0ub4dor", "MIIE"] {
            assert!(
                !output.contains(secret),
                "{check} contains {secret}: {output}"
            );
        }
    }
}
