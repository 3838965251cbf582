//! The `processes` resource: running processes by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource::filesystem::file::account;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::sh_quote;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "processes",
    "Running processes by name. By default, there must be at least one. Judged in phase boot \
     unless `phase` is set. Skipped if the processes do not belong to the target.",
    Subject::new(
        "name",
        "Name of the program, without a directory.",
        check_name,
    ),
    observe,
)
.with_properties(&[
    Property::new("running", ValueType::Bool, "True if a process runs.").or(&[
        "exist",
        "exists",
        "be_running",
    ]),
    Property::new("count", ValueType::Number, "Number of processes."),
    Property::new(
        "users",
        ValueType::List,
        "Distinct users of the processes: a name, or a UID without a name.",
    ),
    Property::new(
        "arguments",
        ValueType::List,
        "Command lines. Text that looks like a password, token or key is removed.",
    ),
])
.with_defaults(&["running"])
.with_presence("running")
.with_phases(&[Phase::Boot])
.without_directories("nothing runs in a directory")
.with_collection(
    concat!(include_str!("redact.sh"), include_str!("processes.sh")),
    requests,
);

/// Maximum length of a process name in the kernel: `TASK_COMM_LEN` without its last byte.
const MAX_NAME_LENGTH: usize = 15;

fn check_name(name: &str) -> Result<(), InvalidValue> {
    let help = "use the name of a program, such as `sshd`";
    if name.is_empty() || name.contains(['/', '\n', '\t', '\0']) {
        return Err(InvalidValue::new(
            "the name must be a program name without a directory or control characters",
            help,
        ));
    }
    Ok(())
}

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let with_arguments = asked
        .iter()
        .filter(|one| one.properties.contains("arguments"));
    let names: BTreeSet<String> = with_arguments
        .map(|one| sh_quote(&one.target.subject))
        .collect();
    let mut words = vec!["processes".to_owned()];
    words.extend(names);
    vec![words.join(" ")]
}

/// UIDs of the processes, by process name.
type ProcessTable = BTreeMap<String, Vec<u32>>;

fn parse_processes(text: &str) -> Result<ProcessTable, ReadError> {
    let mut out = ProcessTable::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.splitn(3, '\t').collect();
        let (Some(uid), Some(name)) = (words.get(1).and_then(|w| w.parse().ok()), words.get(2))
        else {
            return Err(ReadError::unknown_line("the process table", line));
        };
        out.entry((*name).to_owned()).or_default().push(uid);
    }
    Ok(out)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if view.identity().virtualization == "chroot" {
        return Observation::Skipped("a chroot shows the processes of its host".to_owned());
    }
    if view
        .reading("processes", "")
        .is_some_and(|reading| reading.rc == 1)
    {
        return Observation::Skipped("/proc is not mounted".to_owned());
    }
    let mut end = target.subject.len().min(MAX_NAME_LENGTH);
    while !target.subject.is_char_boundary(end) {
        end -= 1;
    }
    view.parse_reading("processes", "", parse_processes)
        .observe("has no process table", |table| {
            let users = table
                .get(&target.subject[..end])
                .map(Vec::as_slice)
                .unwrap_or_default();
            match property {
                "running" => Observation::bool(!users.is_empty()),
                "count" => Observation::Value(Value::Number(
                    i64::try_from(users.len()).unwrap_or(i64::MAX),
                )),
                _ if users.is_empty() => Observation::Missing("is not running".to_owned()),
                "users" => Observation::list(
                    users
                        .iter()
                        .map(|uid| user_name(view, *uid))
                        .collect::<BTreeSet<_>>(),
                ),
                _ => view
                    .parse_reading("arguments", &target.subject, |text| {
                        Ok(text
                            .lines()
                            .map(|line| line.trim_end().to_owned())
                            .collect::<Vec<_>>())
                    })
                    .observe("is not running", |all| Observation::list(all.to_vec())),
            }
        })
}

fn user_name(view: &View<'_>, uid: u32) -> String {
    match account(view, "passwd", uid) {
        Observation::Value(Value::Account {
            name: Some(name), ..
        }) => name,
        _ => uid.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines, refusal};

    const PASSWD: (&str, &str, i32, &str, &str) = ("passwd", "", 0, "-", "root:x:0:0::/:/bin/sh\n");
    const TABLE: &str = "1\t0\tsystemd\n20\t0\tsshd\n21\t1000\tsshd\n30\t0\tsystemd-journal\n";

    fn judge_check(yaml: &str, rc: i32, table: &str) -> String {
        let frames = [
            IDENTITY,
            PASSWD,
            ("processes", "", rc, "-", table),
            ("arguments", "sshd", 0, "-", "sshd -D\nsshd: x\n"),
        ];
        lines(&format!("- {{processes: {yaml}}}"), &frames).join("")
    }

    #[test]
    fn processes_match_truncated_kernel_names() {
        for yaml in [
            "sshd",
            "systemd-journald",
            "sshd, count: 2, users: {same_set: [root, \"1000\"]}, arguments: {any: {match: \
                \"-D$\"}}",
            "ntpd, running: false",
            "ntpd, count: 0",
        ] {
            assert!(
                judge_check(yaml, 0, TABLE).starts_with("passed"),
                "{yaml}: {}",
                judge_check(yaml, 0, TABLE)
            );
        }
        for yaml in [
            "ntpd",
            "sshd, running: false",
            "ntpd, users: {disjoint: [root]}",
            "ssh",
        ] {
            assert!(judge_check(yaml, 0, TABLE).starts_with("failed"), "{yaml}");
        }
    }

    #[test]
    fn unknown_processes_are_not_stopped() {
        assert!(judge_check("ntpd, running: false", 1, "").starts_with("skipped"));
        assert!(judge_check("ntpd, running: false", 2, "hidden").starts_with("error"));
        assert!(judge_check("ntpd, running: false", 0, "odd").starts_with("error"));
        let chroot = ("identity", "", 0, "-", "uid=0\nvirtualization=chroot\n");
        let line = lines(
            "- {processes: sshd}",
            &[chroot, ("processes", "", 0, "-", TABLE)],
        )
        .join("");
        assert!(line.starts_with("skipped"), "{line}");
        let directory = ("identity", "", 0, "-", "uid=0\ndirectory=yes\n");
        assert!(
            lines("- {processes: sshd}", &[directory])
                .join("")
                .starts_with("skipped")
        );
        assert!(refusal("{processes: /usr/sbin/sshd}").contains("directory"));
    }
}
