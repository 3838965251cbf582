//! Defines access to the files of the repository, and checks paths that users write.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::checker::{Checker, quote_path, quote_text};
use crate::catalog::codes;
use crate::catalog::raw::Text;
use crate::catalog::syntax;

/// Name of the settings file.
pub const SETTINGS_FILE: &str = "bakeline.yaml";
/// Next step if the settings file is missing.
pub const MISSING_SETTINGS_HELP: &str = "run bakeline in the repository of the catalog, use -C DIR, or start a catalog with \
     `bakeline init`";

/// Result of looking up a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A file with its content.
    Found(Vec<u8>),
    /// Nothing.
    Missing,
    /// A link to a target outside the repository, with the target. The content was not read.
    Escapes(String),
    /// A directory, a device or another object that is not a file.
    NotAFile,
    /// A file larger than the limit, with its size in bytes.
    TooLarge(u64),
    /// A file that cannot be read, with the reason.
    Unreadable(String),
}

/// The repository that contains a catalog.
///
/// Paths are relative to the directory of `bakeline.yaml`, with `/`. Implementations resolve links
/// and return [`Lookup::Escapes`] for targets outside the repository.
pub trait Files {
    /// Looks up `path`.
    fn get(&self, path: &str) -> Lookup;
    /// Returns the paths of all files below `folder` at any depth. Empty if the folder does not
    /// exist.
    fn list(&self, folder: &str) -> Vec<String>;
    /// Returns the paths of the YAML files near the top of the repository, except those of other
    /// catalogs and of hidden folders.
    fn yaml_files(&self) -> Vec<String> {
        Vec::new()
    }
    /// Returns the properties of a path that are not content.
    fn properties(&self, path: &str) -> FileProperties {
        FileProperties {
            resolved: path.to_owned(),
            ..FileProperties::default()
        }
    }
}

/// Properties of a path in the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProperties {
    /// Path with all links resolved, relative to the repository. Absolute if it is outside.
    pub resolved: String,
    /// Target of a symbolic link, as written.
    pub link: Option<String>,
    /// True if the owner may execute the file.
    pub executable: bool,
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn get(&self, path: &str) -> Lookup {
        match BTreeMap::get(self, path) {
            Some(bytes) => Lookup::Found(bytes.clone()),
            None if !self.list(path).is_empty() => Lookup::NotAFile,
            None => Lookup::Missing,
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        self.keys()
            .filter(|path| path.starts_with(&prefix))
            .cloned()
            .collect()
    }

    fn yaml_files(&self) -> Vec<String> {
        self.keys().filter(|path| is_yaml(path)).cloned().collect()
    }
}

/// Returns true for the usual extensions of YAML files.
pub fn is_yaml(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
    matches!(extension.as_deref(), Some("yml" | "yaml"))
}

/// Reads a file that the user names. Reports an invalid path.
pub(super) fn read_named_file(
    checker: &mut Checker<'_, '_>,
    files: &dyn Files,
    path: &Text,
) -> Option<Vec<u8>> {
    if !check_repository_path(checker, path, &syntax::PATH) {
        return None;
    }
    read_checked_file(checker, files, path)
}

/// Reads a file whose path is valid.
pub(super) fn read_checked_file(
    checker: &mut Checker<'_, '_>,
    files: &dyn Files,
    path: &Text,
) -> Option<Vec<u8>> {
    match files.get(&path.value) {
        Lookup::Found(bytes) => return Some(bytes),
        Lookup::Missing => return report_missing_file(checker, files, path),
        other => report_unusable_file(checker, &path.span, &path.value, other),
    }
    None
}

