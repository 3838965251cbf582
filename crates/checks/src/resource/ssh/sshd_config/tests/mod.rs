//! Tests of the `sshd_config` resource with recorded frames.

mod blocks;

use crate::tests::{IDENTITY, lines};

type Frame<'a> = (&'a str, &'a str, i32, &'a str, &'a str);

const MAIN: &str = "/etc/ssh/sshd_config";
const DIRECTORY: Frame<'static> = ("identity", "", 0, "-", "uid=0\ndirectory=yes\n");

fn main_file(text: &str) -> Frame<'_> {
    ("config", MAIN, 0, "-", text)
}

fn judge_check(expected: &str, frames: &[Frame<'_>]) -> String {
    lines(&format!("- {{sshd_config: {expected}}}"), frames).join("")
}

#[track_caller]
fn assert_outcomes(outcome: &str, expected: &[&str], frames: &[Frame<'_>]) {
    for yaml in expected {
        let line = judge_check(yaml, frames);
        assert!(line.starts_with(outcome), "{yaml}: {line}");
    }
}

#[test]
fn first_value_wins_across_drop_ins() {
    let drop_ins = "? /etc/ssh/sshd_config.d/*.conf\n= /etc/ssh/sshd_config.d/10.conf\n\
        = /etc/ssh/sshd_config.d/20.conf\n";
    let ten = (
        "config",
        "/etc/ssh/sshd_config.d/10.conf",
        0,
        "-",
        "permitrootlogin no\nHostKey /a\n",
    );
    let twenty = (
        "config",
        "/etc/ssh/sshd_config.d/20.conf",
        0,
        "-",
        "PermitRootLogin yes\nHostKey /b\nBanner=/etc/issue\n",
    );
    let text = "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\nBanner none\n\
        HostKey /c\nMaxAuthTries 2 # few\n";
    let frames = [
        IDENTITY,
        main_file(text),
        ("include", MAIN, 0, "-", drop_ins),
        ten,
        twenty,
    ];
    assert_outcomes(
        "passed",
        &[
            "file, PermitRootLogin: \"no\"",
            "file, PERMITROOTLOGIN: \"no\"",
            "file, Banner: /etc/issue",
            "file, HostKey: {same_set: [/a, /b, /c], count: 3}",
            "file, MaxAuthTries: {at_most: 2}",
            "file, UseLogin: {absent: true}",
        ],
        &frames,
    );
    assert_outcomes(
        "failed",
        &[
            "file, PermitRootLogin: \"yes\"",
            "file, UseLogin: {not: \"yes\"}",
        ],
        &frames,
    );
    // The include comes after the options of the main file.
    let late = text.replacen("Include /etc/ssh/sshd_config.d/*.conf\n", "", 1)
        + "Include sshd_config.d/*.conf\n";
    let frames = [
        IDENTITY,
        main_file(&late),
        ("include", MAIN, 0, "-", drop_ins),
        ten,
        twenty,
    ];
    assert_outcomes(
        "passed",
        &[
            "file, PermitRootLogin: \"yes\"",
            "file, HostKey: {include: /a}",
        ],
        &frames,
    );
}

#[test]
fn lists_are_compared_by_items() {
    let frames = [
        IDENTITY,
        main_file("Ciphers a@x,b,c\nAllowUsers a b\nAllowUsers c\nAuthenticationMethods a,b c\n"),
    ];
    assert_outcomes(
        "passed",
        &[
            "file, Ciphers: \"a@x,b,c\"",
            "file, Ciphers: {same_set: [c, b, a@x]}",
            "file, Ciphers: {subset_of: [a@x, b, c, d], count: 3, disjoint: [z]}",
            "file, AllowUsers: {same_set: [a, b, c]}",
            "file, AuthenticationMethods: \"a,b c\"",
        ],
        &frames,
    );
    assert_outcomes(
        "failed",
        &[
            "file, Ciphers: {subset_of: [a@x, b]}",
            "file, Ciphers: {disjoint: [b]}",
        ],
        &frames,
    );
}

#[test]
fn unreadable_or_unresolvable_include_is_an_error() {
    let include = main_file("Include /glob\nPort 22\n");
    let glob = |text| ("include", MAIN, 0, "-", text);
    let cases: &[&[Frame<'_>]] = &[
        &[("config", MAIN, 2, "-", "Permission denied")],
        &[("config", MAIN, 3, "-", "it is not a regular file")],
        &[("config", MAIN, 0, "t", "Port 22")],
        &[main_file("Port 22\nBanner \"x\n")],
        &[main_file("Port 22\nInclude ~/x\n")],
        &[include],
        &[include, glob("? /other\n= /inner\n")],
        &[include, glob("/inner\n")],
        &[include, glob("? /glob\n! permission denied\n")],
        &[include, glob("? /glob\n= /inner\n")],
        &[
            include,
            glob("? /glob\n= /inner\n"),
            ("config", "/inner", 2, "-", "Permission denied"),
        ],
        &[
            include,
            glob("? /glob\n= /inner\n"),
            ("config", "/inner", 1, "-", ""),
        ],
        &[
            include,
            glob("? /glob\n= /inner\n"),
            ("config", "/inner", 0, "-", "Include /glob\n"),
        ],
        &[
            include,
            glob("? /glob\n= /inner\n= /inner\n"),
            ("config", "/inner", 0, "-", "Include /glob /glob\n"),
        ],
    ];
    for frames in cases {
        let all: Vec<Frame<'_>> = std::iter::once(IDENTITY)
            .chain(frames.iter().copied())
            .collect();
        assert_outcomes(
            "error",
            &["file, Port: 22", "file, Banner: {absent: true}"],
            &all,
        );
    }
    assert!(judge_check("file, Port: 22", &[IDENTITY]).ends_with("it was not collected"));
    for frames in [
        &[include, glob("? /glob\n")][..],
        &[
            include,
            glob("? /glob\n= /d\n"),
            ("config", "/d", 0, "d", ""),
        ],
    ] {
        let all: Vec<Frame<'_>> = std::iter::once(IDENTITY)
            .chain(frames.iter().copied())
            .collect();
        assert_outcomes("passed", &["file, Port: 22"], &all);
    }
    assert_outcomes(
        "failed",
        &["file, Port: {not: 22}"],
        &[IDENTITY, ("config", MAIN, 1, "-", "")],
    );
}

#[test]
fn effective_options_come_from_the_server() {
    let output = "port 22\npermitrootlogin without-password\nhostkey /a\nhostkey /b\nciphers a,b\n\
        logingracetime 30\nkbdinteractiveauthentication no\nforcecommand none\n";
    let frames = [
        IDENTITY,
        main_file("Port 23\nDebianBanner no\nUseLogin no\n"),
        ("sshd-effective", "", 0, "-", output),
    ];
    assert_outcomes(
        "passed",
        &[
            "effective, Port: 22",
            "effective, port: {at_most: 22}",
            "effective, PermitRootLogin: {in: [\"no\", prohibit-password]}",
            "effective, HostKey: {superset_of: [/b]}",
            "effective, Ciphers: {same_set: [b, a]}",
            "effective, LoginGraceTime: {at_most: 30s}",
            "effective, ChallengeResponseAuthentication: \"no\"",
            // Options that sshd does not print come from the files.
            "effective, DebianBanner: \"no\"",
            "effective, UsePrivilegeSeparation: {absent: true}",
        ],
        &frames,
    );
    assert_outcomes(
        "failed",
        &[
            "effective, AllowUsers: {not: x}",
            "effective, UseLogin: {absent: true}",
        ],
        &frames,
    );
}

#[test]
fn defaults_are_unknown_without_server() {
    let text = "PermitRootLogin Without-Password\nLoginGraceTime 2m\nLogLevel verbose\n\
        X11Forwarding NO\nMACs +a\nMatch User x\nBanner none\n";
    let silent = (
        "sshd-effective",
        "",
        3,
        "-",
        "sshd: no hostkeys available -- exiting.\n",
    );
    for frames in [
        &[IDENTITY, main_file(text), silent][..],
        &[DIRECTORY, main_file(text)],
        &[
            IDENTITY,
            main_file(text),
            ("sshd-effective", "", 1, "-", ""),
        ],
    ] {
        assert_outcomes(
            "passed",
            &[
                "effective, PermitRootLogin: prohibit-password",
                "effective, LoginGraceTime: 120",
                "effective, LogLevel: VERBOSE",
                "effective, X11Forwarding: \"no\"",
            ],
            frames,
        );
        assert_outcomes(
            "error",
            &[
                "effective, Port: 22",
                "effective, UseLogin: {absent: true}",
                "effective, MACs: +a",
                "effective, Banner: none",
            ],
            frames,
        );
    }
    let line = judge_check("effective, Port: 22", &[IDENTITY, main_file(text), silent]);
    assert!(line.contains("no hostkeys available"), "{line}");
    // A configuration that sshd refuses is an error.
    let refused = (
        "sshd-effective",
        "",
        3,
        "-",
        "x: line 3: Bad configuration option: foo\nx: terminating, 1 bad configuration options\n",
    );
    let line = judge_check(
        "effective, X11Forwarding: \"no\"",
        &[IDENTITY, main_file(text), refused],
    );
    assert!(
        line.starts_with("error") && line.contains("sshd -T says"),
        "{line}"
    );
    assert_outcomes(
        "failed",
        &["effective, Port: 22"],
        &[DIRECTORY, ("config", MAIN, 1, "-", "")],
    );
}

#[test]
fn known_version_has_known_defaults() {
    let text = "PermitRootLogin no\nMatch User x\nBanner /x\n";
    let judged_with = |os: &str, version: &str, yaml: &str| {
        let row =
            format!("openssh-server\tamd64\tinstall ok installed\t{version}\topenssh\t{version}\n");
        let frames = [
            DIRECTORY,
            main_file(text),
            ("os-release", "", 0, "-", os),
            ("packages", "", 0, "-", row.as_str()),
        ];
        judge_check(yaml, &frames)
    };
    let debian = "PRETTY_NAME=x\nID=debian\n";
    for version in ["1:9.2p1-2+deb12u7", "1:10.0p1-7"] {
        for (yaml, outcome) in [
            (
                "effective, Port: 22, Banner: none, X11UseLocalhost: \"yes\", PermitRootLogin: \
                    \"no\"",
                "passed",
            ),
            (
                "effective, MACs: {superset_of: [hmac-sha2-512-etm@openssh.com]}, LoginGraceTime: \
                    120",
                "passed",
            ),
            ("effective, AllowUsers: {absent: true}", "passed"),
            ("effective, AllowUsers: {not: x}", "failed"),
            ("effective, ListenAddress: {absent: true}", "error"),
        ] {
            let line = judged_with(debian, version, yaml);
            assert!(line.starts_with(outcome), "{version} {yaml}: {line}");
        }
    }
    let kex = "effective, KexAlgorithms: {include: mlkem768x25519-sha256}";
    assert!(judged_with(debian, "1:9.2p1-2", kex).starts_with("failed"));
    assert!(judged_with(debian, "1:10.0p2-1", kex).starts_with("passed"));
    for (os, version) in [
        (debian, "1:9.6p1-1"),
        ("ID=ubuntu\n", "1:9.2p1-2"),
        ("ID=debian\n", "1:9.20p1-2"),
    ] {
        assert!(
            judged_with(os, version, "effective, Port: 22").starts_with("error"),
            "{os}{version}"
        );
    }
}
