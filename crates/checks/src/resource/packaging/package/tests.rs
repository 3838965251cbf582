//! Tests of the `package` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

fn judge_check(yaml: &str) -> String {
    let rows = "held\tamd64\thold ok installed\t1.0-1\t\t\n\
        kept\tamd64\tdeinstall ok config-files\t2.0\t\t\n\
        libc6\ti386\tdeinstall ok config-files\t2.35\t\t\n\
        libc6\tamd64\tinstall ok installed\t2.36-9+deb12u7\t\t\n\
        nginx\tamd64\tinstall ok installed\t1.22.1-9\t\t\n\
        pending\tall\tinstall ok triggers-pending\t3\t\t\n\
        unpacked\tamd64\tinstall ok unpacked\t3\t\t\n";
    lines(
        &format!("- {yaml}"),
        &[IDENTITY, ("packages", "", 0, "-", rows)],
    )
    .join("\n")
}

#[test]
fn packages_are_judged_by_dpkg_status() {
    let table = [
        ("{package: nginx}", "passed  package:nginx"),
        ("{package: held}", "passed  package:held"),
        ("{package: pending}", "passed  package:pending"),
        (
            "{package: kept}",
            "failed  package:kept  installed: expected true, actual false (deinstall ok \
                config-files)",
        ),
        ("{package: kept, installed: false}", "passed  package:kept"),
        (
            "{package: unpacked}",
            "failed  package:unpacked  installed: expected true, actual false (install ok \
                unpacked)",
        ),
        (
            "{package: absent}",
            "failed  package:absent  installed: expected true, actual false",
        ),
        (
            "{package: absent, installed: false}",
            "passed  package:absent",
        ),
        ("{package: libc6}", "passed  package:libc6"),
        (
            "{package: libc6, version: {at_least: \"2.36\"}}",
            "passed  package:libc6",
        ),
        (
            "{package: \"libc6:i386\", installed: false}",
            "passed  package:libc6:i386",
        ),
        (
            "{package: \"pending:amd64\"}",
            "passed  package:pending:amd64",
        ),
        (
            "{package: nginx, version: \"1.22.1-10\"}",
            "failed  package:nginx  version: expected \"1.22.1-10\", actual \"1.22.1-9\"",
        ),
        (
            "{package: absent, version: {not: \"1\"}}",
            "failed  package:absent  version: expected not \"1\", but it is not installed",
        ),
    ];
    for (yaml, line) in table {
        assert_eq!(judge_check(yaml), line, "{yaml}");
    }
}

#[test]
fn missing_database_is_always_an_error() {
    for frame in [
        ("packages", "", 3, "-", "dpkg-query is not there"),
        ("packages", "", 0, "-", "what is this"),
    ] {
        let line = lines("- {package: nginx, installed: false}", &[IDENTITY, frame]).join("");
        assert!(line.starts_with("error "), "{line}");
    }
}

/// Recorded output of the collector: the packages of an rpm database.
const RPM: &str = "NetworkManager\tx86_64\tinstall ok installed\t1:1.46.0-8.el9\tNetworkManager\t1.46.0-8.el9\n\
    glibc\ti686\tinstall ok installed\t2.34-100.el9\tglibc\t2.34-100.el9\n\
    glibc\tx86_64\tinstall ok installed\t2.34-100.el9\tglibc\t2.34-100.el9\n\
    gpg-pubkey\t\tinstall ok installed\t5a6340b3-6229229e\t\t\n\
    kernel\tx86_64\tinstall ok installed\t5.14.0-427.el9\tkernel\t5.14.0-427.el9\n\
    kernel\tx86_64\tinstall ok installed\t5.14.0-427.13.1.el9_4\tkernel\t5.14.0-427.13.1.el9_4\n\
    openssh-server\tx86_64\tinstall ok installed\t8.7p1-38.el9\topenssh\t8.7p1-38.el9\n\
    snapshot\tnoarch\tinstall ok installed\t1.0^git1-1\tsnapshot\t1.0^git1-1\n";

fn judge_rpm_check(yaml: &str) -> String {
    let frames = [
        IDENTITY,
        ("package_manager", "", 0, "-", "rpm"),
        ("packages", "", 0, "-", RPM),
        ("os-release", "", 0, "-", "VERSION_CODENAME=1.0^git1\n"),
    ];
    lines(&format!("- {yaml}"), &frames).join("\n")
}

#[test]
fn rpm_packages_are_judged_in_the_order_of_rpm() {
    for yaml in [
        "{package: NetworkManager, version: \"1:1.46.0-8.el9\", upstream: \"1.46.0\"}",
        "{package: \"glibc:i686\"}",
        "{package: \"snapshot:x86_64\"}",
        "{package: gpg-pubkey, version: \"5a6340b3-6229229e\"}",
        "{package: kernel, version: \"5.14.0-427.13.1.el9_4\", arch: x86_64, source: kernel}",
        "{package: openssh-server, version: {at_least: \"8.7p1-38\"}, upstream: {at_least: \"8.7\"}}",
        // dpkg's order has the opposite verdicts.
        "{package: snapshot, version: {at_most: \"1.01\"}}",
        "{os: this, codename: {version: {at_most: \"1.01\"}}}",
        "{package: snapshot, when: package(\"snapshot\").version < \"1.01\"}",
        "{package: nginx, installed: false}",
    ] {
        let line = judge_rpm_check(yaml);
        assert!(line.starts_with("passed  "), "{yaml}: {line}");
    }
    assert_eq!(
        judge_rpm_check("{package: kernel, held: false}"),
        "skipped package:kernel  held: rpm has no holds: check the file of the versionlock plugin instead"
    );
    assert_eq!(
        judge_rpm_check("{package: \"openssh-server:aarch64\"}"),
        "failed  package:openssh-server:aarch64  installed: expected true, actual false"
    );
}

#[test]
fn upstream_version_has_no_epoch_and_revision() {
    for (version, upstream) in [
        ("1:9.2p1-2+deb12u3", "9.2p1"),
        ("8.7p1-38.el9", "8.7p1"),
        ("2:1.02.185-2", "1.02.185"),
        ("3", "3"),
        ("a:b-1", "a:b"),
    ] {
        assert_eq!(super::upstream_version(version), upstream);
    }
}

#[test]
fn package_names_of_both_managers_are_valid() {
    for name in [
        "R",
        "python3-PyYAML",
        "_x",
        "libstdc++",
        "glibc:i686",
        "kernel-core",
    ] {
        assert_eq!(super::check_name(name), Ok(()), "{name}");
    }
    for name in [
        "", "+x", "a b", "a;b", "a*", "a:", "a:b c", "nginx=1", "./x.rpm", "-y",
    ] {
        assert!(super::check_name(name).is_err(), "{name}");
    }
}
