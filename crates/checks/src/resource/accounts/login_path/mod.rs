//! The `login_path` resource: the PATH of login shells.

use std::collections::BTreeMap;

use super::profile::{assign_path, split_path};
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource::config::drop_in::{DropInFiles, FileState};
use crate::resource::filesystem::file::{FUNCTIONS, unpack};
use crate::resource::filesystem::file_state::parse_state;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "login_path",
    "PATH at the start of a login shell, from login.defs, /etc/environment, /etc/profile and \
     /etc/profile.d. An assignment that depends on conditions at run time is an error.",
    Subject::one_of(
        "login",
        "`root`, `user` for other users, or `session` for the PATH of the connection.",
        &["root", "user", "session"],
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "directories",
        ValueType::List,
        "Directories in order. An empty one is the working directory.",
    )
    .or(&["split"]),
    Property::new(
        "writable",
        ValueType::List,
        "Directories that users other than root can write, by owner or permission bits, and \
         relative directories.",
    ),
])
.with_defaults(&["!writable"])
.with_collection(FUNCTIONS, requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["search_path".to_owned()]
}

/// Returns the PATH of a login; none if no file sets it.
///
/// The order is login.defs(5) by login, environment(5) by PAM, then the shell profiles.
fn login_path(texts: &DropInFiles, root: bool) -> Result<Option<String>, ReadError> {
    let lines = |path: &str| match texts.file(path) {
        Some(FileState::Lines(lines)) => Ok(lines.as_slice()),
        Some(FileState::Denied) => Err(ReadError::permission_denied(path)),
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
    path = assign_path("/etc/profile", lines("/etc/profile")?, root, path)?;
    let mut rest: Vec<&(String, FileState)> = texts
        .files
        .iter()
        .filter(|(path, _)| path.starts_with("/etc/profile.d/"))
        .collect();
    rest.sort_by(|a, b| a.0.cmp(&b.0));
    for (file, text) in rest {
        match text {
            FileState::Lines(lines) => path = assign_path(file, lines, root, path)?,
            FileState::Denied => return Err(ReadError::permission_denied(file)),
            _ => {}
        }
    }
    if texts.file("/etc/profile.d") == Some(&FileState::Denied) {
        return Err(ReadError::permission_denied("/etc/profile.d"));
    }
    Ok(path)
}

/// Directory with unknown permissions.
#[derive(Debug, thiserror::Error)]
enum UnknownDirectory {
    #[error("the state of {0} was not collected")]
    NoState(String),
    #[error("the directories were not collected")]
    NoDirectories,
}

/// Returns true if users other than root can write a directory. A missing directory is safe.
fn is_writable(view: &View<'_>, directory: &str) -> Result<bool, UnknownDirectory> {
    if !directory.starts_with('/') {
        return Ok(true);
    }
    let known = view.parse_reading("directories", "", |text| {
        let mut out = BTreeMap::new();
        for (kind, path, reading) in unpack(text) {
            // For a link, the state of its target follows and counts.
            if kind != "link" {
                let state = match reading.rc {
                    0 => parse_state(&String::from_utf8_lossy(reading.body.bytes()))
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
        Read::Present(all) => match all.get(directory) {
            Some(Some(open)) => Ok(open.unwrap_or(false)),
            _ => Err(UnknownDirectory::NoState(directory.to_owned())),
        },
        _ => Err(UnknownDirectory::NoDirectories),
    }
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let session = target.subject == "session";
    if session && view.identity().directory {
        return Observation::Skipped("a directory has no logins".to_owned());
    }
    let path = if session {
        view.parse_reading("session-path", "", |text| Ok(text.to_owned()))
            .observe("has no PATH", |path| Observation::setting((*path).clone()))
    } else {
        let root = target.subject == "root";
        view.parse_reading("search-path", "", |text| Ok(DropInFiles::parse(text)?))
            .observe("has no PATH", |texts| match login_path(&texts, root) {
                Ok(Some(path)) => Observation::setting(path),
                Ok(None) => Observation::Missing("is not set".to_owned()),
                Err(why) => why.into(),
            })
    };
    let Observation::Value(value) = path else {
        return path;
    };
    let directories = split_path(&String::from_utf8_lossy(&value.bytes()));
    if property == "directories" {
        return Observation::list(directories);
    }
    let mut writable = Vec::new();
    for directory in directories {
        match is_writable(view, &directory) {
            Ok(true) => writable.push(directory),
            Ok(false) => {}
            Err(why) => return Observation::Unknown(why.to_string()),
        }
    }
    Observation::list(writable)
}

#[cfg(test)]
mod tests;
