//! The `authorized_keys` resource: the SSH keys that can log in, and the permissions of their
//! files.

use std::rc::Rc;

use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "authorized_keys",
    "Files of authorized keys of all accounts: the defaults of sshd and those of \
     AuthorizedKeysFile. By default, `unsafe` must be empty. The collector reads the type, \
     comment and option names of a key, not the key itself. During the build, the key of the \
     build is present. seal.sh removes it after the build checks. At boot, cloud-init adds the \
     key of the instance. Any other key in `comments`, `count` and `users` came with the \
     image. Evaluated in phase `boot` unless `phase` is set.",
    Subject::new("user", "Name of an account, or `all`.", check_user),
    observe,
)
.with_properties(&[
    Property::new(
        "files",
        ValueType::List,
        "Files that contain more than comments.",
    ),
    Property::new(
        "users",
        ValueType::List,
        "Accounts that have authorized keys.",
    ),
    Property::new("count", ValueType::Number, "Number of keys."),
    Property::new(
        "types",
        ValueType::List,
        "Types of the keys, such as ssh-ed25519.",
    ),
    Property::new(
        "comments",
        ValueType::List,
        "Comments of the keys. An empty text represents a key without a comment.",
    ),
    Property::new(
        "options",
        ValueType::List,
        "Names of the options of each key, such as command,no-pty. An empty text represents a \
         key without options.",
    ),
    Property::new(
        "unsafe",
        ValueType::List,
        "Key files, directories and homes with unsafe permissions: writable for group or \
         others, or not owned by the account or root. This is the rule of StrictModes in sshd.",
    ),
])
.with_defaults(&["!unsafe"])
.with_phases(&[Phase::Boot])
.with_collection(include_str!("../authorized_keys.sh"), requests);

/// Checks an account name. useradd(8) is stricter; passwd(5) cannot contain a colon or line break.
pub(crate) fn check_user(name: &str) -> Result<(), InvalidValue> {
    if name.is_empty() || name.contains([':', '\n', '/', '\0']) {
        return Err(InvalidValue::new(
            format!("`{}` is not an account name", name.escape_default()),
            "write `all` or an account name",
        ));
    }
    Ok(())
}

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["authorized_keys".to_owned()]
}

/// Key file of an account.
struct KeyFile {
    user: String,
    uid: u32,
    home: String,
    path: String,
}

/// Parses `user:uid:home:path` lines.
fn parse_key_files(text: &str) -> Result<Vec<KeyFile>, ReadError> {
    let row = |line: &str| {
        let mut words = line.splitn(4, ':').map(str::to_owned);
        let (user, uid) = (words.next()?, words.next()?.parse().ok()?);
        Some(KeyFile {
            user,
            uid,
            home: words.next()?,
            path: words.next()?,
        })
    };
    let unknown = |line: &str| ReadError::unknown_line("an account", line);
    text.lines()
        .filter(|l| !l.is_empty())
        .map(|line| row(line).ok_or_else(|| unknown(line)))
        .collect()
}

/// Collected properties of a key: type, options, comment.
type Key = [String; 3];

fn parse_keys(text: &str) -> Result<Vec<Key>, ReadError> {
    let key = |line: &str| {
        let words: Vec<String> = line.splitn(3, '\t').map(str::to_owned).collect();
        Key::try_from(words).map_err(|_| ReadError::unknown_format("a key"))
    };
    text.lines().map(key).collect()
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let user = target.subject.as_str();
    view.parse_reading("key_files", "", parse_key_files)
        .observe("has no accounts", |all| {
            let rows: Vec<&KeyFile> = all
                .iter()
                .filter(|row| user == "all" || row.user == user)
                .collect();
            if user != "all" && !has_account(user, view) {
                return Observation::Missing("has no such account".to_owned());
            }
            if property == "unsafe" {
                unsafe_paths(&rows, view)
            } else {
                observe_keys(property, &rows, view)
            }
        })
}

fn has_account(user: &str, view: &View<'_>) -> bool {
    let names = view.parse_reading("passwd", "", |text| {
        Ok(text
            .lines()
            .filter_map(|line| line.split(':').next())
            .map(str::to_owned)
            .collect::<Vec<_>>())
    });
    matches!(names, Read::Present(names) if names.iter().any(|name| name == user))
}

fn observe_keys(property: &str, rows: &[&KeyFile], view: &View<'_>) -> Observation {
    let mut found: Vec<(&KeyFile, Rc<Vec<Key>>)> = Vec::new();
    for row in rows {
        match view.parse_reading("keys", &row.path, parse_keys) {
            Read::Present(keys) => found.push((row, keys)),
            Read::Absent => {}
            Read::Unreadable(why) => {
                return why.in_file(&row.path).into();
            }
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
        Observation::list(items.into_iter().collect::<std::collections::BTreeSet<_>>())
    };
    match property {
        "files" => unique(filled().map(|(row, _)| row.path.clone()).collect()),
        "users" => unique(filled().map(|(row, _)| row.user.clone()).collect()),
        "count" => Observation::Value(Value::Number(
            i64::try_from(valid.len()).unwrap_or(i64::MAX),
        )),
        "types" => unique(valid.iter().map(|[kind, ..]| kind.clone()).collect()),
        "options" => unique(
            valid
                .iter()
                .map(|[_, options, _]| options.clone())
                .collect(),
        ),
        _ => Observation::list(valid.iter().map(|[.., comment]| comment.clone())),
    }
}

fn unsafe_paths(rows: &[&KeyFile], view: &View<'_>) -> Observation {
    walk::load_entries(view, "key_stats").observe("was not collected", |stats| {
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
        Observation::list(out)
    })
}

#[cfg(test)]
mod tests;
