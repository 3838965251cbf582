//! The `cron` resource: scheduled jobs and the accounts that may schedule them.

use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk;
use crate::resource::ssh::authorized_keys;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "cron",
    "Jobs of cron. The collector removes text that looks like a password.",
    Subject::new(
        "table",
        "`system` for the tables of the system, or the name of an account for its table.",
        authorized_keys::check_user,
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "entries",
        ValueType::List,
        "Jobs as `schedule user command` with single spaces. `system` includes /etc/crontab, \
         /etc/cron.d, and scripts in directories such as /etc/cron.daily: `@daily root \
         /etc/cron.daily/x`.",
    ),
    Property::new(
        "allowed",
        ValueType::List,
        "Accounts in /etc/cron.allow. No value if the file does not exist.",
    ),
    Property::new(
        "denied",
        ValueType::List,
        "Accounts in /etc/cron.deny. No value if the file does not exist.",
    ),
])
.with_collection(
    concat!(include_str!("redact.sh"), include_str!("cron.sh")),
    requests,
);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["cron".to_owned()]
}

/// Lines, each with its file.
type Lines = Vec<(String, String)>;

fn parse_lines(text: &str) -> Result<Lines, ReadError> {
    let mut out = Vec::new();
    for line in text.lines() {
        match line.split_once('\t') {
            Some((path, line)) => {
                out.push((path.trim_start_matches('.').to_owned(), line.to_owned()))
            }
            None => drop(
                walk::parse_entries(line)
                    .map_err(|_| ReadError::target_message(line.as_bytes()))?,
            ),
        }
    }
    Ok(out)
}

/// Parses a line of crontab(5): five time fields or one `@` word, the account in system tables, the
/// command. Returns none for a variable.
fn parse_job(line: &str, user: Option<&str>) -> Option<String> {
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

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    match property {
        "allowed" => access_list("/etc/cron.allow", view),
        "denied" => access_list("/etc/cron.deny", view),
        _ => view.parse_reading("cron_tables", "", parse_lines).observe(
            "has no cron tables",
            |lines| {
                if target.subject == "system" {
                    system_jobs(&lines, view)
                } else {
                    user_jobs(&target.subject, &lines)
                }
            },
        ),
    }
}

fn access_list(path: &str, view: &View<'_>) -> Observation {
    walk::load_entries(view, "cron_scripts").observe("was not collected", |found| {
        if !found.iter().any(|entry| entry.path == path) {
            return Observation::Missing("does not exist".to_owned());
        }
        view.parse_reading("cron_access", "", parse_lines)
            .observe("was not collected", |lines| {
                Observation::list(
                    lines
                        .iter()
                        .filter(|(at, _)| at == path)
                        .map(|(_, line)| line.trim().to_owned()),
                )
            })
    })
}

fn user_jobs(user: &str, lines: &Lines) -> Observation {
    let own =
        |path: &str| path.starts_with("/var/spool/cron/") && path.rsplit('/').next() == Some(user);
    Observation::list(
        lines
            .iter()
            .filter(|(path, _)| own(path))
            .filter_map(|(_, line)| parse_job(line, Some(user))),
    )
}

fn system_jobs(lines: &Lines, view: &View<'_>) -> Observation {
    let tables = lines
        .iter()
        .filter(|(path, _)| path == "/etc/crontab" || path.starts_with("/etc/cron.d/"));
    let mut all: Vec<String> = tables
        .filter_map(|(_, line)| parse_job(line, None))
        .collect();
    match walk::load_entries(view, "cron_scripts") {
        Read::Unreadable(why) => return why.into(),
        Read::Absent => return Observation::not_collected(),
        Read::Present(found) => all.extend(found.iter().filter_map(|entry| {
            let (often, name) = entry.path.strip_prefix("/etc/cron.")?.split_once('/')?;
            // run-parts(8) runs executable files with a plain name.
            let plain = name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            (plain && entry.stat.mode & 0o111 != 0).then(|| format!("@{often} root {}", entry.path))
        })),
    }
    Observation::list(all)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const TABLES: &str = "./etc/crontab\tSHELL=/bin/sh\n\
        ./etc/crontab\t17 *\t* * *\troot  cd / && run-parts /etc/cron.hourly\n\
        ./etc/cron.d/x\t@reboot www-data /usr/bin/x\n\
        ./var/spool/cron/crontabs/bob\t*/5 * * * * /home/bob/job\n\
        find: './var/spool/cron': No such file or directory\n!1\n";

    fn judge_check(yaml: &str, tables: &str) -> String {
        let scripts = "-rwxr-xr-x 1 0 0 9 Jan  1 12:00 ./etc/cron.daily/dpkg\n\
            -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/cron.daily/off\n\
            -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/cron.allow\n";
        let frames = [
            IDENTITY,
            ("cron_tables", "", 0, "-", tables),
            ("cron_access", "", 0, "-", "./etc/cron.allow\troot\n"),
            ("cron_scripts", "", 0, "-", scripts),
        ];
        lines(&format!("- {{cron: {yaml}}}"), &frames).join("")
    }

    #[test]
    fn tables_are_parsed_like_cron() {
        for yaml in [
            "system, entries: {same_set: [\"17 * * * * root cd / && run-parts /etc/cron.hourly\", \
                \"@reboot www-data /usr/bin/x\", \"@daily root /etc/cron.daily/dpkg\"]}",
            "bob, entries: {same_set: [\"*/5 * * * * bob /home/bob/job\"]}",
            "eve, entries: {empty: true}",
            "system, allowed: {same_set: [root]}",
            "system, denied: {absent: true}",
        ] {
            assert!(
                judge_check(yaml, TABLES).starts_with("passed"),
                "{yaml}: {}",
                judge_check(yaml, TABLES)
            );
        }
        assert!(judge_check("system, denied: {empty: true}", TABLES).starts_with("failed"));
        assert!(
            judge_check(
                "bob, entries: {empty: true}",
                "find: './var/spool/cron/crontabs': Permission denied\n!1\n"
            )
            .starts_with("error")
        );
    }
}
