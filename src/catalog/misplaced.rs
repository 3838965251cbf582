//! Finds files of a catalog in places that bakeline does not read: other folders, other names.

use std::collections::BTreeSet;

use crate::catalog::checker::Checker;
use crate::catalog::files::{Files, Lookup, SETTINGS_FILE};
use crate::catalog::profiles::waivers::WAIVERS_FILE;
use crate::catalog::read::{file_stem, image_stem};
use crate::catalog::yaml::node::{Node, Value};
use crate::catalog::yaml::source::{Diagnostics, SourceFile, SourceText};
use crate::catalog::{codes, schema, yaml};
use crate::diagnostic::{Diagnostic, Span};

/// Kind of a file of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    /// Image file.
    Image,
    /// Profile.
    Profile,
    /// Waivers of the catalog.
    Waivers,
}

/// Returns a warning for each file that looks like a part of the catalog, but is not read.
#[must_use]
pub fn misplaced_files(files: &dyn Files) -> Vec<Diagnostic> {
    let mut unread = files.yaml_files();
    unread.retain(|path| !is_read(path));
    if unread.is_empty() {
        return Vec::new();
    }
    // Parses all image files again.
    let named = named_paths(files);
    let is_used = |path: &str| {
        let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        named.contains(path) || folders.any(|folder| named.contains(folder))
    };
    unread.retain(|path| !is_used(path));
    unread
        .into_iter()
        .filter_map(|path| {
            let name = path.rsplit('/').next().unwrap_or(&path);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let (kind, place) = match (file_kind(&path, files)?, path.rsplit_once('/')) {
                (FileKind::Image, _) => ("an image", format!("images/{stem}.yaml")),
                (FileKind::Profile, _) => ("a profile", format!("profiles/{stem}.yaml")),
                (FileKind::Waivers, None) => ("waivers", WAIVERS_FILE.to_owned()),
                // A folder of another tool can have a key `waivers`.
                (FileKind::Waivers, Some(_)) => return None,
            };
            let message = format!("`{path}` looks like {kind}, but bakeline does not read it");
            let warning = Diagnostic::warning(codes::MISPLACED_FILE, Span::file(&path), message);
            Some(warning.help(format!("move it to {place}, or remove it")))
        })
        .collect()
}

/// Reports a profile that is an image. Returns true in this case.
pub(crate) fn report_image(name: &str, node: &Node, checker: &mut Checker<'_, '_>) -> bool {
    let is_image = kind_of_keys(&keys(node)) == Some(FileKind::Image);
    if is_image {
        let message = "this profile looks like an image";
        checker
            .error(codes::MISPLACED_FILE, &(0..0), message)
            .help(format!(
                "move it to images/{name}.yaml, or remove `source` and `parent`"
            ));
    }
    is_image
}

/// Returns all texts of the image files: some are paths of files and folders that an image uses.
fn named_paths(files: &dyn Files) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut open: Vec<Node> = files
        .list("images")
        .iter()
        .filter_map(|path| parse(path, files))
        .collect();
    while let Some(node) = open.pop() {
        match node.value {
            Value::Scalar { text, .. } => {
                let path = text.trim_start_matches("./").trim_end_matches('/');
                out.insert(path.to_owned());
            }
            Value::List(items) => open.extend(items),
            Value::Map(entries) => open.extend(entries.into_iter().map(|(_, node)| node)),
        }
    }
    out
}

fn keys(node: &Node) -> Vec<&str> {
    let entries = node.entries().iter();
    entries.map(|(key, _)| key.text.as_str()).collect()
}

/// Returns true if bakeline reads the file, or reports its name as an error.
fn is_read(path: &str) -> bool {
    [SETTINGS_FILE, WAIVERS_FILE].contains(&path)
        || path.starts_with("images/")
        || image_stem(path).is_some()
        || file_stem(path, "profiles").is_some()
        || path.starts_with("templates/")
        || path.starts_with("schema/")
}

/// Returns the kind of a file by its keys.
fn file_kind(path: &str, files: &dyn Files) -> Option<FileKind> {
    kind_of_keys(&keys(&parse(path, files)?))
}

/// Returns the content of a YAML file, or `None` if it cannot be read.
fn parse(path: &str, files: &dyn Files) -> Option<Node> {
    let Lookup::Found(bytes) = files.get(path) else {
        return None;
    };
    let text = SourceText::new(String::from_utf8(bytes).ok()?);
    yaml::parse(&SourceFile::new(path, &text), &mut Diagnostics::default())
}

/// Returns the kind of a file with these keys: one that only this kind has, and mostly known ones.
fn kind_of_keys(keys: &[&str]) -> Option<FileKind> {
    let knows = |schema: &serde_json::Value| {
        let is_known = |key: &&&str| schema["properties"].get(**key).is_some();
        keys.iter().filter(is_known).count() * 2 > keys.len()
    };
    let has_any = |of: &[&str]| keys.iter().any(|key| of.contains(key));
    if has_any(&["source", "parent"]) && knows(&schema::IMAGE) {
        Some(FileKind::Image)
    } else if has_any(&["checks", "controls", "extends"]) && knows(&schema::PROFILE) {
        Some(FileKind::Profile)
    } else if keys == ["waivers"] {
        Some(FileKind::Waivers)
    } else {
        None
    }
}
