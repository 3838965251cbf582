//! Tests of the `repositories` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

fn judge_check(yaml: &str, text: &str) -> String {
    let keys = "-rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/apt/trusted.gpg.d/debian.asc\n";
    lines(
        &format!("- {{repositories: all{yaml}}}"),
        &[
            IDENTITY,
            ("repositories", "", 0, "-", text),
            ("apt_keys", "", 0, "-", keys),
        ],
    )
    .join("")
}

const APT: &str = "./etc/apt/sources.list\tdeb [signed-by=/k.gpg,/l.gpg arch=amd64] \
    http://deb.debian.org/debian bookworm main contrib # x\n./etc/apt/sources.list\t\n\
    ./etc/apt/sources.list.d/a.sources\tTypes: deb\n\
    ./etc/apt/sources.list.d/a.sources\tURIs: https://a/ https://...@b/\n\
    ./etc/apt/sources.list.d/a.sources\tSuites: bookworm-security\n\
    ./etc/apt/sources.list.d/a.sources\tComponents: main\n\
    ./etc/apt/sources.list.d/a.sources\tSigned-By:\n./etc/apt/sources.list.d/a.sources\t\n\
    ./etc/apt/sources.list.d/a.sources\tEnabled: no\n\
    ./etc/apt/sources.list.d/a.sources\tURIs: http://off/\n\
    find: './etc/yum.repos.d': No such file or directory\n!1\n";

#[test]
fn both_apt_formats_are_parsed() {
    for yaml in [
        "uris: {same_set: [\"http://deb.debian.org/debian\", \"https://a/\", \"https://...@b/\"]}",
        "suites: {same_set: [bookworm, bookworm-security]}",
        "components: {same_set: [main, contrib]}",
        "files: {same_set: [/etc/apt/sources.list, /etc/apt/sources.list.d/a.sources]}",
        "keys: {same_set: [/k.gpg, /l.gpg, inline, /etc/apt/trusted.gpg.d/debian.asc]}",
        "insecure: {empty: true}",
    ] {
        assert_eq!(
            judge_check(&format!(", {yaml}"), APT),
            "passed  repositories:all",
            "{yaml}"
        );
    }
}

#[test]
fn unverified_repository_is_insecure() {
    for (text, insecure) in [
        ("./etc/apt/sources.list\tdeb http://x/ y main\n", true),
        ("./etc/apt/sources.list\tdeb https://x/ y main\n", false),
        (
            "./etc/apt/sources.list\tdeb [trusted=yes] https://x/ y main\n",
            true,
        ),
        (
            "./etc/apt/sources.list.d/a.sources\tURIs: https://x/\n\
                ./etc/apt/sources.list.d/a.sources\tTrusted: yes\n",
            true,
        ),
        (
            "./etc/yum.repos.d/a.repo\t[base]\n./etc/yum.repos.d/a.repo\tbaseurl=https://x/\n",
            false,
        ),
        (
            "./etc/yum.repos.d/a.repo\t[base]\n./etc/yum.repos.d/a.repo\tbaseurl=https://x/\n\
                ./etc/yum.repos.d/a.repo\tgpgcheck = 0\n",
            true,
        ),
        (
            "./etc/yum.repos.d/a.repo\t[base]\n./etc/yum.repos.d/a.repo\tenabled=0\n\
                ./etc/yum.repos.d/a.repo\tgpgcheck=0\n",
            false,
        ),
    ] {
        assert_eq!(
            judge_check("", text).starts_with("failed"),
            insecure,
            "{text}"
        );
    }
    assert!(
        judge_check(
            "",
            "awk: cannot open \"./etc/apt/sources.list\" (Permission denied)\n!1\n"
        )
        .starts_with("error")
    );
}
