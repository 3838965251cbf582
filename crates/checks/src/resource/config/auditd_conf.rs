//! The `auditd_conf` resource: the settings of the audit daemon.

use std::collections::BTreeMap;

use super::login_defs::{check_path, observe_setting, requests};
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::kind::{Kind, Property, Subject, Target, ValueType};
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "auditd_conf",
    doc: "Settings of auditd.conf(5) by name. Names are not case-sensitive. The last line with a \
          name counts.",
    subject: Subject {
        name: "path",
        doc: "Path of the file: /etc/audit/auditd.conf.",
        words: &[],
        check: check_path,
    },
    parameters: &[],
    properties: &[],
    open: Some(Property::new(
        "",
        ValueType::Setting,
        "Setting, such as max_log_file_action.",
    )),
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("config_file.sh"),
    requests,
    observe,
};

/// Parses lines like `nv_split` in auditd-config.c.
///
/// A line has a name, `=`, a value and an optional option, with spaces between. auditd does not
/// start if a line has another form.
fn parse_settings(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut out = BTreeMap::new();
    for (i, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [name, "=", values @ ..] if matches!(values.len(), 1 | 2) => {
                out.insert(name.to_ascii_lowercase(), values.join(" "));
            }
            _ => {
                return Err(format!(
                    "line {}: not in the form `name = value`, so auditd refuses it",
                    i + 1
                ));
            }
        }
    }
    Ok(out)
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observation {
    observe_setting(target, &property.to_ascii_lowercase(), view, parse_settings)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const PATH: &str = "/etc/audit/auditd.conf";

    fn judge_check(yaml: &str, rc: i32, text: &str) -> String {
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
                judge_check(yaml, 0, text).starts_with("passed"),
                "{yaml}: {}",
                judge_check(yaml, 0, text)
            );
        }
        for yaml in [
            "num_logs: 5",
            "flush: {not: none}",
            "max_log_file_action: keep_logs",
        ] {
            assert!(judge_check(yaml, 0, text).starts_with("failed"), "{yaml}");
        }
    }

    #[test]
    fn line_that_auditd_refuses_is_an_error() {
        for line in ["num_logs=5", "num_logs 5", "num_logs =", "num_logs = 5 6 7"] {
            let verdict = judge_check("num_logs: 5", 0, &format!("\n{line}\n"));
            assert!(
                verdict.starts_with("error") && verdict.contains("line 2"),
                "{verdict}"
            );
        }
        assert!(judge_check("num_logs: {not: 5}", 1, "").starts_with("failed"));
        assert!(judge_check("num_logs: {absent: true}", 2, "").starts_with("error"));
    }
}
