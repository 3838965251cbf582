//! The `authorized_keys` resource: who can log in with which keys, and how the files of keys are kept.

use std::rc::Rc;

use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::text::brief;

use crate::resource::filesystem::walk;

pub(crate) static KIND: Kind = Kind {
    name: "authorized_keys",
    doc: "The files of keys that sshd lets in with: its defaults and what AuthorizedKeysFile names, for every account; with \
          nothing else: `unsafe` is empty. Of a key its type, comment and the names of its options are collected, not the key. \
          The build's own key is there until seal.sh removes it after the checks of the build, and at a boot cloud-init has \
          put in the instance's: what else `comments`, `count` and `users` then show came with the image. Judged in phase boot \
          unless `phase` says more.",
    subject: Subject {
        name: "user",
        doc: "All accounts: `all`; or an account's name.",
        words: &[],
        check: check_user,
    },
    parameters: &[],
    properties: &[
        Property::new(
            "files",
            Of::List,
            "The files with anything but comments in them.",
        ),
        Property::new("users", Of::List, "The accounts that they let in to."),
        Property::new("count", Of::Number, "The number of keys."),
        Property::new(
            "types",
            Of::List,
            "The types of the keys, such as ssh-ed25519.",
        ),
        Property::new(
            "comments",
            Of::List,
            "The comments of the keys, `` where there is none.",
        ),
        Property::new(
            "options",
            Of::List,
            "The options of the keys by name, such as command,no-pty, `` where there are none.",
        ),
        Property::new(
            "unsafe",
            Of::List,
            "Files of keys, their directories and homes that group or others may write, or that are neither the account's nor \
             root's: sshd's StrictModes, without exceptions.",
        ),
    ],
    open: None,
    by_default: &["!unsafe"],
    implied: &[],
    presence: None,
    phases: &[Phase::Boot],
    not_in_directory: None,
    shell: include_str!("authorized_keys.sh"),
    requests,
    observe,
};

/// useradd(8) is stricter; a colon or line break can't be in passwd(5).
pub(crate) fn check_user(name: &str) -> Result<(), (String, &'static str)> {
    if name.is_empty() || name.contains([':', '\n', '/', '\0']) {
        return Err((
            format!("`{}` is no account's name", name.escape_default()),
            "write `all` or an account's name",
        ));
    }
    Ok(())
}

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["authorized_keys".to_owned()]
}

/// Where an account's keys are.
struct Row {
    user: String,
    uid: u32,
    home: String,
    path: String,
}

/// `user:uid:home:path` lines.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let row = |line: &str| {
        let mut words = line.splitn(4, ':').map(str::to_owned);
        let (user, uid) = (words.next()?, words.next()?.parse().ok()?);
        Some(Row {
            user,
            uid,
            home: words.next()?,
            path: words.next()?,
        })
    };
    let unknown =
        |line: &str| format!("an account has an unknown form: {}", brief(line.as_bytes()));
    text.lines()
        .filter(|l| !l.is_empty())
        .map(|line| row(line).ok_or_else(|| unknown(line)))
        .collect()
}

/// What is told of a key: type, options, comment.
type Key = [String; 3];

fn keys(text: &str) -> Result<Vec<Key>, String> {
    let key = |line: &str| {
        let words: Vec<String> = line.splitn(3, '\t').map(str::to_owned).collect();
        Key::try_from(words).map_err(|_| "a key has an unknown form".to_owned())
    };
    text.lines().map(key).collect()
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let user = target.subject.as_str();
    view.parsed("key_files", "", rows)
        .observe("has no accounts", |all| {
            let rows: Vec<&Row> = all
                .iter()
                .filter(|row| user == "all" || row.user == user)
                .collect();
            if user != "all" && !has_account(user, view) {
                return Observed::Missing("has no such account".to_owned());
            }
            if property == "unsafe" {
                unsafe_paths(&rows, view)
            } else {
                of_keys(property, &rows, view)
            }
        })
}

fn has_account(user: &str, view: &View<'_>) -> bool {
    let names = view.parsed("passwd", "", |text| {
        Ok(text
            .lines()
            .filter_map(|line| line.split(':').next())
            .map(str::to_owned)
            .collect::<Vec<_>>())
    });
    matches!(names, Seen::Present(names) if names.iter().any(|name| name == user))
}

fn of_keys(property: &str, rows: &[&Row], view: &View<'_>) -> Observed {
    let mut found: Vec<(&Row, Rc<Vec<Key>>)> = Vec::new();
    for row in rows {
        match view.parsed("keys", &row.path, keys) {
            Seen::Present(keys) => found.push((row, keys)),
            Seen::Absent => {}
            Seen::Unknown(why) => return Observed::Unknown(format!("{}: {why}", row.path)),
        }
    }
    let filled = || found.iter().filter(|(_, keys)| !keys.is_empty());
    // Two accounts can share a file.
    let mut seen = std::collections::BTreeSet::new();
    let valid: Vec<&Key> = found
        .iter()
        .filter(|(row, _)| seen.insert(row.path.as_str()))
        .flat_map(|(_, keys)| keys.iter())
        .filter(|[kind, ..]| kind != "?")
        .collect();
    let unique = |items: Vec<String>| {
        Observed::list(items.into_iter().collect::<std::collections::BTreeSet<_>>())
    };
    match property {
        "files" => unique(filled().map(|(row, _)| row.path.clone()).collect()),
        "users" => unique(filled().map(|(row, _)| row.user.clone()).collect()),
        "count" => Observed::Value(Value::Number(
            i64::try_from(valid.len()).unwrap_or(i64::MAX),
        )),
        "types" => unique(valid.iter().map(|[kind, ..]| kind.clone()).collect()),
        "options" => unique(
            valid
                .iter()
                .map(|[_, options, _]| options.clone())
                .collect(),
        ),
        _ => Observed::list(valid.iter().map(|[.., comment]| comment.clone())),
    }
}

fn unsafe_paths(rows: &[&Row], view: &View<'_>) -> Observed {
    walk::found(view, "key_stats").observe("was not looked at", |stats| {
        let mut out = std::collections::BTreeSet::new();
        for row in rows {
            let folder = row.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
            let home = if folder.starts_with(&row.home) {
                row.home.as_str()
            } else {
                folder
            };
            for path in [row.path.as_str(), folder, home] {
                let path = if path.is_empty() { "/" } else { path };
                let Some(entry) = stats.iter().find(|entry| entry.path == path) else {
                    continue;
                };
                if ![0, row.uid].contains(&entry.stat.uid) || entry.stat.mode & 0o022 != 0 {
                    out.insert(entry.path.clone());
                }
            }
        }
        Observed::list(out)
    })
}

#[cfg(test)]
#[path = "authorized_keys_tests.rs"]
mod tests;
