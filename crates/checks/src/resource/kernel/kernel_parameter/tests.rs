//! Tests of the `kernel_parameter` resource with recorded frames.

use super::*;
use crate::tests::lines;

const OWN: (&str, &str, i32, &str, &str) = ("identity", "", 0, "-", "uid=0\nkernel_owned=yes\n");
const FOREIGN: (&str, &str, i32, &str, &str) = ("identity", "", 0, "-", "uid=0\nkernel_owned=no\n");

/// Encodes files as the collector sends them.
fn encode_files(files: &[(&str, &str)]) -> String {
    let mut head = String::new();
    let mut tail = String::new();
    for (path, content) in files {
        head += &format!("f {path}\n@ .{path}\n");
        tail += &format!("=.{path}\n");
        content
            .lines()
            .for_each(|line| tail += &format!("|{line}\n"));
    }
    head + &tail
}

fn configured_value(name: &str, written: &[(&str, &str)]) -> String {
    let merged = SysctlSettings::parse(&encode_files(written)).expect("files");
    let found = merged.setting_of(&sysctl_path(name));
    match found.map(|s| &s.value) {
        None => "unset".to_owned(),
        Some(None) => "excluded".to_owned(),
        Some(Some(value)) => value.clone(),
    }
}

/// Parameter, files with their content, and expected value.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

