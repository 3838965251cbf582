//! Verdicts on unpacked roots that were wrong once, and what must not come out of a root.

use std::fs;
use std::os::unix::fs::symlink;

use super::House;

impl House {
    /// The outcome of one check of a root, and everything that was said and kept.
    fn judged(&self, check: &str) -> (String, String) {
        self.write(
            "images/web.yaml",
            &format!("source: {{ssm: /a}}\nchecks:\n  - {check}\n"),
        );
        let answer = self.run(&[
            "check",
            "web",
            "root",
            "--json",
            "--save-facts",
            "facts.json",
        ]);
        assert!([0, 3].contains(&answer.code), "{check}: {}", answer.err);
        let outcome = answer.json()["verdicts"][0]["outcome"]
            .as_str()
            .unwrap_or("none")
            .to_owned();
        let kept = fs::read_to_string(self.path().join("facts.json")).expect("facts");
        (outcome, answer.out + &answer.err + &kept)
    }

    fn root() -> Self {
        let house = Self::new();
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
            house.write(&format!("root/{path}"), text);
        }
        house
    }
}

#[test]
fn verdicts_on_a_root() {
    let house = House::root();
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
        let (found, said) = house.judged(check);
        assert_eq!(found, outcome, "{check}: {said}");
    }
}

#[test]
fn no_secret_and_nothing_of_the_host_comes_out_of_a_root() {
    let house = House::root();
    house.write(
        "outside/list",
        "deb http://outside.example y main\nroot:$6$c0ffee$abcdefghijk:1::\n",
    );
    let (list, inside) = (
        house.path().join("root/etc/apt/sources.list.d"),
        house.path().join("root/etc/apt/real"),
    );
    symlink(house.path().join("outside/list"), list.join("out.list")).expect("a link");
    symlink("../../../../../../../etc/apt/real", list.join("in.list")).expect("a link");
    fs::write(inside, "deb http://inside.example y main\n").expect("a file");
    for (check, there) in [
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
        let (_, said) = house.judged(check);
        assert!(said.contains(there), "{check}: {said}");
        for secret in ["outside.example", "c0ffee", "Tr0ub4dor", "MIIE"] {
            assert!(!said.contains(secret), "{check} tells {secret}: {said}");
        }
    }
}
