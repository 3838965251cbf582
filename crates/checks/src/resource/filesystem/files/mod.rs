//! The `files` resource: files found by a search in a directory.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{TYPES, names_by_id};
use super::find_walk::{requests, search_key, walk_key};
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::mode_text;
use crate::resource_type::{
    InvalidValue, Parameter, Property, ResourceRef, ResourceType, Subject, ValueType,
    check_absolute_path,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "files",
    "Files found below a directory. By default, there must be none. Links are not followed. A \
     search from / skips /proc, /sys, /dev and /run. The directory itself is never a result. \
     An unreadable directory is an error.",
    Subject::new(
        "directory",
        "Absolute path of the start directory.",
        check_absolute_path,
    ),
    observe,
)
.with_parameters(&[
    Parameter::new(
        "name",
        ValueType::Text,
        "Shell pattern for the file name: `*.rhosts`.",
    )
    .with_check(check_name),
    Parameter::new(
        "type",
        ValueType::Word(TYPES),
        "File type: file, directory, link, socket, pipe, char or block.",
    ),
    Parameter::new(
        "perm_any",
        ValueType::Mode,
        "Finds files with at least one of these permission bits. Links are skipped.",
    )
    .with_check(check_bits),
    Parameter::new(
        "perm_all",
        ValueType::Mode,
        "Finds files with all of these permission bits. Links are skipped.",
    )
    .with_check(check_bits),
    Parameter::new(
        "nouser",
        ValueType::Bool,
        "True to find files whose owner has no name.",
    ),
    Parameter::new(
        "nogroup",
        ValueType::Bool,
        "True to find files whose group has no name.",
    ),
    Parameter::new(
        "line_matches",
        ValueType::Text,
        "Finds regular files with a line that matches this extended regular expression of POSIX \
         (`grep -E`): `^[[:blank:]]*auth`.",
    )
    .with_check(check_pattern),
    Parameter::new(
        "max_depth",
        ValueType::Number,
        "Maximum depth. 1 finds only direct entries of the directory.",
    )
    .with_check(check_depth),
    Parameter::new(
        "one_file_system",
        ValueType::Bool,
        "True to stay on the file system of the directory. This is the default.",
    ),
    Parameter::new(
        "exclude",
        ValueType::List,
        "Absolute paths to skip, with everything below them.",
    )
    .with_check(check_exclude),
])
.with_properties(&[
    Property::new(
        "paths",
        ValueType::List,
        "Paths in order. More than 5000 paths are an error. Control characters are escaped.",
    ),
    Property::new(
        "owners",
        ValueType::List,
        "Distinct owners: a name, or a UID without a name.",
    ),
    Property::new(
        "groups",
        ValueType::List,
        "Distinct groups: a name, or a GID without a name.",
    ),
    Property::new(
        "modes",
        ValueType::List,
        "Distinct permission bits, such as 0644.",
    ),
])
.with_defaults(&["!paths"])
.with_collection(include_str!("../find.sh"), requests);

/// Maximum number of paths.
const MAX_PATHS: usize = 5000;

fn check_name(name: &str) -> Result<(), InvalidValue> {
    if name.is_empty()
        || name.starts_with('-')
        || name.contains(|c: char| c == '/' || c.is_control())
    {
        return Err(InvalidValue::new(
            "not a valid name pattern",
            "use a pattern such as `*.pem`; names contain no slash",
        ));
    }
    Ok(())
}

fn check_pattern(pattern: &str) -> Result<(), InvalidValue> {
    if pattern.is_empty() || pattern.len() > 1000 || pattern.contains(char::is_control) {
        return Err(InvalidValue::new(
            "the pattern must be one line of 1 to 1000 bytes",
            "use a pattern of `grep -E`; `[[:blank:]]` matches a space or a tab",
        ));
    }
    Ok(())
}

fn check_bits(mode: &str) -> Result<(), InvalidValue> {
    if mode.bytes().all(|b| b == b'0') {
        return Err(InvalidValue::new(
            "the mode has no bits",
            "write the bits, such as \"6000\"",
        ));
    }
    Ok(())
}