fn assert_configured_values(cases: &[Case<'_>]) {
    for (name, written, expected) in cases {
        assert_eq!(
            configured_value(name, written),
            *expected,
            "{name} {written:?}"
        );
    }
}

#[test]
fn later_file_by_name_wins() {
    assert_configured_values(&[
        (
            "a.b",
            &[
                ("/etc/sysctl.d/1.conf", "a.b=1"),
                ("/usr/lib/sysctl.d/2.conf", "a.b=2"),
            ],
            "2",
        ),
        (
            "a.b",
            &[
                ("/etc/sysctl.d/9.conf", "a.b=1"),
                ("/usr/lib/sysctl.d/2.conf", "a.b=2"),
            ],
            "1",
        ),
        (
            "a.b",
            &[
                ("/etc/sysctl.d/9.conf", "x=1"),
                ("/run/sysctl.d/9.conf", "a.b=2"),
            ],
            "unset",
        ),
        (
            "a.b",
            &[
                ("/etc/sysctl.d/10.conf", "a.b=1"),
                ("/run/sysctl.d/9.conf", "a.b=2"),
            ],
            "2",
        ),
        (
            "a.b",
            &[
                ("/etc/sysctl.d/99-sysctl.conf", "a.b=1"),
                ("/etc/sysctl.d/99-z.conf", "a.b=2"),
            ],
            "2",
        ),
        (
            "a.b",
            &[
                ("/etc/sysctl.d/99-z.conf", "a.b=2"),
                ("/etc/sysctl.conf", "a.b=1"),
            ],
            "1",
        ),
    ]);
}

#[test]
fn lines_follow_the_sysctl_syntax() {
    assert_configured_values(&[
        (
            "a.b",
            &[("/etc/sysctl.d/1.conf", "a.b=1\na.b=2\n a.b =  3 4\t5 ")],
            "3 4 5",
        ),
        (
            "a.b",
            &[(
                "/etc/sysctl.d/1.conf",
                "#a.b=1\n;a.b=2\n  # a.b=3\nnonsense\n",
            )],
            "unset",
        ),
        ("a.b", &[("/etc/sysctl.d/1.conf", "-a.b = 1")], "1"),
        ("a.b", &[("/etc/sysctl.d/1.conf", "a/b=1")], "1"),
    ]);
}

#[test]
fn slashes_and_dots_separate_names() {
    assert_configured_values(&[
        ("a/b", &[("/etc/sysctl.d/1.conf", "/a//b=1=2")], "1=2"),
        (
            "net/ipv4/conf/e.200/fw",
            &[("/etc/sysctl.d/1.conf", "net/ipv4/conf/e.200/fw=1")],
            "1",
        ),
        (
            "net.ipv4.conf.e/200.fw",
            &[("/etc/sysctl.d/1.conf", "net/ipv4/conf/e.200/fw=1")],
            "1",
        ),
        (
            "net.ipv4.conf.e.200.fw",
            &[("/etc/sysctl.d/1.conf", "net/ipv4/conf/e.200/fw=1")],
            "unset",
        ),
    ]);
}

#[test]
fn patterns_apply_to_one_level() {
    assert_configured_values(&[
        ("a.x.c", &[("/etc/sysctl.d/1.conf", "a.*.c=1")], "1"),
        ("a.x.y.c", &[("/etc/sysctl.d/1.conf", "a.*.c=1")], "unset"),
        (
            "a.x.c",
            &[("/etc/sysctl.d/1.conf", "a.*.c=1\na.?.c=2")],
            "2",
        ),
        (
            "a.x.c",
            &[("/etc/sysctl.d/1.conf", "a.[w-y].c=3\na.[!x].c=2\na.[.c=4")],
            "3",
        ),
    ]);
}

#[test]
fn exact_name_excludes_or_overrides_pattern() {
    assert_configured_values(&[
        (
            "a.x.c",
            &[("/etc/sysctl.d/1.conf", "a.*.c=1\n-a.x.c")],
            "excluded",
        ),
        (
            "a.x.c",
            &[("/etc/sysctl.d/1.conf", "-a.x.c\na.*.c=1")],
            "excluded",
        ),
        (
            "a.x.c",
            &[
                ("/etc/sysctl.d/1.conf", "a.x.c=2"),
                ("/etc/sysctl.d/2.conf", "a.*.c=1"),
            ],
            "2",
        ),
        (
            "a.x.c",
            &[
                ("/etc/sysctl.d/1.conf", "-a.x.c"),
                ("/etc/sysctl.d/2.conf", "a.x.c=1"),
            ],
            "1",
        ),
    ]);
}

#[test]
fn repeated_line_keeps_its_position() {
    // The order of patterns decides the value. A repeated pattern keeps its first position.
    let written = [("/etc/sysctl.d/1.conf", "a.*.c=1\na.x*.c=2\na.*.c=1")];
    assert_eq!(configured_value("a.xy.c", &written), "2");
    let written = [("/etc/sysctl.d/1.conf", "a.*.c=1\na.x*.c=2\na.*.c=3")];
    assert_eq!(configured_value("a.xy.c", &written), "3");
}

#[test]
fn configured_and_running_values_differ() {
    let written = encode_files(&[(
        "/etc/sysctl.d/50-a.conf",
        "net.ipv4.ip_forward = 0\nkernel.sysrq=1",
    )]);
    let state = "f net/ipv4/ip_forward\nf vm/x\nu kernel/sysrq\n- kernel/no/such\n\
        net/ipv4/ip_forward:1\nvm/x:1\t2\nvm/x:3\n";
    let frames = |identity| {
        [
            identity,
            ("sysctl-files", "", 0, "-", written.as_str()),
            ("sysctl", "", 0, "-", state),
        ]
    };
    let judge_check =
        |yaml: &str, identity| lines(&format!("- {yaml}"), &frames(identity)).join("");
    let name = "kernel_parameter: net.ipv4.ip_forward";
    assert!(
        judge_check(
            &format!("{{{name}, configured: 0, file: /etc/sysctl.d/50-a.conf}}"),
            OWN
        )
        .starts_with("passed")
    );
    assert_eq!(
        judge_check(&format!("{{{name}, configured: 0, running: 0}}"), OWN),
        "failed  kernel_parameter:net.ipv4.ip_forward  running: expected \"0\", actual \"1\""
    );
    assert!(
        judge_check(&format!("{{{name}, configured: 0, running: 0}}"), FOREIGN)
            .starts_with("skipped")
    );
    assert!(
        judge_check(&format!("{{{name}, configured: 1, running: 1}}"), FOREIGN)
            .starts_with("failed")
    );
    assert!(judge_check(&format!("{{{name}, value: 1}}"), OWN).starts_with("passed"));
    assert!(judge_check("{kernel_parameter: vm.x, running: 1 2 3}", OWN).starts_with("passed"));
    let missing = judge_check("{kernel_parameter: kernel.no.such, running: {not: 1}}", OWN);
    assert!(
        missing.starts_with("failed") && missing.contains("not a parameter of this kernel"),
        "{missing}"
    );
    let unset = judge_check(
        "{kernel_parameter: kernel.no.such, configured: {not: 1}}",
        OWN,
    );
    assert!(
        unset.starts_with("failed") && unset.contains("is not set in sysctl.d"),
        "{unset}"
    );
    assert!(
        judge_check(
            "{kernel_parameter: kernel.no.such, configured: {absent: true}}",
            OWN
        )
        .starts_with("passed")
    );
    assert!(
        judge_check("{kernel_parameter: kernel.sysrq, running: {not: 1}}", OWN)
            .starts_with("error")
    );
    assert!(
        judge_check(
            "{kernel_parameter: kernel.other, running: {absent: true}}",
            OWN
        )
        .starts_with("error")
    );
    let directory = (
        "identity",
        "",
        0,
        "-",
        "uid=0\nkernel_owned=yes\ndirectory=yes\n",
    );
    assert!(judge_check(&format!("{{{name}, running: 0}}"), directory).starts_with("skipped"));
}

#[test]
fn unreadable_file_is_an_error() {
    for files in [
        ("sysctl-files", "", 2, "-", ""),
        ("sysctl-files", "", 0, "-", "u /etc/sysctl.d/a.conf\n"),
    ] {
        let verdicts = lines(
            "- {kernel_parameter: a.b, configured: {absent: true}}",
            &[OWN, files],
        );
        assert!(verdicts[0].starts_with("error"), "{verdicts:?}");
    }
    let verdicts = lines(
        "- {kernel_parameter: a.b, running: {absent: true}}",
        &[OWN, ("sysctl", "", 3, "-", "no")],
    );
    assert!(verdicts[0].starts_with("error"), "{verdicts:?}");
}

#[test]
fn invalid_names_are_rejected() {
    for good in [
        "net.ipv4.ip_forward",
        "net/ipv4/conf/eth0.1/forwarding",
        "vm.mmap_min_addr",
    ] {
        assert_eq!(check_name(good), Ok(()), "{good}");
    }
    for bad in [
        "net.ipv4.*",
        "a b",
        "a=b",
        "../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "-x",
        "",
        ".",
        "a\nb",
    ] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}

#[test]
fn base_call_has_valid_names() {
    for word in BASE.split(' ').skip(2) {
        assert!(
            word.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
                && word.contains('/'),
            "{word}"
        );
    }
}