/// Reports a path that is not a readable file. `range` is the position of the path in the catalog.
pub(super) fn report_unusable_file(
    checker: &mut Checker<'_, '_>,
    range: &Range<usize>,
    path: &str,
    lookup: Lookup,
) {
    let name = quote_path(path);
    let (code, message, help) = match lookup {
        Lookup::Found(_) => return,
        Lookup::Missing => (
            codes::PATH_MISSING,
            format!("the file `{name}` no longer exists"),
            "restore it",
        ),
        Lookup::Escapes(to) => (
            codes::PATH_ESCAPES,
            format!(
                "`{name}` is a link to `{}`, outside the repository",
                quote_text(&to)
            ),
            "copy the file into the repository",
        ),
        Lookup::NotAFile => (
            codes::PATH_KIND,
            format!("`{name}` is not a file"),
            "list each file separately",
        ),
        Lookup::TooLarge(size) => (
            codes::PATH_KIND,
            format!("`{name}` is too large: {size} bytes"),
            "download large files in a script or install them from a package",
        ),
        Lookup::Unreadable(why) => (
            codes::PATH_KIND,
            format!("`{name}` cannot be read: {}", quote_text(&why)),
            "check its permissions",
        ),
    };
    checker.error(code, range, message).help(help);
}

/// Returns true if the path is a directory that contains files. Reports an error otherwise.
pub(super) fn check_folder_with_files(
    checker: &mut Checker<'_, '_>,
    files: &dyn Files,
    path: &Text,
) -> bool {
    if !check_repository_path(checker, path, &syntax::PATH) {
        return false;
    }
    let exists = !files.list(&path.value).is_empty();
    if !exists {
        let message = format!(
            "the directory `{}` does not exist or has no files",
            quote_text(&path.value)
        );
        checker
            .error(codes::PATH_MISSING, &path.span, message)
            .help("paths are relative to the directory of bakeline.yaml");
    }
    exists
}

fn report_missing_file(
    checker: &mut Checker<'_, '_>,
    files: &dyn Files,
    path: &Text,
) -> Option<Vec<u8>> {
    let folder = path.value.rsplit_once('/').map_or("", |(folder, _)| folder);
    let siblings = if folder.is_empty() {
        Vec::new()
    } else {
        files.list(folder)
    };
    // Users often write paths relative to the image file.
    let own = format!("images/{}", path.value);
    let is_beside_image = !matches!(files.get(&own), Lookup::Missing);
    let near = crate::diagnostic::nearest(&path.value, siblings.iter().map(String::as_str));
    let help = match near.or(is_beside_image.then_some(own.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "paths are relative to the directory of bakeline.yaml".to_owned(),
    };
    checker
        .error(
            codes::PATH_MISSING,
            &path.span,
            format!("the file `{}` does not exist", quote_text(&path.value)),
        )
        .help(help);
    None
}

/// Returns true if the path is relative and has no `.` or `..`. Only links can then leave the
/// repository.
pub(super) fn check_repository_path(
    checker: &mut Checker<'_, '_>,
    path: &Text,
    syntax: &syntax::Syntax,
) -> bool {
    let text = &path.value;
    let message = if text.starts_with('/') || text.starts_with('~') || text.get(1..2) == Some(":") {
        format!(
            "the path `{}` is not relative to the repository",
            quote_text(text)
        )
    } else if has_dot_segments(text) {
        format!("the path `{}` contains `.` or `..`", quote_text(text))
    } else if !syntax.matches(text) {
        format!("the path `{}` has invalid characters", quote_text(text))
    } else {
        return true;
    };
    checker
        .error(codes::PATH, &path.span, message)
        .help(format!("use {}", syntax.advice));
    false
}

/// Returns the path of a file in the image. Reports an invalid path.
pub(super) fn parse_destination(checker: &mut Checker<'_, '_>, path: &Text) -> Option<String> {
    if has_dot_segments(&path.value) {
        checker
            .error(
                codes::DESTINATION,
                &path.span,
                format!(
                    "the path `{}` contains `.` or `..`",
                    quote_text(&path.value)
                ),
            )
            .help(format!("use {}", syntax::DESTINATION.advice));
        return None;
    }
    checker.check_name(
        codes::DESTINATION,
        "the path of a file",
        path,
        &syntax::DESTINATION,
    )
}

fn has_dot_segments(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "." | ".."))
}
