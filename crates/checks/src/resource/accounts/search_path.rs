//! The `search_path` resource: where login shells look for commands.

use std::collections::BTreeMap;

use super::profile::{assigned, path_of};
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::phase::Phase;
use crate::resource::config::drop_in::{Text, Texts};
use crate::resource::filesystem::file::{FUNCTIONS, unpack};
use crate::resource::filesystem::file_state::stat;

pub(crate) static KIND: Kind = Kind {
    name: "search_path",
    doc: "The PATH that a login shell starts with, as login.defs, /etc/environment, /etc/profile and /etc/profile.d say it. What they decide while they run can't be told, and is an error.",
    subject: words(
        "login",
        "`root`, `user` for anybody else, or `session` for what the connection gave the collector.",
        &["root", "user", "session"],
    ),
    parameters: &[],
    properties: &[
        Property::new(
            "directories",
            Of::List,
            "The directories in their order; an empty one is the working directory.",
        )
        .or(&["split"]),
        Property::new(
            "writable",
            Of::List,
            "Those that others than root may write to: by owner or permission bits, or because they are not absolute.",
        ),
    ],
    open: None,
    by_default: &["!writable"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["search_path".to_owned()]
}

/// The PATH of a login, in the order in which it is set: login.defs(5) by login, then PAM's environment(5), then the
/// shell's profile. None: nothing says it.
fn login(texts: &Texts, root: bool) -> Result<Option<String>, String> {
    let lines = |path: &str| match texts.file(path) {
        Some(Text::Lines(lines)) => Ok(lines.as_slice()),
        Some(Text::Denied) => Err(format!("{path}: permission denied")),
        _ => Ok(&[][..]),
    };
    let mut path = None;
    let key = if root { "ENV_SUPATH" } else { "ENV_PATH" };
    for line in lines("/etc/login.defs")? {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some(key) {
            path = words
                .next()
                .map(|value| value.strip_prefix("PATH=").unwrap_or(value).to_owned());
        }
    }
    for line in lines("/etc/environment")? {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        if let Some(value) = line.strip_prefix("PATH=") {
            path = Some(value.trim_matches(['"', '\'']).to_owned());
        }
    }
    path = assigned("/etc/profile", lines("/etc/profile")?, root, path)?;
    let mut rest: Vec<&(String, Text)> = texts
        .files
        .iter()
        .filter(|(path, _)| path.starts_with("/etc/profile.d/"))
        .collect();
    rest.sort_by(|a, b| a.0.cmp(&b.0));
    for (file, text) in rest {
        match text {
            Text::Lines(lines) => path = assigned(file, lines, root, path)?,
            Text::Denied => return Err(format!("{file}: permission denied")),
            _ => {}
        }
    }
    if texts.file("/etc/profile.d") == Some(&Text::Denied) {
        return Err("/etc/profile.d: permission denied".to_owned());
    }
    Ok(path)
}

/// Whether others than root may write to a directory; none: it is not there, so that nobody finds anything in it.
fn open(view: &View<'_>, directory: &str) -> Result<bool, String> {
    if !directory.starts_with('/') {
        return Ok(true);
    }
    let known = view.parsed("directories", "", |text| {
        let mut out = BTreeMap::new();
        for (kind, path, reading) in unpack(text) {
            // Of a link that what it leads to comes after it, and counts.
            if kind != "link" {
                let state = match reading.rc {
                    0 => stat(&String::from_utf8_lossy(reading.body.bytes()))
                        .map(|s| Some(s.uid != 0 || s.mode & 0o022 != 0)),
                    1 => Some(None),
                    _ => None,
                };
                out.insert(path, state);
            }
        }
        Ok(out)
    });
    match known {
        Seen::Present(all) => match all.get(directory) {
            Some(Some(open)) => Ok(open.unwrap_or(false)),
            _ => Err(format!("{directory} could not be looked at")),
        },
        _ => Err("the directories were not looked at".to_owned()),
    }
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let session = target.subject == "session";
    if session && view.identity().directory {
        return Observed::Skipped("nobody logs in to a directory".to_owned());
    }
    let path = if session {
        view.parsed("session-path", "", |text| Ok(text.to_owned()))
            .observe("has no PATH", |path| Observed::setting((*path).clone()))
    } else {
        let root = target.subject == "root";
        view.parsed("search-path", "", Texts::read)
            .observe("has no PATH", |texts| match login(&texts, root) {
                Ok(Some(path)) => Observed::setting(path),
                Ok(None) => Observed::Missing("is said nowhere".to_owned()),
                Err(why) => Observed::Unknown(why),
            })
    };
    let Observed::Value(value) = path else {
        return path;
    };
    let directories = path_of(&String::from_utf8_lossy(&value.bytes()));
    if property == "directories" {
        return Observed::list(directories);
    }
    let mut writable = Vec::new();
    for directory in directories {
        match open(view, &directory) {
            Ok(true) => writable.push(directory),
            Ok(false) => {}
            Err(why) => return Observed::Unknown(why),
        }
    }
    Observed::list(writable)
}

#[cfg(test)]
#[path = "search_path_tests.rs"]
mod tests;
