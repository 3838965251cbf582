//! The `logs` resource: what is written in /var/log, by whom it can be read, and what of it is older than this boot.

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::phase::Phase;

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static KIND: Kind = Kind {
    name: "logs",
    doc: "Logs in /var/log; with nothing else: none is open to others. A running system writes logs, so `files` and \
          `journals` being empty is for directories and for what a build removes before its checks; seal.sh empties them after \
          those, which a boot shows by `stale` and by `journals`.",
    subject: words("scope", "All logs: `all`.", &["all"]),
    parameters: &[],
    properties: &[
        Property::new(
            "files",
            Of::List,
            "The log files with something in them, without the journal's.",
        ),
        Property::new(
            "rotated",
            Of::List,
            "Those of them that were rotated: `.gz`, `.xz`, `.1`, `.old` and their like.",
        ),
        Property::new(
            "journals",
            Of::List,
            "Directories of journals of other machine ids than this system's own: of the machine that the image was built on.",
        ),
        Property::new(
            "stale",
            Of::List,
            "The log files with something in them that nothing was written to since this boot, so that they came with the \
             image; without a service manager it can't be told.",
        ),
        Property::new(
            "unsafe",
            Of::List,
            "Files that others may write, and files on logins, mail and the system that others may read.",
        ),
    ],
    open: None,
    by_default: &["!unsafe"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("logs.sh"),
    requests,
    observe,
};

const JOURNALS: &str = "/var/log/journal";

/// Beginnings of names of logs that are not for everybody: those that Debian and Fedora keep to root and its group `adm`.
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

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["logs".to_owned()]
}

fn open(entry: &Entry) -> bool {
    let private = || {
        PRIVATE.iter().any(|name| entry.name().starts_with(name)) || entry.within("/var/log/audit")
    };
    entry.stat.kind == "file"
        && (entry.stat.mode & 0o002 != 0 || (entry.stat.mode & 0o004 != 0 && private()))
}

/// logrotate(8)'s names, and dpkg's and installers' own.
fn rotated(name: &str) -> bool {
    let plain = [".gz", ".xz", ".bz2", ".zst", ".old"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    plain.is_some()
        || name
            .rsplit_once(['.', '-'])
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    let written = |entry: &Entry| entry.filled() && !entry.within(JOURNALS);
    match property {
        "files" => walk::paths(view, "logs", written),
        "rotated" => walk::paths(view, "logs", |entry| {
            written(entry) && rotated(entry.name())
        }),
        "unsafe" => walk::paths(view, "logs", open),
        "journals" => walk::paths(view, "logs", |entry| {
            let of_a_machine = entry.name().len() >= 32
                && entry.name().bytes().take(32).all(|b| b.is_ascii_hexdigit());
            entry.stat.kind == "directory" && entry.within(JOURNALS) && of_a_machine
        }),
        _ if view.identity().directory => {
            Observed::Skipped("a directory was not booted".to_owned())
        }
        _ if view.raw("old-logs", "").is_none() && view.raw("logs", "").is_some() => {
            Observed::Skipped(
                "without a service manager nothing tells when it was booted".to_owned(),
            )
        }
        _ => walk::paths(view, "old-logs", Entry::filled),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const FOUND: &str = "drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./var/log/journal/0123456789abcdef0123456789abcdef\n\
        -rw-r----- 1 0 4 9 Jan  1 12:00 ./var/log/journal/0123456789abcdef0123456789abcdef/system.journal\n\
        -rw-r--r-- 1 0 4 9 Jan  1 12:00 ./var/log/dpkg.log\n-rw-r--r-- 1 0 4 0 Jan  1 12:00 ./var/log/empty.log\n\
        -rw-r----- 1 0 4 9 Jan  1 12:00 ./var/log/syslog.1\n-rw-rw-r-- 1 0 43 9 Jan  1 12:00 ./var/log/wtmp\n";

    fn told(yaml: &str, text: &str) -> String {
        let old = "-rw-r--r-- 1 0 4 9 Jan  1 12:00 ./var/log/dpkg.log\n-rw-r--r-- 1 0 4 0 Jan  1 12:00 ./var/log/empty.log\n";
        let frames = [
            IDENTITY,
            ("logs", "", 0, "-", text),
            ("old-logs", "", 0, "-", old),
        ];
        lines(&format!("- {{logs: all, {yaml}}}"), &frames).join("")
    }

    #[test]
    fn logs_are_told_apart() {
        for yaml in [
            "files: {same_set: [/var/log/dpkg.log, /var/log/syslog.1, /var/log/wtmp]}",
            "rotated: {same_set: [/var/log/syslog.1]}",
            "journals: {same_set: [/var/log/journal/0123456789abcdef0123456789abcdef]}",
            "stale: {same_set: [/var/log/dpkg.log]}",
            "unsafe: {empty: true}",
        ] {
            assert_eq!(told(yaml, FOUND), "passed  logs:all", "{yaml}");
        }
        for (from, to) in [
            ("-rw-rw-r-- 1 0 43", "-rw-rw-rw- 1 0 43"),
            (
                "-rw-r----- 1 0 4 9 Jan  1 12:00 ./var/log/syslog",
                "-rw-r--r-- 1 0 4 9 Jan  1 12:00 ./var/log/syslog",
            ),
        ] {
            let line = told("unsafe: {empty: true}", &FOUND.replace(from, to));
            assert!(line.starts_with("failed"), "{to}: {line}");
        }
    }

    #[test]
    fn where_nothing_booted_nothing_is_stale() {
        let frames = [IDENTITY, ("logs", "", 0, "-", FOUND)];
        assert!(lines("- {logs: all, stale: {empty: true}}", &frames)[0].starts_with("skipped"));
        assert!(lines("- {logs: all, stale: {empty: true}}", &[IDENTITY])[0].starts_with("error"));
    }
}
