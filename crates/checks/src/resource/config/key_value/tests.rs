//! Tests of the settings of login.defs and auditd.conf.

use crate::tests::{IDENTITY, lines, refusal};

const PATH: &str = "/etc/audit/auditd.conf";

fn judge_auditd_conf(yaml: &str, rc: i32, text: &str) -> String {
    lines(
        &format!("- {{auditd_conf: {PATH}, {yaml}}}"),
        &[IDENTITY, ("config", PATH, rc, "-", text)],
    )
    .join("")
}

#[test]
fn settings_are_parsed_like_auditd() {
    let text = "#\n# x = y\nlog_file = /var/log/audit/audit.log\n\n\
        Max_Log_File_Action = KEEP_LOGS\nspace_left_action = exec /x\nnum_logs = 5\n\
        num_logs = 6\n";
    for yaml in [
        "max_log_file_action: {cmp: keep_logs}",
        "MAX_LOG_FILE_ACTION: KEEP_LOGS",
        "space_left_action: exec /x",
        "num_logs: {at_least: 6}",
        "flush: {absent: true}",
    ] {
        assert!(
            judge_auditd_conf(yaml, 0, text).starts_with("passed"),
            "{yaml}: {}",
            judge_auditd_conf(yaml, 0, text)
        );
    }
    for yaml in [
        "num_logs: 5",
        "flush: {not: none}",
        "max_log_file_action: keep_logs",
    ] {
        assert!(
            judge_auditd_conf(yaml, 0, text).starts_with("failed"),
            "{yaml}"
        );
    }
}

#[test]
fn line_that_auditd_refuses_is_an_error() {
    for line in ["num_logs=5", "num_logs 5", "num_logs =", "num_logs = 5 6 7"] {
        let verdict = judge_auditd_conf("num_logs: 5", 0, &format!("\n{line}\n"));
        assert!(
            verdict.starts_with("error") && verdict.contains("line 2"),
            "{verdict}"
        );
    }
    assert!(judge_auditd_conf("num_logs: {not: 5}", 1, "").starts_with("failed"));
    assert!(judge_auditd_conf("num_logs: {absent: true}", 2, "").starts_with("error"));
}

fn judge_login_defs(yaml: &str, rc: i32, text: &str) -> String {
    lines(
        &format!("- {{login_defs: /etc/login.defs, {yaml}}}"),
        &[IDENTITY, ("config", "/etc/login.defs", rc, "-", text)],
    )
    .join("")
}

#[test]
fn settings_are_parsed_like_shadow() {
    let text = "# UMASK 000\r\nUMASK\t\t022\nENV_PATH \"PATH=/bin\" x\n UMASK 027 \n\
        PASS_MAX_DAYS 60 # days\nALONE\n";
    for yaml in [
        "UMASK: \"027\"",
        "UMASK: {cmp: 27}",
        "ENV_PATH: PATH=/bin",
        "PASS_MAX_DAYS: \"60 # days\"",
        "ALONE: {absent: true}",
    ] {
        assert!(
            judge_login_defs(yaml, 0, text).starts_with("passed"),
            "{yaml}: {}",
            judge_login_defs(yaml, 0, text)
        );
    }
    for yaml in [
        "UMASK: \"022\"",
        "umask: \"027\"",
        "UMASK: {not: \"027\"}",
        "NEVER: {not: x}",
    ] {
        assert!(
            judge_login_defs(yaml, 0, text).starts_with("failed"),
            "{yaml}"
        );
    }
}

#[test]
fn missing_file_fails_and_unreadable_one_is_error() {
    assert!(judge_login_defs("UMASK: {not: \"022\"}", 1, "").ends_with("but it does not exist"));
    assert!(judge_login_defs("UMASK: {absent: true}", 2, "ls").starts_with("error"));
    assert!(refusal("{login_defs: /etc/shadow, x: y}").contains("hashes"));
}

#[test]
fn two_resources_parse_one_file_separately() {
    let both = "- {login_defs: /x, umask: = 027}\n- {auditd_conf: /x, umask: \"027\"}\n\
        - {login_defs: /x, UMASK: {absent: true}}";
    let verdicts = lines(both, &[IDENTITY, ("config", "/x", 0, "-", "umask = 027\n")]);
    assert!(
        verdicts.iter().all(|line| line.starts_with("passed")),
        "{verdicts:?}"
    );
}
