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
            true,
        ),
        (
            "./etc/dnf/dnf.conf\t[main]\n./etc/dnf/dnf.conf\tgpgcheck=True\n\
                ./etc/yum.repos.d/a.repo\t[base]\n./etc/yum.repos.d/a.repo\tbaseurl=https://x/\n",
            false,
        ),
        (
            "./etc/dnf/dnf.conf\t[main]\n./etc/dnf/dnf.conf\tgpgcheck=1\n\
                ./etc/yum.repos.d/a.repo\t[base]\n./etc/yum.repos.d/a.repo\tbaseurl=https://x/\n\
                ./etc/yum.repos.d/a.repo\tgpgcheck=off\n",
            true,
        ),
        (
            "./etc/yum.repos.d/a.repo\t[base]\n./etc/yum.repos.d/a.repo\tbaseurl=https://x/\n\
                ./etc/yum.repos.d/a.repo\tgpgcheck=1\n",
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

/// Repository file of Amazon Linux 2023 and dnf.conf of Rocky Linux 9, shortened.
const DNF: &str = "./etc/dnf/dnf.conf\t[main]\n./etc/dnf/dnf.conf\tgpgcheck=1\n\
    ./etc/dnf/dnf.conf\tinstallonly_limit=3\n\
    ./etc/yum.repos.d/amazonlinux.repo\t[amazonlinux]\n\
    ./etc/yum.repos.d/amazonlinux.repo\tname=Amazon Linux 2023 repository\n\
    ./etc/yum.repos.d/amazonlinux.repo\tmirrorlist=https://cdn.amazonlinux.com/al2023/core/mirrors/$releasever/$basearch/mirror.list\n\
    ./etc/yum.repos.d/amazonlinux.repo\tenabled=1\n\
    ./etc/yum.repos.d/amazonlinux.repo\tgpgcheck=1\n\
    ./etc/yum.repos.d/amazonlinux.repo\tgpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-amazon-linux-2023\n\
    ./etc/yum.repos.d/amazonlinux.repo\t[amazonlinux-source]\n\
    ./etc/yum.repos.d/amazonlinux.repo\tbaseurl=https://off/\n\
    ./etc/yum.repos.d/amazonlinux.repo\tenabled=0\n\
    ./etc/yum.repos.d/own.repo\t[own]\n./etc/yum.repos.d/own.repo\tbaseurl = https://a/?x=1\n\
    ./etc/yum.repos.d/own.repo\t  https://b/\n";

#[test]
fn dnf_repositories_are_parsed() {
    let judge_check = |yaml: &str, manager: &'static str| {
        lines(
            &format!("- {{repositories: all, {yaml}}}"),
            &[
                IDENTITY,
                ("package_manager", "", 0, "-", manager),
                ("repositories", "", 0, "-", DNF),
                ("apt_keys", "", 0, "-", ""),
            ],
        )
        .join("")
    };
    for yaml in [
        "uris: {same_set: [\"https://a/?x=1\", \
         \"https://cdn.amazonlinux.com/al2023/core/mirrors/$releasever/$basearch/mirror.list\"]}",
        "suites: {same_set: [amazonlinux, own]}",
        "files: {same_set: [/etc/yum.repos.d/amazonlinux.repo, /etc/yum.repos.d/own.repo]}",
        "keys: {same_set: [\"file:///etc/pki/rpm-gpg/RPM-GPG-KEY-amazon-linux-2023\"]}",
        "insecure: {empty: true}",
    ] {
        assert_eq!(
            judge_check(yaml, "rpm"),
            "passed  repositories:all",
            "{yaml}"
        );
    }
    assert_eq!(
        judge_check("components: {include: main}", "rpm"),
        "skipped repositories:all  components: repositories of dnf have no components"
    );
}
