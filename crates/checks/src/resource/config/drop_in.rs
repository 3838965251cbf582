//! Parses drop-in directories that the collector sends (`send` in system.sh): the files, their
//! order and their lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::facts::error::ReadError;

/// Collector functions for drop-in directories.
pub(crate) const FUNCTIONS: &str = include_str!("system.sh");

/// Reason why the effective files are unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DropInError {
    #[error("the list of files of the collector has an unknown format")]
    UnknownFormat,
    #[error("{0} was not collected")]
    NotCollected(String),
    #[error("{0}: permission denied")]
    PermissionDenied(String),
    #[error(
        "{0} is a dangling link; systemd versions differ in how it hides other files with this name"
    )]
    DanglingLink(String),
}

impl From<DropInError> for ReadError {
    fn from(error: DropInError) -> Self {
        Self::invalid(error)
    }
}

/// State of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileState {
    /// Lines of a file.
    Lines(Vec<String>),
    /// Empty file, device or directory.
    Empty,
    /// Link whose target does not exist.
    Dangling,
    /// Missing file.
    Absent,
    /// Unreadable file.
    Denied,
}

/// Files in the order of their directories.
#[derive(Debug, Default)]
pub(crate) struct DropInFiles {
    pub(crate) files: Vec<(String, FileState)>,
    /// Units that other units want.
    pub(crate) wanted: BTreeSet<String>,
}

impl DropInFiles {
    /// Parses the output of `send`.
    pub(crate) fn parse(text: &str) -> Result<Self, DropInError> {
        let (mut out, mut places) = (Self::default(), Vec::new());
        let mut contents: HashMap<&str, Vec<String>> = HashMap::new();
        let mut at = "";
        for line in text.lines() {
            let Some((mark, rest)) = line.split_at_checked(1) else {
                continue;
            };
            let path = rest.strip_prefix(' ').unwrap_or_default().to_owned();
            match mark {
                "=" => {
                    at = rest;
                    contents.insert(at, Vec::new());
                }
                "|" => contents.entry(at).or_default().push(rest.to_owned()),
                "@" => places.push((
                    out.files.len().saturating_sub(1),
                    rest.strip_prefix(' ').unwrap_or_default(),
                )),
                "f" => out.files.push((path, FileState::Lines(Vec::new()))),
                "m" => out.files.push((path, FileState::Empty)),
                "d" => out.files.push((path, FileState::Dangling)),
                "-" => out.files.push((path, FileState::Absent)),
                "u" => out.files.push((path, FileState::Denied)),
                "w" => drop(out.wanted.insert(path)),
                _ => {
                    return Err(DropInError::UnknownFormat);
                }
            }
        }
        for (index, place) in places {
            let Some((path, text)) = out.files.get_mut(index) else {
                continue;
            };
            let lines = contents
                .get(place)
                .ok_or_else(|| DropInError::NotCollected(path.clone()))?;
            *text = FileState::Lines(lines.clone());
        }
        Ok(out)
    }

    /// Returns the state of a file.
    pub(crate) fn file(&self, path: &str) -> Option<&FileState> {
        self.files
            .iter()
            .find(|(known, _)| known == path)
            .map(|(_, text)| text)
    }

    /// Returns the effective files, ordered by name. A file hides files with the same name in later
    /// directories.
    ///
    /// # Errors
    /// Returns an error if a file is unreadable, or if versions of systemd differ in what a file
    /// hides.
    pub(crate) fn effective_files(
        &self,
        suffix: &str,
    ) -> Result<Vec<(&str, &[String])>, DropInError> {
        let mut first: BTreeMap<&str, (&str, &FileState)> = BTreeMap::new();
        let mut hides = BTreeSet::new();
        for (path, text) in &self.files {
            let Some((_, name)) = path
                .rsplit_once('/')
                .filter(|(_, name)| name.ends_with(suffix))
            else {
                if *text == FileState::Denied {
                    return Err(DropInError::PermissionDenied(path.clone()));
                }
                continue;
            };
            if *text == FileState::Absent {
                continue;
            }
            if first.contains_key(name) {
                hides.insert(name);
            } else {
                first.insert(name, (path, text));
            }
        }
        let mut out = Vec::new();
        for (name, (path, text)) in first {
            match text {
                FileState::Lines(lines) => out.push((path, lines.as_slice())),
                FileState::Denied => return Err(DropInError::PermissionDenied(path.to_owned())),
                FileState::Dangling if hides.contains(name) => {
                    return Err(DropInError::DanglingLink(path.to_owned()));
                }
                FileState::Empty | FileState::Dangling | FileState::Absent => {}
            }
        }
        Ok(out)
    }
}

/// Joins lines that end with a backslash with the next line.
pub(crate) fn join_continuations(lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut pending = String::new();
    for line in lines {
        match line.strip_suffix('\\') {
            Some(part) => pending += &format!("{part} "),
            None => out.push(std::mem::take(&mut pending) + line),
        }
    }
    if !pending.is_empty() {
        out.push(pending);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge_text(text: &str) -> Result<String, DropInError> {
        let texts = DropInFiles::parse(text)?;
        let files = texts.effective_files(".conf")?;
        Ok(files
            .iter()
            .map(|(path, lines)| format!("{path}={} ", lines.join(";")))
            .collect())
    }

    #[test]
    fn earlier_directory_hides_later_ones() {
        let text = "f /etc/x.d/50-a.conf\n@ ./a\nm /etc/x.d/60-b.conf\nf /etc/x.d/99-link.conf\n\
            @ ./etc/x.conf\nf /usr/x.d/10-c.conf\n@ ./c\nf /usr/x.d/50-a.conf\n@ ./hidden\n\
            f /usr/x.d/60-b.conf\n@ ./masked\n=./a\n|k=1\n|=./c\n=./etc/x.conf\n|z\n=./c\n|c\n\
            =./hidden\n|h\n=./masked\n|m\n";
        let expected = "/usr/x.d/10-c.conf=c /etc/x.d/50-a.conf=k=1;=./c /etc/x.d/99-link.conf=z ";
        assert_eq!(
            merge_text(text).as_deref(),
            Ok(expected),
            "content cannot forge a file entry"
        );
    }

    #[test]
    fn unreadable_file_is_an_error() {
        assert!(merge_text("u /etc/x.d/a.conf\n").is_err());
        assert!(merge_text("u /etc/x.d\n").is_err());
        assert_eq!(
            merge_text("m /etc/x.d/a.conf\nu /usr/x.d/a.conf\n").as_deref(),
            Ok(""),
            "it is hidden"
        );
        assert_eq!(merge_text("d /etc/x.d/a.conf\n").as_deref(), Ok(""));
        assert!(merge_text("d /etc/x.d/a.conf\nm /usr/x.d/a.conf\n").is_err());
        assert!(merge_text("f /etc/x.d/a.conf\n@ ./gone\n").is_err());
        assert!(merge_text("surprise\n").is_err());
        assert_eq!(merge_text("@ ./a\n").as_deref(), Ok(""));
    }

    #[test]
    fn backslash_continues_a_line() {
        let lines = ["a \\", "b", "c"].map(str::to_owned);
        assert_eq!(join_continuations(&lines), ["a  b", "c"]);
    }
}