fn check_depth(depth: &str) -> Result<(), InvalidValue> {
    match depth.parse::<u32>() {
        Ok(1..=1000) => Ok(()),
        _ => Err(InvalidValue::new(
            "it must be 1 to 1000",
            "use a whole number from 1 to 1000",
        )),
    }
}

fn check_exclude(paths: &str) -> Result<(), InvalidValue> {
    paths.lines().try_for_each(check_absolute_path)
}

/// Result of one search.
#[derive(Debug, Default, PartialEq, Eq)]
struct SearchResult {
    /// Relative paths that begin with `./`.
    paths: Vec<String>,
    /// Mode, owner and group of each path, unordered.
    states: Vec<(u32, u32, u32)>,
}

/// Parses the answer of find.
///
/// The header lists the searches and ends with NUL. Paths follow, each ended with NUL, mixed with
/// lines of states.
fn parse_results(text: &str) -> Result<BTreeMap<String, SearchResult>, ReadError> {
    let unknown_format = || ReadError::unknown_output("find");
    let (header, rest) = text.split_once('\0').ok_or_else(unknown_format)?;
    let mut all: Vec<SearchResult> = header
        .split('\n')
        .map(|_| SearchResult::default())
        .collect();
    for piece in rest.split('\0') {
        let mut piece = piece;
        // A path begins with `0./`. A state is `0 81a4 0 0`.
        while let Some((number, line)) = piece
            .split_once('\n')
            .and_then(|(line, _)| parse_state(line))
            .or_else(|| parse_state(piece))
        {
            all.get_mut(number)
                .ok_or_else(unknown_format)?
                .states
                .push(line);
            piece = piece.split_once('\n').map_or("", |(_, rest)| rest);
        }
        if piece.is_empty() {
            continue;
        }
        let digits = piece.find("./").ok_or_else(unknown_format)?;
        let number: usize = piece[..digits].parse().map_err(|_| unknown_format())?;
        all.get_mut(number)
            .ok_or_else(unknown_format)?
            .paths
            .push(piece[digits..].to_owned());
    }
    all.iter_mut().for_each(|found| found.paths.sort_unstable());
    Ok(header.split('\n').map(str::to_owned).zip(all).collect())
}

fn parse_state(line: &str) -> Option<(usize, (u32, u32, u32))> {
    let words: Vec<&str> = line.split(' ').collect();
    let [number, mode, uid, gid] = words.as_slice() else {
        return None;
    };
    let mode = u32::from_str_radix(mode, 16).ok()? & 0o7777;
    Some((
        number.parse().ok()?,
        (mode, uid.parse().ok()?, gid.parse().ok()?),
    ))
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    view.parse_reading("found", &walk_key(target), parse_results)
        .observe("does not exist", |all| {
            let Some(found) = all.get(&search_key(target)) else {
                return Observation::not_collected();
            };
            if found.paths.len() > MAX_PATHS {
                return Observation::Unknown(format!(
                    "more than {MAX_PATHS} paths were found, which is \
                    too many to judge"
                ));
            }
            if property == "paths" {
                let start = target.subject.trim_end_matches('/');
                return Observation::list(
                    found
                        .paths
                        .iter()
                        .map(|path| escape_controls(&format!("{start}{}", &path[1..]))),
                );
            }
            if found.states.len() != found.paths.len() {
                return Observation::Unknown(
                    "files changed during the collection, or `stat` has an unknown format"
                        .to_owned(),
                );
            }
            let distinct = |field: &dyn Fn(&(u32, u32, u32)) -> String| {
                Observation::list(found.states.iter().map(field).collect::<BTreeSet<_>>())
            };
            match property {
                "modes" => distinct(&|(mode, ..)| mode_text(*mode)),
                "owners" => distinct(&|(_, uid, _)| account_name(view, "passwd", *uid)),
                _ => distinct(&|(.., gid)| account_name(view, "group", *gid)),
            }
        })
}

fn account_name(view: &View<'_>, table: &str, id: u32) -> String {
    match view.parse_reading(table, "", |text| Ok(names_by_id(text))) {
        Read::Present(names) => names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
        _ => id.to_string(),
    }
}

/// Escapes control characters so that a path fits on one line.
fn escape_controls(path: &str) -> String {
    if path.chars().any(char::is_control) {
        path.escape_default().to_string()
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests;
