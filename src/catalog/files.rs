//! Owns what the catalog asks of the repository it lies in, and the rules for paths that users write.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::codes;
use crate::catalog::raw::Text;
use crate::catalog::syntax;

/// What there is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A file, with its content.
    Found(Vec<u8>),
    /// Nothing.
    Missing,
    /// A link that leads out of the repository, and where to; its content was not read.
    Escapes(String),
    /// A folder, a device, …
    NotAFile,
    /// A file larger than the reader allows; its size in bytes.
    TooLarge(u64),
    /// A file that can't be read, and why.
    Unreadable(String),
}

/// The repository that a catalog lies in, as the loader sees it. Paths are relative to the folder of `bakeline.yaml`,
/// with `/`; whoever implements this resolves links and says [`Lookup::Escapes`] where one leads out.
pub trait Files {
    /// What there is at `path`.
    fn get(&self, path: &str) -> Lookup;
    /// The paths of all files below `folder`, at any depth; empty when there is no such folder.
    fn list(&self, folder: &str) -> Vec<String>;
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
}

/// Reads a file that the user names; what is wrong with its path is reported.
pub(super) fn read_named(
    checker: &mut Checker<'_, '_>,
    files: &dyn Files,
    path: &Text,
) -> Option<Vec<u8>> {
    if !repository_path(checker, path) {
        return None;
    }
    match files.get(&path.value) {
        Lookup::Found(bytes) => return Some(bytes),
        Lookup::Missing => return missing(checker, files, path),
        other => misplaced(checker, &path.span, &path.value, other),
    }
    None
}

/// Reports what is at a path instead of a file; `span` is where the user named it.
pub(super) fn misplaced(
    checker: &mut Checker<'_, '_>,
    span: &Range<usize>,
    path: &str,
    is: Lookup,
) {
    let name = shown(path);
    let (code, message, help) = match is {
        Lookup::Found(_) => return,
        Lookup::Missing => (
            codes::PATH_MISSING,
            format!("the file `{name}` is gone"),
            "put it back",
        ),
        Lookup::Escapes(to) => (
            codes::PATH_ESCAPES,
            format!(
                "`{name}` is a link to `{}`, outside the repository",
                shown(&to)
            ),
            "put the file itself into the repository",
        ),
        Lookup::NotAFile => (
            codes::PATH_KIND,
            format!("`{name}` is not a file"),
            "name each file by itself",
        ),
        Lookup::TooLarge(size) => (
            codes::PATH_KIND,
            format!("`{name}` has {size} bytes, which is too large"),
            "let a script or a package fetch what is large",
        ),
        Lookup::Unreadable(why) => (
            codes::PATH_KIND,
            format!("`{name}` can't be read: {}", shown(&why)),
            "look at its permissions",
        ),
    };
    checker.error(code, span, message).help(help);
}

/// Whether the user names a folder with something in it; what is wrong is reported.
pub(super) fn folder(checker: &mut Checker<'_, '_>, files: &dyn Files, path: &Text) -> bool {
    if !repository_path(checker, path) {
        return false;
    }
    let there = !files.list(&path.value).is_empty();
    if !there {
        let message = format!(
            "there is no folder `{}` with files in it",
            shown(&path.value)
        );
        checker
            .error(codes::PATH_MISSING, &path.span, message)
            .help("paths are relative to the folder of bakeline.yaml");
    }
    there
}

fn missing(checker: &mut Checker<'_, '_>, files: &dyn Files, path: &Text) -> Option<Vec<u8>> {
    let folder = path.value.rsplit_once('/').map_or("", |(folder, _)| folder);
    let there = if folder.is_empty() {
        Vec::new()
    } else {
        files.list(folder)
    };
    let help = match crate::diagnostic::nearest(&path.value, there.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "paths are relative to the folder of bakeline.yaml".to_owned(),
    };
    checker
        .error(
            codes::PATH_MISSING,
            &path.span,
            format!("there is no file `{}`", shown(&path.value)),
        )
        .help(help);
    None
}

/// Whether the path is relative and plain, so that it stays inside the repository but for links.
fn repository_path(checker: &mut Checker<'_, '_>, path: &Text) -> bool {
    let text = &path.value;
    let message = if text.starts_with('/') || text.starts_with('~') || text.get(1..2) == Some(":") {
        format!(
            "the path `{}` is not relative to the repository",
            shown(text)
        )
    } else if dotted(text) {
        format!("the path `{}` has `.` or `..` in it", shown(text))
    } else if !syntax::PATH.allows(text) {
        format!("`{}` is not a plain path", shown(text))
    } else {
        return true;
    };
    checker
        .error(codes::PATH, &path.span, message)
        .help(format!("use {}", syntax::PATH.says));
    false
}

/// Whether the text may be a file's path in the image.
pub(super) fn destination(checker: &mut Checker<'_, '_>, path: &Text) -> Option<String> {
    if dotted(&path.value) {
        checker
            .error(
                codes::DESTINATION,
                &path.span,
                format!("the path `{}` has `.` or `..` in it", shown(&path.value)),
            )
            .help(format!("use {}", syntax::DESTINATION.says));
        return None;
    }
    checker.name(
        codes::DESTINATION,
        "a file's place in the image",
        path,
        &syntax::DESTINATION,
    )
}

fn dotted(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "." | ".."))
}
