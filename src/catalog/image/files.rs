//! Checks the files and folders that an image copies.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::files::{
    Lookup, check_repository_path, parse_destination, read_checked_file, report_unusable_file,
};
use crate::catalog::image::draft::ImageContext;
use crate::catalog::raw::{RawFile, Text};
use crate::catalog::{codes, defaults, syntax};
use crate::provision::Provision;
use crate::provision::file::File;
use crate::provision::tree::{Tree, TreeEntry, TreeEntryKind};

/// Limits for a folder in bytes and entries. It is copied for every build.
const MAX_TREE_BYTES: usize = 64 * 1024 * 1024;
const MAX_TREE_ENTRIES: usize = 5000;
/// Names that version control and desktops leave behind. They are not copied.
const IGNORED_NAMES: [&str; 3] = [".git", ".svn", ".DS_Store"];

/// Returns the files and folders in order, and adds their contents to the context.
pub(super) fn parse_files(
    list: &[RawFile],
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Vec<Provision> {
    let mut destinations = BTreeMap::new();
    let mut out = Vec::new();
    for raw in list {
        let source = raw
            .source
            .as_ref()
            .filter(|source| check_repository_path(checker, source, &syntax::ANY_PATH));
        let content = source.and_then(|source| read_source(source, context, checker));
        let destination = raw
            .destination
            .as_ref()
            .and_then(|d| parse_destination(checker, d));
        let owner = parse_owner(raw, checker);
        let mode = raw
            .mode
            .as_ref()
            .map(|m| checker.check_name(codes::MODE, "an octal mode", m, &syntax::MODE));
        if let Some(text) = raw.destination.as_ref().filter(|_| destination.is_some()) {
            checker.check_unique(&mut destinations, text, codes::DESTINATION, "destination");
        }
        let (Some((source, content)), Some(destination), Some(owner)) =
            (source.zip(content), destination, owner)
        else {
            continue;
        };
        let mode = match mode {
            Some(None) => continue,
            Some(Some(mode)) => Some(format!("{mode:0>4}")),
            None => None,
        };
        let template = raw.template.unwrap_or(false);
        let source_path = source.value.clone();
        match content {
            Source::File(bytes) => {
                if destination == "/" {
                    let message = "the destination of a file cannot be `/`";
                    checker
                        .error(codes::DESTINATION, &source.span, message)
                        .help("add the name of the file to `destination`");
                    continue;
                }
                context.contents.insert(source_path.clone(), bytes);
                out.push(Provision::File(File {
                    source: source_path,
                    destination,
                    template,
                    owner,
                    mode: mode.unwrap_or(defaults::MODE.to_owned()),
                }));
            }
            Source::Folder(entries) => out.push(Provision::Tree(Tree::new(
                source_path,
                destination,
                entries,
                template,
                owner,
                mode,
            ))),
        }
    }
    out
}

/// Content of `source`.
enum Source {
    File(Vec<u8>),
    Folder(Vec<TreeEntry>),
}

/// Returns `user:group` from `owner` and `group`.
fn parse_owner(raw: &RawFile, checker: &mut Checker<'_, '_>) -> Option<String> {
    let owner = match &raw.owner {
        Some(owner) => checker.check_name(codes::OWNER, "an owner", owner, &syntax::OWNER)?,
        None if raw.group.is_some() => "root".to_owned(),
        None => defaults::OWNER.to_owned(),
    };
    let Some(group) = &raw.group else {
        return Some(owner);
    };
    let name = checker.check_name(codes::OWNER, "a group", group, &syntax::ACCOUNT_NAME)?;
    if owner.contains(':') {
        checker
            .error(
                codes::OWNER,
                &group.span,
                "both `owner` and `group` set the group",
            )
            .help("write the user in `owner` and the group in `group`");
        return None;
    }
    Some(format!("{owner}:{name}"))
}

/// Reads a file, or all entries of a folder.
fn read_source(
    source: &Text,
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Source> {
    let paths = context.files.list(&source.value);
    if paths.is_empty() {
        return read_checked_file(checker, context.files, source).map(Source::File);
    }
    read_folder(source, &paths, context, checker).map(Source::Folder)
}

fn read_folder(
    source: &Text,
    paths: &[String],
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Vec<TreeEntry>> {
    let errors_before = checker.diagnostics.error_count();
    let root = context.files.properties(&source.value).resolved;
    let mut out = Vec::new();
    let mut bytes = 0;
    let is_copied = |path: &&String| {
        !path[source.value.len()..]
            .split('/')
            .any(|name| IGNORED_NAMES.contains(&name))
    };
    for path in paths.iter().filter(is_copied) {
        let Some(kind) = read_entry(&source.span, path, &root, context, checker) else {
            continue;
        };
        bytes += context.contents.get(path).map_or(0, Vec::len);
        out.push(TreeEntry {
            path: path.clone(),
            kind,
        });
        if out.len() > MAX_TREE_ENTRIES || bytes > MAX_TREE_BYTES {
            report_large_folder(source, out.len(), checker);
            break;
        }
    }
    (checker.diagnostics.error_count() == errors_before).then_some(out)
}

fn report_large_folder(source: &Text, entries: usize, checker: &mut Checker<'_, '_>) {
    let name = quote_text(&source.value);
    let message = if entries > MAX_TREE_ENTRIES {
        format!("the folder `{name}` has more than {MAX_TREE_ENTRIES} files")
    } else {
        let limit = MAX_TREE_BYTES / 1024 / 1024;
        format!("the files of the folder `{name}` have more than {limit} MiB")
    };
    checker
        .error(codes::PATH_KIND, &source.span, message)
        .help("download large content in a script, or install it from a package");
}

/// Reads one entry of a folder. `root` is the folder with all links resolved.
fn read_entry(
    at: &Range<usize>,
    path: &str,
    root: &str,
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<TreeEntryKind> {
    let name = quote_text(path);
    if path.chars().any(char::is_control) {
        let message = format!("the file `{name}` has a control character in its name");
        checker.error(codes::PATH, at, message).help("rename it");
        return None;
    }
    let properties = context.files.properties(path);
    if let Some(target) = properties.link {
        let is_inside = properties.resolved.strip_prefix(root);
        let is_inside = is_inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_inside && !target.starts_with('/') {
            return Some(TreeEntryKind::Link(target));
        }
        let message = format!(
            "`{name}` is a link to `{}`, which is not inside the folder",
            quote_text(&target)
        );
        checker
            .error(codes::PATH_ESCAPES, at, message)
            .help("copy the target into the folder, or create the link in a script");
        return None;
    }
    if !context.contents.contains_key(path) {
        match context.files.get(path) {
            Lookup::Found(content) => {
                context.contents.insert(path.to_owned(), content);
            }
            Lookup::NotAFile => {
                let message = format!("`{name}` is a special file");
                checker
                    .error(codes::PATH_KIND, at, message)
                    .help("remove it; files, directories and links are copied");
                return None;
            }
            other => {
                report_unusable_file(checker, at, path, other);
                return None;
            }
        }
    }
    Some(TreeEntryKind::File {
        executable: properties.executable,
    })
}
