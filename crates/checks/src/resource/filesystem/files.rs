//! The `files` resource: what a search through a directory finds.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{TYPES, names};
use super::find_walk::{requests, search, walk};
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Kind, Of, Parameter, Property, Subject, Target, absolute, anything};
use crate::matcher::value::mode_text;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "files",
    doc: "What is found below a directory; with nothing else: nothing. Links are not followed, /proc, /sys, /dev and /run are left out where the search begins at /, the directory itself is never among the results, and what may not be read makes it an error.",
    subject: Subject {
        name: "directory",
        doc: "The absolute path where the search begins.",
        words: &[],
        check: absolute,
    },
    parameters: &[
        Parameter {
            name: "name",
            of: Of::Text,
            doc: "A shell pattern for names: `*.rhosts`.",
            check: check_name,
        },
        Parameter {
            name: "type",
            of: Of::Word(TYPES),
            doc: "What they are: file, directory, link and so on.",
            check: anything,
        },
        Parameter {
            name: "perm_any",
            of: Of::Mode,
            doc: "At least one of these permission bits; links, which have none, are left out.",
            check: check_bits,
        },
        Parameter {
            name: "perm_all",
            of: Of::Mode,
            doc: "All of these permission bits; links are left out.",
            check: check_bits,
        },
        Parameter {
            name: "nouser",
            of: Of::Bool,
            doc: "Whether the owner has no name.",
            check: anything,
        },
        Parameter {
            name: "nogroup",
            of: Of::Bool,
            doc: "Whether the group has no name.",
            check: anything,
        },
        Parameter {
            name: "max_depth",
            of: Of::Number,
            doc: "How deep to look; 1: only in the directory itself.",
            check: check_depth,
        },
        Parameter {
            name: "one_file_system",
            of: Of::Bool,
            doc: "Whether to stay on the directory's file system; true by default.",
            check: anything,
        },
        Parameter {
            name: "exclude",
            of: Of::List,
            doc: "Absolute paths that are left out, with what is below them.",
            check: check_exclude,
        },
    ],
    properties: &[
        Property::new(
            "paths",
            Of::List,
            "What is found, in order. More than 5000 are an error. Control characters are escaped.",
        ),
        Property::new(
            "owners",
            Of::List,
            "Who owns it, each once: a name, or a number that has none.",
        ),
        Property::new("groups", Of::List, "The groups, each once."),
        Property::new(
            "modes",
            Of::List,
            "The permission bits, each once, such as 0644.",
        ),
    ],
    open: None,
    by_default: &["!paths"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("find.sh"),
    requests,
    observe,
};

/// The most that is found before it is an error.
const MOST: usize = 5000;

fn check_name(name: &str) -> Result<(), (String, &'static str)> {
    if name.is_empty()
        || name.starts_with('-')
        || name.contains(|c: char| c == '/' || c.is_control())
    {
        return Err((
            "it is no pattern for a name".to_owned(),
            "write one such as `*.pem`; names have no slash",
        ));
    }
    Ok(())
}

fn check_bits(mode: &str) -> Result<(), (String, &'static str)> {
    if mode.bytes().all(|b| b == b'0') {
        return Err((
            "no bit is asked for".to_owned(),
            "write the bits, such as \"6000\"",
        ));
    }
    Ok(())
}

fn check_depth(depth: &str) -> Result<(), (String, &'static str)> {
    match depth.parse::<u32>() {
        Ok(1..=1000) => Ok(()),
        _ => Err((
            "it must be 1 to 1000".to_owned(),
            "use a whole number from 1",
        )),
    }
}

fn check_exclude(paths: &str) -> Result<(), (String, &'static str)> {
    paths.lines().try_for_each(absolute)
}

/// What one search found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Relative, beginning with `./`.
    paths: Vec<String>,
    /// Mode, owner and group of each, in no order.
    states: Vec<(u32, u32, u32)>,
}

/// The searches, ended by NUL, then what was found: paths, each ended by NUL, and between them lines with states.
fn found(text: &str) -> Result<BTreeMap<String, Found>, String> {
    let odd = || "find answered in an unknown form".to_owned();
    let (header, rest) = text.split_once('\0').ok_or_else(odd)?;
    let mut all: Vec<Found> = header.split('\n').map(|_| Found::default()).collect();
    for piece in rest.split('\0') {
        let mut piece = piece;
        // A path begins with `0./`, a state is `0 81a4 0 0`.
        while let Some((number, line)) = piece
            .split_once('\n')
            .and_then(|(line, _)| state(line))
            .or_else(|| state(piece))
        {
            all.get_mut(number).ok_or_else(odd)?.states.push(line);
            piece = piece.split_once('\n').map_or("", |(_, rest)| rest);
        }
        if piece.is_empty() {
            continue;
        }
        let digits = piece.find("./").ok_or_else(odd)?;
        let number: usize = piece[..digits].parse().map_err(|_| odd())?;
        all.get_mut(number)
            .ok_or_else(odd)?
            .paths
            .push(piece[digits..].to_owned());
    }
    all.iter_mut().for_each(|found| found.paths.sort_unstable());
    Ok(header.split('\n').map(str::to_owned).zip(all).collect())
}

fn state(line: &str) -> Option<(usize, (u32, u32, u32))> {
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

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("found", &walk(target), found)
        .observe("does not exist", |all| {
            let Some(found) = all.get(&search(target)) else {
                return Observed::uncollected();
            };
            if found.paths.len() > MOST {
                return Observed::Unknown(format!("more than {MOST} are found, too many to judge"));
            }
            if property == "paths" {
                let start = target.subject.trim_end_matches('/');
                return Observed::list(
                    found
                        .paths
                        .iter()
                        .map(|path| escaped(&format!("{start}{}", &path[1..]))),
                );
            }
            if found.states.len() != found.paths.len() {
                return Observed::Unknown(
                    "it changed while it was looked at, or `stat` is of another kind".to_owned(),
                );
            }
            let each = |of: &dyn Fn(&(u32, u32, u32)) -> String| {
                Observed::list(found.states.iter().map(of).collect::<BTreeSet<_>>())
            };
            match property {
                "modes" => each(&|(mode, ..)| mode_text(*mode)),
                "owners" => each(&|(_, uid, _)| named(view, "passwd", *uid)),
                _ => each(&|(.., gid)| named(view, "group", *gid)),
            }
        })
}

fn named(view: &View<'_>, table: &str, id: u32) -> String {
    match view.parsed(table, "", |text| Ok(names(text))) {
        Seen::Present(names) => names.get(&id).cloned().unwrap_or_else(|| id.to_string()),
        _ => id.to_string(),
    }
}

/// A path on one line, whatever its name.
fn escaped(path: &str) -> String {
    if path.chars().any(char::is_control) {
        path.escape_default().to_string()
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
