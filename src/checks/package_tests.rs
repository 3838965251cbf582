//! Tests: packages judged by recorded frames.

use super::super::tests::{IDENTITY, lines};

fn told(yaml: &str) -> String {
    let rows = "held\nkept\nlibc6\nnginx\npending\nunpacked\nabsent\n\n\
        held\tamd64\thold ok installed\t1.0-1\n\
        kept\tamd64\tdeinstall ok config-files\t2.0\n\
        libc6\ti386\tdeinstall ok config-files\t2.35\n\
        libc6\tamd64\tinstall ok installed\t2.36-9+deb12u7\n\
        nginx\tamd64\tinstall ok installed\t1.22.1-9\n\
        pending\tall\tinstall ok triggers-pending\t3\n\
        unpacked\tamd64\tinstall ok unpacked\t3\n";
    lines(&format!("- package: {yaml}"), &[IDENTITY, ("packages", "", 0, "-", rows)]).join("\n")
}

#[test]
fn packages_are_judged_by_dpkgs_status() {
    let table = [
        ("{name: nginx}", "passed  package:nginx"),
        ("{name: held}", "passed  package:held"),
        ("{name: pending}", "passed  package:pending"),
        ("{name: kept}", "failed  package:kept  installed: expected true, actual false (deinstall ok config-files)"),
        ("{name: kept, installed: false}", "passed  package:kept"),
        ("{name: unpacked}", "failed  package:unpacked  installed: expected true, actual false (install ok unpacked)"),
        ("{name: absent}", "failed  package:absent  installed: expected true, actual false"),
        ("{name: absent, installed: false}", "passed  package:absent"),
        ("{name: libc6}", "passed  package:libc6"),
        ("{name: libc6, version: {at_least: \"2.36\"}}", "passed  package:libc6"),
        ("{name: \"libc6:i386\", installed: false}", "passed  package:libc6:i386"),
        ("{name: \"pending:amd64\"}", "passed  package:pending:amd64"),
        (
            "{name: nginx, version: \"1.22.1-10\"}",
            "failed  package:nginx  version: expected \"1.22.1-10\", actual \"1.22.1-9\"",
        ),
        (
            "{name: absent, version: {not: \"1\"}}",
            "failed  package:absent  version: expected not \"1\", but it is not installed",
        ),
        ("{name: nobody-asked}", "error   package:nobody-asked  installed: it was not collected"),
    ];
    for (yaml, line) in table {
        assert_eq!(told(yaml), line, "{yaml}");
    }
}

#[test]
fn no_database_is_an_error_even_for_absence() {
    for frame in
        [("packages", "", 3, "-", "dpkg-query is not there"), ("packages", "", 0, "-", "nginx\n\nwhat is this")]
    {
        let line = lines("- package: {name: nginx, installed: false}", &[IDENTITY, frame]).join("");
        assert!(line.starts_with("error "), "{line}");
    }
}
