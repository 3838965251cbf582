//! Tests of the `command` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

fn judge_check(yaml: &str, exit: (i32, &str), out: (&str, &str), err: &str) -> String {
    let frames = [
        IDENTITY,
        ("exit", "x", exit.0, exit.1, ""),
        ("out", "x", 0, out.0, out.1),
        ("err", "x", 0, "-", err),
    ];
    lines(&format!("- {yaml}"), &frames).join("\n")
}

#[test]
fn commands_are_judged_by_status_and_output() {
    let ok = |yaml| judge_check(yaml, (0, "-"), ("-", "a b\n"), "fine");
    assert_eq!(ok("{command: x}"), "passed  command:x");
    assert_eq!(
        ok("{command: x, stdout: {match: \"^a b$\"}, stderr: {include: fine}}"),
        "passed  command:x"
    );
    assert_eq!(
        ok("{command: x, stderr: \"\"}"),
        "failed  command:x  stderr: expected \"\", actual \"fine\""
    );
    assert_eq!(
        ok("{command: x, exit_status: {not: 0}}"),
        "failed  command:x  exit_status: expected not 0, actual 0; stderr: fine; stdout: a b"
    );
    let missing = judge_check(
        "{command: x, stdout: {include: b}}",
        (127, "-"),
        ("-", ""),
        "",
    );
    let line = "failed  command:x  stdout: expected a value including \"b\", actual \"\"; succeeds: \
        expected true, actual false (exit status 127)";
    assert_eq!(missing, line);
}

#[test]
fn failed_command_shows_its_last_output() {
    let long = format!("{}\n1\n2\n\n  3  \n", "x".repeat(900));
    let failed = judge_check("{command: x}", (1, "-"), ("-", &long), "jq: error\n");
    assert_eq!(
        failed,
        "failed  command:x  succeeds: expected true, actual false (exit status 1); stderr: jq: error; stdout: 1 | 2 | 3"
    );
    let silent = judge_check("{command: x}", (1, "-"), ("-", ""), &"y".repeat(900));
    assert!(
        silent.contains("stderr: yyy") && silent.len() < 400,
        "{silent}"
    );
}

#[test]
fn timed_out_or_truncated_command_is_an_error() {
    let late = judge_check(
        "{command: x, timeout: 3, exit_status: {not: 0}}",
        (124, "T"),
        ("-", ""),
        "",
    );
    assert_eq!(
        late,
        "error   command:x  exit_status: the command timed out after 3 s"
    );
    assert!(
        judge_check(
            "{command: x, exit_status: {not: 0}}",
            (255, "X"),
            ("-", ""),
            ""
        )
        .starts_with("error ")
    );
    assert!(
        judge_check(
            "{command: x, stdout: {not: {include: z}}}",
            (0, "-"),
            ("t", "abc"),
            ""
        )
        .starts_with("error ")
    );
    assert!(
        judge_check("{command: x, exit_status: 124}", (124, "-"), ("-", ""), "")
            .starts_with("passed"),
        "its own 124"
    );
}

#[test]
fn missing_answer_is_an_error() {
    assert!(lines("- {command: yy}", &[IDENTITY])[0].contains("it was not collected"));
}
