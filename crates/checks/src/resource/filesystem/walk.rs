//! Owns reading what `listing` of walk.sh brings: lines of `ls -ldn` of what a walk found, or why that is not known.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::file_state::{Stat, stat};
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::matcher::value::mode_text;
use crate::text::brief;

/// The shell functions, which the base set needs too.
pub(crate) const SHELL: &str = include_str!("walk.sh");

/// One thing that a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path on the target.
    pub(crate) path: String,
    /// Its state, a link not followed.
    pub(crate) stat: Stat,
    /// What a link says.
    pub(crate) link: Option<String>,
}

impl Entry {
    /// Whether it is a file with something in it; a link counts unless it leads to /dev/null.
    pub(crate) fn filled(&self) -> bool {
        match self.stat.kind {
            "file" => self.stat.size.is_some_and(|size| size > 0),
            "link" => self.link.as_deref() != Some("/dev/null"),
            _ => false,
        }
    }

    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is this path or lies below it.
    pub(crate) fn within(&self, directory: &str) -> bool {
        self.path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What a walk found, each path once, in order.
pub(crate) fn found(view: &View<'_>, kind: &str) -> Seen<Rc<Vec<Entry>>> {
    view.parsed(kind, "", entries)
}

/// The paths of what a walk found and `keep` wants.
pub(crate) fn paths(view: &View<'_>, kind: &str, keep: impl Fn(&Entry) -> bool) -> Observed {
    found(view, kind).observe("was not looked at", |all| {
        Observed::list(
            all.iter()
                .filter(|entry| keep(entry))
                .map(|entry| entry.path.clone()),
        )
    })
}

/// The modes that occur among what a walk found and `keep` wants.
pub(crate) fn modes(view: &View<'_>, kind: &str, keep: impl Fn(&Entry) -> bool) -> Observed {
    found(view, kind).observe("was not looked at", |all| {
        let modes: BTreeSet<String> = all
            .iter()
            .filter(|e| keep(e))
            .map(|e| mode_text(e.stat.mode))
            .collect();
        Observed::list(modes)
    })
}

/// Each path once, in order.
///
/// # Errors
/// Something could not be read, or a line is none of `ls`: nothing can be said about what a walk did not see.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, String> {
    if text
        .lines()
        .any(|line| matches!(line, "!124" | "!137" | "!143"))
    {
        return Err("the walk took too long".to_owned());
    }
    let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(entry) = entry(line) {
            if seen.insert(entry.path.clone()) {
                out.push(entry);
            }
            continue;
        }
        match line {
            "" => {}
            // find's and grep's own status, where every trouble has a line of its own.
            "!1" | "!2" => {}
            "!name" => return Err("there is a name with a line break in it".to_owned()),
            _ if gone(line) => {}
            _ => return Err(brief(line.as_bytes())),
        }
    }
    out.sort_by(|a: &Entry, b| a.path.cmp(&b.path));
    Ok(out)
}

/// What was never there, or went while it was looked at.
fn gone(line: &str) -> bool {
    let words = [": No such file or directory", ": Not a directory"];
    ["find: ", "grep: ", "ls: ", "awk: ", "mawk: "]
        .iter()
        .any(|program| line.starts_with(program))
        && words.iter().any(|end| line.ends_with(end))
}

/// `-rw-r--r-- 1 0 0 12 Jan  1 12:00 ./path`, with ` -> …` behind a link's path and two numbers for a device's size: the form
/// that POSIX gives for `ls -l` in the C locale.
fn entry(line: &str) -> Option<Entry> {
    let stat = stat(line)?;
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
    fn lines_of_ls_are_read_whatever_their_names_are() {
        let text = "find: './nonexistent': No such file or directory\n\
            -rw-r----- 1 0 4 12 Jan  1 12:00 ./var/log/a  b -> c\n\
            lrwxrwxrwx 1 0 0 9 Nov 27  2023 ./root/.bash_history -> /dev/null\n\
            crw-rw-rw- 1 0 0 1,   3 Nov 27 06:00 ./dev/null\n\
            drwxr-xr-x 2 0 0 4096 Nov 27 06:00 .\n!1\n";
        let all = entries(text).expect("entries");
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
        assert_eq!(all.iter().filter(|e| e.filled()).count(), 1);
    }

    #[test]
    fn what_was_not_seen_is_no_empty_list() {
        for text in [
            "find: './root': Permission denied\n!1\n",
            "sh: find: not found\n!127\n",
            "!124\n",
            "!name\n",
            "nonsense\n",
        ] {
            assert!(entries(text).is_err(), "{text}");
        }
    }
}
