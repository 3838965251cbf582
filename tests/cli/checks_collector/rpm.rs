//! Tests the collection of rpm packages in a directory, with a script in place of `rpm`.

use super::*;

/// Prints the recorded output of `rpm -qa` with the format of the collector, and records its call.
const RECORDED: &str = "#!/bin/sh
printf '%s\\n' \"$*\" >>\"$(dirname \"$0\")/calls\"
ls \"$2\" >>\"$(dirname \"$0\")/calls\"
echo 'warning: Found ndb Packages.db database while attempting sqlite backend: using ndb backend.' >&2
printf 'openssl-libs\\tx86_64\\tinstall ok installed\\t1:3.0.7-27.el9\\topenssl-3.0.7-27.el9.src.rpm\\t\\n'
printf 'python3-pip\\tnoarch\\tinstall ok installed\\t21.3.1-1.el9\\tpython-pip-21.3.1-1.el9.src.rpm\\t\\n'
printf 'gpg-pubkey\\t(none)\\tinstall ok installed\\t5a6340b3-6229229e\\t(none)\\t\\n'
";

const ROCKY: &str = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
const DPKG: &str =
    "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5\n\n";

/// A root directory, and a directory with the only programs that the collector finds.
struct RpmTarget {
    root: tempfile::TempDir,
    bin: tempfile::TempDir,
}

impl RpmTarget {
    fn new(release: &str) -> Self {
        let (root, bin) = (
            tempfile::tempdir().expect("directory"),
            tempfile::tempdir().expect("directory"),
        );
        write_file(root.path(), "etc/os-release", release.as_bytes(), 0o644);
        for tool in [
            "awk", "cat", "cp", "date", "dirname", "find", "head", "id", "ls", "mkdir", "od",
            "readlink", "rm", "sed", "setsid", "sh", "sleep", "timeout", "tr", "uname",
        ] {
            if let Some(path) = ["/usr/bin", "/bin"]
                .iter()
                .map(|dir| Path::new(dir).join(tool))
                .find(|path| path.exists())
            {
                symlink(path, bin.path().join(tool)).expect("link");
            }
        }
        Self { root, bin }
    }

    fn write(&self, path: &str, text: &str) {
        write_file(self.root.path(), path, text.as_bytes(), 0o644);
    }

    fn write_rpm(&self, script: &str) {
        write_file(self.bin.path(), "rpm", script.as_bytes(), 0o755);
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.bin.path().join("calls")).unwrap_or_default()
    }

    fn verdicts(&self, shell: &[&str], yaml: &str) -> Vec<String> {
        let controls = parse_controls(yaml);
        let script = collector_script(&controls, Some(self.root.path())).replace(
            "\nPATH=/usr/local/sbin:",
            &format!("\nPATH={}:/nonexistent\nunused=", self.bin.path().display()),
        );
        assert!(script.contains("unused="), "the PATH was not replaced");
        let facts = parse_facts(NONCE, &run_script(shell, &script)).expect("facts");
        judge_all(&controls, &facts)
            .iter()
            .map(Verdict::line)
            .collect()
    }
}

#[test]
fn rpm_database_of_a_directory_is_read_from_a_copy() {
    for shell in shells() {
        let target = RpmTarget::new(ROCKY);
        target.write("usr/lib/sysimage/rpm/rpmdb.sqlite", "database");
        target.write("usr/lib/sysimage/rpm/rpmdb.sqlite-wal", "log");
        fs::create_dir_all(target.root.path().join("var/lib")).expect("directory");
        symlink(
            "../../usr/lib/sysimage/rpm",
            target.root.path().join("var/lib/rpm"),
        )
        .expect("link");
        target.write_rpm(RECORDED);
        let lines = target.verdicts(
            &shell,
            "- {package: openssl-libs, version: \"1:3.0.7-27.el9\", arch: x86_64, source: openssl}\n\
             - {package: \"python3-pip:x86_64\", source: python-pip}\n\
             - {package: gpg-pubkey, source: gpg-pubkey}\n\
             - {package: nginx, installed: false}\n\
             - {packages: \"*\", names: {count: 3}}\n",
        );
        assert!(
            lines.iter().all(|line| line.starts_with("passed")),
            "{shell:?} {lines:?}"
        );
        let calls = target.calls();
        let copy = calls.split(' ').nth(1).expect("a path").to_owned();
        assert!(
            calls.starts_with("--dbpath ") && calls.contains(" -qa --nosignature --qf "),
            "{calls}"
        );
        assert!(
            calls.ends_with("rpmdb.sqlite\nrpmdb.sqlite-wal\n"),
            "{calls}"
        );
        assert!(
            !copy.contains("sysimage") && !Path::new(&copy).exists(),
            "{copy}"
        );
        let left = fs::read_dir(target.root.path().join("usr/lib/sysimage/rpm"))
            .expect("directory")
            .count();
        assert_eq!(left, 2, "nothing was written to the directory");
    }
}

#[test]
fn os_release_decides_between_two_databases() {
    for shell in shells() {
        for (release, package) in [
            (ROCKY, "openssl-libs"),
            ("ID=amzn\nID_LIKE=\"fedora\"\n", "openssl-libs"),
            ("ID=debian\n", "dash"),
            ("ID=ubuntu\nID_LIKE=debian\n", "dash"),
            ("ID=other\n", "dash"),
        ] {
            let target = RpmTarget::new(release);
            target.write("var/lib/rpm/Packages.db", "database");
            target.write("var/lib/dpkg/status", DPKG);
            target.write_rpm(RECORDED);
            let lines = target.verdicts(&shell, &format!("- {{package: {package}}}"));
            assert_eq!(lines, [format!("passed  package:{package}")], "{release}");
        }
        let target = RpmTarget::new("ID=other\n");
        target.write("var/lib/rpm/Packages.db", "database");
        target.write_rpm(RECORDED);
        assert_eq!(
            target.verdicts(&shell, "- {package: openssl-libs}"),
            ["passed  package:openssl-libs"]
        );
    }
}

#[test]
fn unreadable_rpm_database_is_an_error() {
    let corrupt = "#!/bin/sh\nprintf 'a\\tnoarch\\tinstall ok installed\\t1-1\\ta-1-1.src.rpm\\t\\n'\n\
        echo 'error: rpmdbNextIterator: skipping h#  2' >&2\n";
    for (script, database, reason) in [
        (
            None,
            true,
            "rpm is not installed, so /var/lib/rpm cannot be read: install rpm here (Debian: \
             apt-get install rpm)",
        ),
        (
            Some(corrupt),
            true,
            "rpm cannot read /var/lib/rpm: error: rpmdbNextIterator: skipping h#  2",
        ),
        (
            Some("#!/bin/sh\nexit 4\n"),
            true,
            "rpm cannot read /var/lib/rpm: status 4",
        ),
        (
            Some("#!/bin/sh\n"),
            true,
            "rpm lists no packages in /var/lib/rpm",
        ),
        (
            Some(RECORDED),
            false,
            "os-release names a system with rpm, but /var/lib/rpm has no database: check that the \
             file system is complete",
        ),
    ] {
        for shell in shells() {
            let target = RpmTarget::new(ROCKY);
            target.write("var/lib/dpkg/status", DPKG);
            if database {
                target.write("var/lib/rpm/rpmdb.sqlite", "database");
            }
            if let Some(script) = script {
                target.write_rpm(script);
            }
            let lines = target.verdicts(&shell, "- {package: telnet-server, installed: false}");
            assert_eq!(
                lines,
                [format!(
                    "error   package:telnet-server  installed: {reason}"
                )],
                "{shell:?}"
            );
        }
    }
}
