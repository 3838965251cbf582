//! The `cron` resource: what cron starts, and who may tell it to.

use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::phase::Phase;
use crate::text::brief;

use crate::resource::filesystem::walk;
use crate::resource::ssh::authorized_keys;

pub(crate) static KIND: Kind = Kind {
    name: "cron",
    doc: "What cron starts; what looks like a password in a command stays on the target.",
    subject: Subject {
        name: "table",
        doc: "The system's own tables: `system`; or an account's name, for that account's table.",
        words: &[],
        check: authorized_keys::check_user,
    },
    parameters: &[],
    properties: &[
        Property::new(
            "entries",
            Of::List,
            "`schedule user command` with single blanks; of the system's: /etc/crontab, /etc/cron.d, and the scripts in \
             /etc/cron.daily and its like as `@daily root /etc/cron.daily/x`.",
        ),
        Property::new(
            "allowed",
            Of::List,
            "The accounts in /etc/cron.allow; no value where there is none.",
        ),
        Property::new(
            "denied",
            Of::List,
            "The accounts in /etc/cron.deny; no value where there is none.",
        ),
    ],
    open: None,
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: concat!(include_str!("redact.sh"), include_str!("cron.sh")),
    requests,
    observe,
};

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["cron".to_owned()]
}

/// Lines with the files that they stand in.
type Lines = Vec<(String, String)>;

fn by_path(text: &str) -> Result<Lines, String> {
    let mut out = Vec::new();
    for line in text.lines() {
        match line.split_once('\t') {
            Some((path, line)) => {
                out.push((path.trim_start_matches('.').to_owned(), line.to_owned()))
            }
            None => drop(walk::entries(line).map_err(|_| brief(line.as_bytes()))?),
        }
    }
    Ok(out)
}

/// crontab(5): five fields of time or one word with an `@`, the account in system tables, the command; a setting of a variable
/// is no entry.
fn entry(line: &str, user: Option<&str>) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let times = if words.first()?.starts_with('@') {
        1
    } else {
        5
    };
    let first = line.trim_start().chars().next()?;
    if times == 5 && !(first.is_ascii_digit() || first == '*') {
        return None;
    }
    if words.len() <= times {
        return None;
    }
    let (schedule, rest) = words.split_at(times);
    let account = user.map(|user| format!("{user} ")).unwrap_or_default();
    Some(format!(
        "{} {account}{}",
        schedule.join(" "),
        rest.join(" ")
    ))
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    match property {
        "allowed" => access("/etc/cron.allow", view),
        "denied" => access("/etc/cron.deny", view),
        _ => view
            .parsed("cron_tables", "", by_path)
            .observe("has no cron", |lines| {
                if target.subject == "system" {
                    system(&lines, view)
                } else {
                    of_user(&target.subject, &lines)
                }
            }),
    }
}

fn access(path: &str, view: &View<'_>) -> Observed {
    walk::found(view, "cron_scripts").observe("was not looked at", |found| {
        if !found.iter().any(|entry| entry.path == path) {
            return Observed::Missing("does not exist".to_owned());
        }
        view.parsed("cron_access", "", by_path)
            .observe("was not looked at", |lines| {
                Observed::list(
                    lines
                        .iter()
                        .filter(|(at, _)| at == path)
                        .map(|(_, line)| line.trim().to_owned()),
                )
            })
    })
}

fn of_user(user: &str, lines: &Lines) -> Observed {
    let own =
        |path: &str| path.starts_with("/var/spool/cron/") && path.rsplit('/').next() == Some(user);
    Observed::list(
        lines
            .iter()
            .filter(|(path, _)| own(path))
            .filter_map(|(_, line)| entry(line, Some(user))),
    )
}

fn system(lines: &Lines, view: &View<'_>) -> Observed {
    let tables = lines
        .iter()
        .filter(|(path, _)| path == "/etc/crontab" || path.starts_with("/etc/cron.d/"));
    let mut all: Vec<String> = tables.filter_map(|(_, line)| entry(line, None)).collect();
    match walk::found(view, "cron_scripts") {
        Seen::Unknown(why) => return Observed::Unknown(why),
        Seen::Absent => return Observed::uncollected(),
        Seen::Present(found) => all.extend(found.iter().filter_map(|entry| {
            let (often, name) = entry.path.strip_prefix("/etc/cron.")?.split_once('/')?;
            // run-parts(8) runs what can be run and has a plain name.
            let plain = name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            (plain && entry.stat.mode & 0o111 != 0).then(|| format!("@{often} root {}", entry.path))
        })),
    }
    Observed::list(all)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const TABLES: &str = "./etc/crontab\tSHELL=/bin/sh\n./etc/crontab\t17 *\t* * *\troot  cd / && run-parts /etc/cron.hourly\n\
        ./etc/cron.d/x\t@reboot www-data /usr/bin/x\n./var/spool/cron/crontabs/bob\t*/5 * * * * /home/bob/job\n\
        find: './var/spool/cron': No such file or directory\n!1\n";

    fn told(yaml: &str, tables: &str) -> String {
        let scripts = "-rwxr-xr-x 1 0 0 9 Jan  1 12:00 ./etc/cron.daily/dpkg\n-rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/cron.daily/off\n-rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/cron.allow\n";
        let frames = [
            IDENTITY,
            ("cron_tables", "", 0, "-", tables),
            ("cron_access", "", 0, "-", "./etc/cron.allow\troot\n"),
            ("cron_scripts", "", 0, "-", scripts),
        ];
        lines(&format!("- {{cron: {yaml}}}"), &frames).join("")
    }

    #[test]
    fn tables_are_read_as_cron_does() {
        for yaml in [
            "system, entries: {same_set: [\"17 * * * * root cd / && run-parts /etc/cron.hourly\", \"@reboot www-data /usr/bin/x\", \"@daily root /etc/cron.daily/dpkg\"]}",
            "bob, entries: {same_set: [\"*/5 * * * * bob /home/bob/job\"]}",
            "eve, entries: {empty: true}",
            "system, allowed: {same_set: [root]}",
            "system, denied: {absent: true}",
        ] {
            assert!(
                told(yaml, TABLES).starts_with("passed"),
                "{yaml}: {}",
                told(yaml, TABLES)
            );
        }
        assert!(told("system, denied: {empty: true}", TABLES).starts_with("failed"));
        assert!(
            told(
                "bob, entries: {empty: true}",
                "find: './var/spool/cron/crontabs': Permission denied\n!1\n"
            )
            .starts_with("error")
        );
    }
}
