//! Tests of the `sudoers` resource with recorded frames.

use super::parse::{Statement, parse};
use crate::tests::{IDENTITY, lines};

fn describe(text: &str) -> Vec<String> {
    let show = |(line, statement): (usize, Statement)| match statement {
        Statement::Include { path, directory } => format!("{line} include {path} {directory}"),
        Statement::Aliases(all) => format!("{line} alias {all:?}"),
        Statement::Exempt(users) => format!("{line} exempt {}", users.join(",")),
        Statement::Rule {
            users,
            passwordless,
            ..
        } => format!("{line} {} {passwordless}", users.join(",")),
        Statement::Unknown(why) => format!("{line} {why}"),
    };
    parse(text).into_iter().map(show).collect()
}

#[test]
fn sudoers_lines_are_parsed_like_sudo() {
    for (text, expected) in [
        (
            "# x NOPASSWD: ALL\n\nroot ALL=(ALL:ALL) ALL",
            "3 root false",
        ),
        ("bob ALL=(ALL) NOPASSWD: ALL # why", "1 bob true"),
        ("bob ALL=(ALL) \\\n  NOPASSWD : ALL", "1 bob true"),
        ("# comment \\\nbob ALL=NOPASSWD:ALL", "2 bob true"),
        (
            "bob ALL=ALL # x \\\neve ALL=NOPASSWD:ALL",
            "1 bob false|2 eve true",
        ),
        ("#1000, %#27, +n ALL=NOPASSWD: ALL", "1 #1000,%#27,+n true"),
        (
            "!x, %a\\ b , \"c d\" ALL=ALL, NOPASSWD:/bin/x",
            "1 %a b,c d true",
        ),
        ("bob ALL=/bin/NOPASSWD, XNOPASSWD: x", "1 bob false"),
        ("Defaults !authenticate", "1 exempt ALL"),
        ("Defaults\tenv_reset, ! authenticate", "1 exempt ALL"),
        (
            "Defaults:bob,%x !requiretty, !authenticate",
            "1 exempt bob,%x",
        ),
        ("Defaults>root !authenticate", "1 exempt ALL"),
        ("Defaults!/bin/ls !authenticate", "1 exempt ALL"),
        (
            "Defaults authenticate, !!authenticate, secure_path=\"/a:!authenticate\"",
            "",
        ),
        ("Defaults exempt_group = admins", "1 exempt %admins"),
        ("Cmnd_Alias X = /bin/a, /bin/b", ""),
        (
            "User_Alias A = x, %y : B = z",
            "1 alias [(\"A\", [\"x\", \"%y\"]), (\"B\", [\"z\"])]",
        ),
        (
            "#include /a b\n@includedir \"/c d\" \n#includes",
            "1 include /a false|2 include /c d true",
        ),
        (
            "@include /x\\ y\n  #includedir z\n  @includedir z",
            "1 include /x y false|3 include z true",
        ),
        ("@include \\\n /x", "1 include /x false"),
        (
            "root ALL=ALL \\\n#include /x",
            "1 root false|2 include /x false",
        ),
        ("@include", "1 an include has no path"),
        ("nonsense", "1 the line is not a rule"),
    ] {
        assert_eq!(describe(text).join("|"), expected, "{text:?}");
    }
}

const MAIN: &str = "Defaults env_reset\nUser_Alias OPS = bob, MORE\nUser_Alias MORE = eve, OPS\n\
    root ALL=(ALL:ALL) ALL\nOPS ALL=(ALL)   NOPASSWD: ALL\n@includedir /opt/sudo.d\n\
    @include missing\n@includedir /nowhere\n";

fn judge_checks(yaml: &str, log: &str, main: &str) -> String {
    let frames = [
        IDENTITY,
        ("sudoers", "", 0, "-", log),
        ("sudoers_file", "/etc/sudoers", 0, "-", main),
        (
            "sudoers_file",
            "/opt/sudo.d/x",
            0,
            "-",
            "amy ALL=NOPASSWD:ALL\n#include /etc/sudoers\n",
        ),
        ("sudoers_file", "/etc/missing", 1, "-", ""),
        (
            "sudoers_stats",
            "",
            0,
            "-",
            "-r--r----- 1 0 0 9 Jan  1 12:00 ./etc/sudoers\n\
             -rw-rw---- 1 0 5 9 Jan  1 12:00 ./opt/sudo.d/x\n\
             drwxr-xr-x 1 7 0 9 Jan  1 12:00 ./opt/sudo.d\ndrwxr-xr-x 1 0 0 9 Jan  1 12:00 .\n",
        ),
    ];
    lines(&format!("- {{sudoers: all, {yaml}}}"), &frames).join("")
}

const LOG: &str = "> /etc/sudoers\n? /opt/sudo.d\n= /opt/sudo.d/x\n? /nowhere\n-\n";

#[test]
fn passwordless_users_come_from_all_files() {
    for yaml in [
        "passwordless: {same_set: [amy, bob, eve]}",
        "files: {same_set: [/etc/sudoers, /opt/sudo.d/x]}",
        "unsafe: {same_set: [/opt/sudo.d, /opt/sudo.d/x]}",
        "rules: {include: \"OPS ALL=(ALL) NOPASSWD: ALL\"}",
        "problems: {same_set: [\"/opt/sudo.d/x:2: circular include of /etc/sudoers\", \
            \"/etc/sudoers:7: /etc/missing does not exist\"]}",
    ] {
        let line = judge_checks(yaml, LOG, MAIN);
        assert!(line.starts_with("passed"), "{line}");
    }
    let line = judge_checks("passwordless: {subset_of: [bob, eve]}", LOG, MAIN);
    assert!(line.contains("not allowed: \"amy\""), "{line}");
}

#[test]
fn unknown_includes_are_no_pass() {
    for (log, main, part) in [
        (
            "> /etc/sudoers\n! more than 200 files\n",
            MAIN,
            "more than 200 files",
        ),
        (
            "> /etc/sudoers\n",
            MAIN,
            "/opt/sudo.d: it was not collected",
        ),
        (
            "> /etc/sudoers\n? /opt/sudo.d\n! permission denied\n",
            MAIN,
            "permission denied",
        ),
        (LOG, "@include /etc/%h\n", "`%h`"),
        (
            LOG,
            "@include /etc/other\n",
            "/etc/other: it was not collected",
        ),
        ("> /etc/sudoers\n= x\nsurprise\n", MAIN, "unknown format"),
    ] {
        let line = judge_checks("passwordless: {empty: true}", log, main);
        assert!(line.starts_with("error") && line.contains(part), "{line}");
    }
}
