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
