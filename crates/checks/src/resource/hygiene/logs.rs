//! The `logs` resource: log files, their permissions, and those older than this boot.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "logs",
    "Log files in /var/log. By default, `unsafe` must be empty. A running system writes logs, \
     so use `files` only for a directory, or for logs that a build removes before its checks. \
     seal.sh empties the logs after the build checks. On a booted instance, use `stale` and \
     `journals` to find logs that came with the image.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[
    Property::new(
        "files",
        ValueType::List,
        "Non-empty log files, without the journal.",
    ),
    Property::new(
        "rotated",
        ValueType::List,
        "Rotated log files, such as `.gz`, `.xz`, `.1` or `.old`.",
    ),
    Property::new(
        "journals",
        ValueType::List,
        "Journal directories of other machine IDs, such as that of the build instance.",
    ),
    Property::new(
        "stale",
        ValueType::List,
        "Non-empty log files that were not written since this boot, so they came with the \
         image. Unknown without a service manager.",
    ),
    Property::new(
        "unsafe",
        ValueType::List,
        "Files that others can write, and logs about logins, mail and the system that others \
         can read.",
    ),
])
.with_defaults(&["!unsafe"])
.with_collection(include_str!("logs.sh"), requests);

const JOURNALS: &str = "/var/log/journal";

/// Prefixes of the names of private logs. Debian and Fedora restrict them to root and the group
/// `adm`.
const PRIVATE: &[&str] = &[
    "auth.log",
    "secure",
    "syslog",
    "messages",
    "daemon.log",
    "kern.log",
    "debug",
    "user.log",
    "mail.",
    "maillog",
    "cron",
    "btmp",
    "sudo",
    "cloud-init",
    "term.log",
    "audit.log",
    "boot.log",
    "dmesg",
];

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["logs".to_owned()]
}

fn is_unsafe(entry: &Entry) -> bool {
    let private = || {
        PRIVATE
            .iter()
            .any(|name| entry.file_name().starts_with(name))
            || entry.is_within("/var/log/audit")
    };
    entry.stat.kind == "file"
        && (entry.stat.mode & 0o002 != 0 || (entry.stat.mode & 0o004 != 0 && private()))
}

/// Returns true for names of rotated files: those of logrotate(8), dpkg and installers.
fn is_rotated(name: &str) -> bool {
    let plain = [".gz", ".xz", ".bz2", ".zst", ".old"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    plain.is_some()
        || name
            .rsplit_once(['.', '-'])
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let written = |entry: &Entry| entry.has_content() && !entry.is_within(JOURNALS);
    match property {
        "files" => walk::filter_paths(view, "logs", written),
        "rotated" => walk::filter_paths(view, "logs", |entry| {
            written(entry) && is_rotated(entry.file_name())
        }),
        "unsafe" => walk::filter_paths(view, "logs", is_unsafe),
        "journals" => walk::filter_paths(view, "logs", |entry| {
            let of_a_machine = entry.file_name().len() >= 32
                && entry
                    .file_name()
                    .bytes()
                    .take(32)
                    .all(|b| b.is_ascii_hexdigit());
            entry.stat.kind == "directory" && entry.is_within(JOURNALS) && of_a_machine
        }),
        _ if view.identity().directory => {
            Observation::Skipped("a directory has no boot time".to_owned())
        }
        _ if view.reading("old-logs", "").is_none() && view.reading("logs", "").is_some() => {
            Observation::Skipped("the boot time is unknown without a service manager".to_owned())
        }
        _ => walk::filter_paths(view, "old-logs", Entry::has_content),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const FOUND: &str = "drwxr-xr-x 1 0 0 9 Jan  1 12:00 \
        ./var/log/journal/0123456789abcdef0123456789abcdef\n\
        -rw-r----- 1 0 4 9 Jan  1 12:00 \
        ./var/log/journal/0123456789abcdef0123456789abcdef/system.journal\n\
        -rw-r--r-- 1 0 4 9 Jan  1 12:00 ./var/log/dpkg.log\n\
        -rw-r--r-- 1 0 4 0 Jan  1 12:00 ./var/log/empty.log\n\
        -rw-r----- 1 0 4 9 Jan  1 12:00 ./var/log/syslog.1\n\
        -rw-rw-r-- 1 0 43 9 Jan  1 12:00 ./var/log/wtmp\n";

    fn judge_check(yaml: &str, text: &str) -> String {
        let old = "-rw-r--r-- 1 0 4 9 Jan  1 12:00 ./var/log/dpkg.log\n\
            -rw-r--r-- 1 0 4 0 Jan  1 12:00 ./var/log/empty.log\n";
        let frames = [
            IDENTITY,
            ("logs", "", 0, "-", text),
            ("old-logs", "", 0, "-", old),
        ];
        lines(&format!("- {{logs: all, {yaml}}}"), &frames).join("")
    }

    #[test]
    fn each_log_has_its_properties() {
        for yaml in [
            "files: {same_set: [/var/log/dpkg.log, /var/log/syslog.1, /var/log/wtmp]}",
            "rotated: {same_set: [/var/log/syslog.1]}",
            "journals: {same_set: [/var/log/journal/0123456789abcdef0123456789abcdef]}",
            "stale: {same_set: [/var/log/dpkg.log]}",
            "unsafe: {empty: true}",
        ] {
            assert_eq!(judge_check(yaml, FOUND), "passed  logs:all", "{yaml}");
        }
        for (from, to) in [
            ("-rw-rw-r-- 1 0 43", "-rw-rw-rw- 1 0 43"),
            (
                "-rw-r----- 1 0 4 9 Jan  1 12:00 ./var/log/syslog",
                "-rw-r--r-- 1 0 4 9 Jan  1 12:00 ./var/log/syslog",
            ),
        ] {
            let line = judge_check("unsafe: {empty: true}", &FOUND.replace(from, to));
            assert!(line.starts_with("failed"), "{to}: {line}");
        }
    }

    #[test]
    fn stale_needs_a_boot_time() {
        let frames = [IDENTITY, ("logs", "", 0, "-", FOUND)];
        assert!(lines("- {logs: all, stale: {empty: true}}", &frames)[0].starts_with("skipped"));
        assert!(lines("- {logs: all, stale: {empty: true}}", &[IDENTITY])[0].starts_with("error"));
    }
}
