//! Parses the output of `listing` in walk.sh: lines of `ls -ldn`, or errors.

use std::collections::BTreeSet;

use super::file_state::{Stat, parse_state};
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::matcher::value::mode_text;
use crate::text::truncate_for_display;

/// Shell functions, which the collector always includes.
pub(crate) const SHELL: &str = include_str!("walk.sh");

/// File that a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path on the target.
    pub(crate) path: String,
    /// State. Links are not followed.
    pub(crate) stat: Stat,
    /// Target of a link as stored.
    pub(crate) link: Option<String>,
}

impl Entry {
    /// Returns true for a non-empty file. A link counts unless it points to /dev/null.
    pub(crate) fn has_content(&self) -> bool {
        match self.stat.kind {
            "file" => self.stat.size.is_some_and(|size| size > 0),
            "link" => self.link.as_deref() != Some("/dev/null"),
            _ => false,
        }
    }

    /// Returns the last part of the path.
    pub(crate) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Returns true if the path is this directory or below it.
    pub(crate) fn is_within(&self, directory: &str) -> bool {
        self.path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Reason why a walk is incomplete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error("the search timed out")]
    TimedOut,
    #[error("a file name contains a line break")]
    LineBreak,
    /// Shortened message of a program, or a line in an unknown format.
    #[error("{0}")]
    Message(String),
}

impl From<WalkError> for ReadError {
    fn from(error: WalkError) -> Self {
        Self::invalid(error)
    }
}

/// Returns the files of a walk, each path once, in order.
pub(crate) fn load_entries(view: &View<'_>, kind: &str) -> Parsed<Vec<Entry>> {
    view.parse_reading(kind, "", |text| Ok(parse_entries(text)?))
}

/// Returns the paths of the files that `keep` selects.
pub(crate) fn filter_paths(
    view: &View<'_>,
    kind: &str,
    keep: impl Fn(&Entry) -> bool,
) -> Observation {
    load_entries(view, kind).observe("was not collected", |all| {
        Observation::list(
            all.iter()
                .filter(|entry| keep(entry))
                .map(|entry| entry.path.clone()),
        )
    })
}

/// Returns the distinct modes of the files that `keep` selects.
pub(crate) fn filter_modes(
    view: &View<'_>,
    kind: &str,
    keep: impl Fn(&Entry) -> bool,
) -> Observation {
    load_entries(view, kind).observe("was not collected", |all| {
        let modes: BTreeSet<String> = all
            .iter()
            .filter(|e| keep(e))
            .map(|e| mode_text(e.stat.mode))
            .collect();
        Observation::list(modes)
    })
}

/// Parses the files, each path once, in order.
///
/// # Errors
/// Returns an error if something was unreadable, or if a line is not from `ls`. An incomplete walk
/// proves nothing.
pub(crate) fn parse_entries(text: &str) -> Result<Vec<Entry>, WalkError> {
    if text
        .lines()
        .any(|line| matches!(line, "!124" | "!137" | "!143"))
    {
        return Err(WalkError::TimedOut);
    }
    let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(entry) = parse_entry(line) {
            if seen.insert(entry.path.clone()) {
                out.push(entry);
            }
            continue;
        }
        match line {
            "" => {}
            // Exit status of find or grep. Each problem has its own line.
            "!1" | "!2" => {}
            "!name" => return Err(WalkError::LineBreak),
            _ if is_missing_file(line) => {}
            _ => return Err(WalkError::Message(truncate_for_display(line.as_bytes()))),
        }
    }
    out.sort_by(|a: &Entry, b| a.path.cmp(&b.path));
    Ok(out)
}

/// Returns true for a message about a file that is missing or was removed during the walk.
pub(crate) fn is_missing_file(line: &str) -> bool {
    let words = [": No such file or directory", ": Not a directory"];
    ["find: ", "grep: ", "ls: ", "awk: ", "mawk: "]
        .iter()
        .any(|program| line.starts_with(program))
        && words.iter().any(|end| line.ends_with(end))
}

/// Parses `-rw-r--r-- 1 0 0 12 Jan  1 12:00 ./path`.
///
/// A link has ` -> …` after its path, and a device has two numbers instead of a size. POSIX defines
/// this format of `ls -l` in the C locale.
fn parse_entry(line: &str) -> Option<Entry> {
    let stat = parse_state(line)?;
    let columns = if matches!(stat.kind, "char" | "block") {
        9
    } else {
        8
    };
    let mut rest = line;
    for _ in 0..columns {
        rest = rest.trim_start_matches(' ').split_once(' ')?.1;
    }
    let (path, link) = match (stat.kind, rest.split_once(" -> ")) {
        ("link", Some((path, link))) => (path, Some(link.to_owned())),
        _ => (rest, None),
    };
    let path = path.strip_prefix('.')?;
    let path = if path.is_empty() { "/" } else { path }.to_owned();
    Some(Entry { path, stat, link })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ls_lines_with_unusual_names_are_parsed() {
        let text = "find: './nonexistent': No such file or directory\n\
            -rw-r----- 1 0 4 12 Jan  1 12:00 ./var/log/a  b -> c\n\
            lrwxrwxrwx 1 0 0 9 Nov 27  2023 ./root/.bash_history -> /dev/null\n\
            crw-rw-rw- 1 0 0 1,   3 Nov 27 06:00 ./dev/null\n\
            drwxr-xr-x 2 0 0 4096 Nov 27 06:00 .\n!1\n";
        let all = parse_entries(text).expect("entries");
        let shown: Vec<(&str, &str, Option<&str>)> = all
            .iter()
            .map(|e| (e.path.as_str(), e.stat.kind, e.link.as_deref()))
            .collect();
        let expected = [
            ("/", "directory", None),
            ("/dev/null", "char", None),
            ("/root/.bash_history", "link", Some("/dev/null")),
            ("/var/log/a  b -> c", "file", None),
        ];
        assert_eq!(shown, expected);
        assert_eq!(all.iter().filter(|e| e.has_content()).count(), 1);
    }

    #[test]
    fn incomplete_walk_is_an_error() {
        for text in [
            "find: './root': Permission denied\n!1\n",
            "sh: find: not found\n!127\n",
            "!124\n",
            "!name\n",
            "nonsense\n",
        ] {
            assert!(parse_entries(text).is_err(), "{text}");
        }
    }
}
