//! Defines the `tree` provisioner: all files and links of a folder.

use std::collections::BTreeMap;

/// Mode of files that are not executable.
const MODE: &str = "0644";
/// Mode of executable files.
const EXECUTABLE_MODE: &str = "0755";
/// Mode of new directories without a mode of the user.
const FOLDER_MODE: &str = "0755";

/// A folder to copy into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Path relative to the repository.
    pub source: String,
    /// Absolute path of a directory in the image. It receives the contents of the folder.
    pub destination: String,
    /// Files and links below the folder, by path. The catalog has the contents of the files.
    pub entries: Vec<TreeEntry>,
    /// True if each file is a template.
    pub template: bool,
    /// Owner: `user` or `user:group`.
    pub owner: String,
    /// Octal mode of all files. `None` to keep the executable bit of each file.
    pub mode: Option<String>,
    /// Paths of the files, without the links.
    files: Vec<String>,
}

/// A file or link of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Path relative to the repository.
    pub path: String,
    /// Kind.
    pub kind: TreeEntryKind,
}

/// Kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeEntryKind {
    /// A file.
    File {
        /// True if the owner may execute it.
        executable: bool,
    },
    /// A symbolic link with its relative target.
    Link(String),
}

impl Tree {
    /// Creates a tree.
    #[must_use]
    pub fn new(
        source: String,
        destination: String,
        entries: Vec<TreeEntry>,
        template: bool,
        owner: String,
        mode: Option<String>,
    ) -> Self {
        let files = entries
            .iter()
            .filter(|entry| matches!(entry.kind, TreeEntryKind::File { .. }))
            .map(|entry| entry.path.clone())
            .collect();
        Self {
            source,
            destination,
            entries,
            template,
            owner,
            mode,
            files,
        }
    }

    /// Returns the paths of the files, relative to the repository.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Returns the absolute path of an entry in the image.
    #[must_use]
    pub fn target(&self, entry: &TreeEntry) -> String {
        let folder = self.destination.trim_end_matches('/');
        format!("{folder}{}", &entry.path[self.source.len()..])
    }

    /// Returns the mode of an entry. Links have none.
    #[must_use]
    pub fn mode_of(&self, entry: &TreeEntry) -> &str {
        match (&self.mode, &entry.kind) {
            (Some(mode), _) => mode,
            (None, TreeEntryKind::File { executable: true }) => EXECUTABLE_MODE,
            (None, _) => MODE,
        }
    }

    /// Returns the directories that contain the entries, parents first, with the mode of new ones.
    ///
    /// A directory can be searched by all who can read it.
    #[must_use]
    pub fn folders(&self) -> BTreeMap<String, String> {
        let mode = self
            .mode
            .as_deref()
            .map_or_else(|| FOLDER_MODE.to_owned(), searchable);
        let root = self.destination.trim_end_matches('/');
        let mut out = BTreeMap::new();
        if !root.is_empty() {
            out.insert(root.to_owned(), mode.clone());
        }
        for entry in &self.entries {
            let target = self.target(entry);
            let mut end = root.len();
            while let Some(at) = target[end + 1..].find('/') {
                end += 1 + at;
                out.insert(target[..end].to_owned(), mode.clone());
            }
        }
        out
    }
}

/// Returns an octal mode with search permission wherever it has read permission.
fn searchable(mode: &str) -> String {
    mode.chars()
        .enumerate()
        .map(|(at, digit)| match digit.to_digit(8) {
            Some(bits) if at + 3 >= mode.len() && bits & 4 != 0 => {
                char::from_digit(bits | 1, 8).unwrap_or(digit)
            }
            _ => digit,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, TreeEntry, TreeEntryKind, searchable};

    #[test]
    fn folders_are_listed_parents_first() {
        let entry = |path: &str| TreeEntry {
            path: path.to_owned(),
            kind: TreeEntryKind::File { executable: false },
        };
        let tree = |destination: &str| {
            Tree::new(
                "root fs".to_owned(),
                destination.to_owned(),
                vec![entry("root fs/etc/a b/c"), entry("root fs/x")],
                false,
                "root".to_owned(),
                Some("0640".to_owned()),
            )
        };
        let folders = |tree: &Tree| tree.folders().into_keys().collect::<Vec<_>>();
        assert_eq!(folders(&tree("/")), ["/etc", "/etc/a b"]);
        assert_eq!(folders(&tree("/o")), ["/o", "/o/etc", "/o/etc/a b"]);
        let tree = tree("/");
        assert_eq!(tree.target(&tree.entries[1]), "/x");
        assert_eq!(tree.folders()["/etc"], "0750");
    }

    #[test]
    fn readable_folders_are_searchable() {
        for (mode, folder) in [
            ("0640", "0750"),
            ("0600", "0700"),
            ("4744", "4755"),
            ("0222", "0222"),
        ] {
            assert_eq!(searchable(mode), folder);
        }
    }
}
