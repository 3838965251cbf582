//! Collects the files of the project whose language is checked.

use std::path::{Path, PathBuf};

/// Kind of a file, by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rust,
    Markdown,
    Python,
    Shell,
    Yaml,
}

/// A file with its path relative to the repository.
pub(super) struct ProjectFile {
    pub path: String,
    pub kind: Kind,
    pub text: String,
}

/// Directories without text of the project, in addition to hidden ones.
const SKIPPED: [&str; 5] = [
    "target",
    "proptest-regressions",
    "corpus",
    "data",
    "node_modules",
];

/// Files that quote the old language: these tests and the style guide.
const QUOTING: [&str; 2] = ["/language/", "docs/contributing/style-guide.md"];

impl ProjectFile {
    pub(super) fn new(path: &str, kind: Kind, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            text: text.to_owned(),
        }
    }

    /// Returns whether the file contains tests only. Names of tests have no limits.
    pub(super) fn is_test(&self) -> bool {
        let path = format!("/{}", self.path);
        path.contains("/tests/")
            || ["/test.rs", "/tests.rs", "_test.rs", "_tests.rs"]
                .iter()
                .any(|end| path.ends_with(end))
    }
}

/// Reads all files of the project.
///
/// # Panics
///
/// When a file cannot be read.
pub(super) fn project_files() -> Vec<ProjectFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(root, &mut paths);
    paths.sort();
    let files = paths.iter().filter_map(|path| {
        let relative = path
            .strip_prefix(root)
            .expect("a path below the root")
            .to_str()?;
        let kind = kind_of(path)?;
        let quotes = QUOTING.iter().any(|part| relative.contains(part));
        (!quotes).then(|| ProjectFile::new(relative, kind, &read(path)))
    });
    files.collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn kind_of(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()? {
        "rs" => Some(Kind::Rust),
        "md" => Some(Kind::Markdown),
        "py" => Some(Kind::Python),
        "sh" => Some(Kind::Shell),
        "yaml" | "yml" => Some(Kind::Yaml),
        _ => None,
    }
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory)
        .expect("a readable directory")
        .flatten()
    {
        let name = entry.file_name();
        let is_hidden = name.to_string_lossy().starts_with('.') && name != ".ci";
        let skipped = is_hidden || SKIPPED.iter().any(|skipped| name == *skipped);
        let kind = entry.file_type().expect("a file type");
        if kind.is_dir() && !skipped {
            collect(&entry.path(), paths);
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
}
