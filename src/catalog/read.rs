//! Reads the files of the catalog and parses YAML texts into typed values.

use std::collections::BTreeMap;

use crate::catalog::checker::quote_text;
use crate::catalog::codes;
use crate::catalog::files::{Files, Lookup, MISSING_SETTINGS_HELP, SETTINGS_FILE, is_yaml};
use crate::catalog::profiles::waivers::WAIVERS_FILE;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile, SourceText};
use crate::catalog::yaml::{self, secrets, validate};
use crate::diagnostic::Span;

/// Returns the name in `images/NAME.yaml` or `images/…/NAME.yaml`.
pub(crate) fn image_stem(path: &str) -> Option<&str> {
    let stem = path.strip_prefix("images/")?.strip_suffix(".yaml")?;
    let name = stem.rsplit('/').next()?;
    (!name.is_empty()).then_some(name)
}

/// Returns the name in `folder/NAME.yaml`.
pub(crate) fn file_stem<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let name = path
        .strip_prefix(folder)?
        .strip_prefix('/')?
        .strip_suffix(".yaml")?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Reads all YAML files of the catalog, and reports files that cannot be read.
pub(crate) fn read_texts(
    files: &dyn Files,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, SourceText> {
    report_ignored_images(files, diagnostics);
    let yaml_files = |folder: &'static str| {
        files
            .list(folder)
            .into_iter()
            .filter(move |path| file_stem(path, folder).is_some())
    };
    let images = files.list("images").into_iter();
    let images = images.filter(|path| image_stem(path).is_some());
    let waivers = [WAIVERS_FILE.to_owned()]
        .into_iter()
        .filter(|path| files.get(path) != Lookup::Missing);
    [SETTINGS_FILE.to_owned()]
        .into_iter()
        .chain(waivers)
        .chain(images)
        .chain(yaml_files("profiles"))
        .filter_map(|path| {
            let text = read_text(&path, files, diagnostics)?;
            Some((path, text))
        })
        .collect()
}

fn report_ignored_images(files: &dyn Files, diagnostics: &mut Diagnostics) {
    for path in files.list("images") {
        if is_yaml(&path) && image_stem(&path).is_none() {
            diagnostics
                .error(
                    codes::IMAGE_FILE,
                    Span::file(path),
                    "image files must be named NAME.yaml",
                )
                .help("rename it to NAME.yaml");
        }
    }
}

/// Reads one YAML file, and reports a file that cannot be read.
pub(crate) fn read_text(
    path: &str,
    files: &dyn Files,
    diagnostics: &mut Diagnostics,
) -> Option<SourceText> {
    let span = || Span::file(path);
    let problem = match files.get(path) {
        Lookup::Found(bytes) if bytes.len() > yaml::MAX_BYTES => "is larger than 1 MiB".to_owned(),
        Lookup::Found(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Some(SourceText::new(text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                diagnostics
                    .error(
                        codes::ENCODING,
                        Span::from_range(path, &text, at..at),
                        "the file is not UTF-8",
                    )
                    .help("save it as UTF-8");
                return None;
            }
        },
        Lookup::Missing if path == SETTINGS_FILE => {
            let other = ["bakeline.yml", "Bakeline.yaml"]
                .into_iter()
                .find(|other| !matches!(files.get(other), Lookup::Missing));
            let help = other.map_or_else(
                || MISSING_SETTINGS_HELP.to_owned(),
                |other| format!("rename {other} to bakeline.yaml"),
            );
            diagnostics
                .error(codes::MISSING_SETTINGS, span(), "bakeline.yaml is missing")
                .help(help);
            return None;
        }
        Lookup::Missing => match files.properties(path).link {
            Some(target) => {
                let target = quote_text(&target);
                format!("is a link to `{target}`, which does not exist")
            }
            None => "no longer exists".to_owned(),
        },
        Lookup::Escapes(to) => {
            format!("is a link to `{}`, outside the repository", quote_text(&to))
        }
        Lookup::NotAFile => "is not a file".to_owned(),
        Lookup::TooLarge(size) => format!("has {size} bytes, more than 1 MiB"),
        Lookup::Unreadable(reason) => format!("cannot be read: {}", quote_text(&reason)),
    };
    diagnostics
        .error(codes::UNREADABLE, span(), format!("the file {problem}"))
        .help("replace it with a readable YAML file");
    None
}

/// Tree that conforms to its schema, and the top-level keys that validation removed because they
/// were invalid.
pub(crate) struct ValidTree {
    pub(crate) node: Node,
    pub(crate) removed_keys: Vec<String>,
}

/// Parses a text. Reports and removes all values that do not conform to the schema.
pub(crate) fn parse_tree(
    source: SourceFile<'_>,
    schema: &serde_json::Value,
    diagnostics: &mut Diagnostics,
) -> Option<ValidTree> {
    let node = parse_untyped(source, diagnostics)?;
    validate_tree(node, source, schema, diagnostics)
}

/// Parses a text without a schema, and reports secrets.
pub(crate) fn parse_untyped(source: SourceFile<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
    let node = yaml::parse(&source, diagnostics)?;
    secrets::report_secrets(&source, &node, diagnostics);
    Some(node)
}

/// Reports and removes all values that do not conform to the schema.
pub(crate) fn validate_tree(
    mut node: Node,
    source: SourceFile<'_>,
    schema: &serde_json::Value,
    diagnostics: &mut Diagnostics,
) -> Option<ValidTree> {
    let keys: Vec<String> = node
        .entries()
        .iter()
        .map(|(key, _)| key.text.clone())
        .collect();
    let usable = validate::validate(schema, &mut node, &source, diagnostics);
    let removed_keys = keys
        .into_iter()
        .filter(|key| node.get(key).is_none())
        .collect();
    usable.then_some(ValidTree { node, removed_keys })
}

/// Deserializes a valid tree. The schema is derived from the type, so errors are not expected.
pub(crate) fn deserialize_node<'n, T: serde::Deserialize<'n>>(
    node: &'n Node,
    source: SourceFile<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    from_node(node)
        .map_err(|error| {
            let span = source.span(error.span.unwrap_or(0..0));
            diagnostics.error(codes::WRONG_TYPE, span, error.message);
        })
        .ok()
}

/// Reads all templates of the catalog, and reports those that cannot be read.
pub(crate) fn read_templates(
    files: &dyn Files,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for path in files.list("templates") {
        let (code, message) = match files.get(&path) {
            Lookup::Found(bytes) => {
                out.insert(path, bytes);
                continue;
            }
            Lookup::Missing => (
                codes::PATH_MISSING,
                "the template no longer exists".to_owned(),
            ),
            Lookup::Escapes(to) => (
                codes::PATH_ESCAPES,
                format!(
                    "the template is a link to `{}`, outside the repository",
                    quote_text(&to)
                ),
            ),
            Lookup::NotAFile => (codes::PATH_KIND, "the template is not a file".to_owned()),
            Lookup::TooLarge(size) => (
                codes::PATH_KIND,
                format!("the template is too large: {size} bytes"),
            ),
            Lookup::Unreadable(reason) => (
                codes::PATH_KIND,
                format!("the template cannot be read: {}", quote_text(&reason)),
            ),
        };
        diagnostics
            .error(code, Span::file(path), message)
            .help("replace it with a readable file of the repository");
    }
    out
}
