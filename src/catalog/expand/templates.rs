//! Finds the variables that the templates of an image use: its template files and its own Packer
//! template.

use std::collections::BTreeMap;

use super::scope::Resolver;
use crate::catalog::files::{Files, Lookup};
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{Node, Scalar, Value};
use crate::catalog::yaml::source::Diagnostics;

/// Variables for the template files of an image.
#[derive(Default)]
pub(super) struct TemplateVariables {
    /// All variables of the image with their values. Empty for an image without template files.
    pub(super) values: BTreeMap<String, serde_json::Value>,
    /// Names that the templates contain, and the names that their values use.
    pub(super) used: Vec<String>,
}

/// Returns the variables of an image with template files.
pub(super) fn find_template_variables(
    image: &Node,
    files: &dyn Files,
    resolver: &mut Resolver<'_, '_>,
    diagnostics: &mut Diagnostics,
) -> TemplateVariables {
    let texts = template_texts(image, files);
    if texts.is_empty() {
        return TemplateVariables::default();
    }
    let (used, others): (Vec<String>, Vec<String>) = resolver
        .names()
        .into_iter()
        .partition(|name| texts.iter().any(|text| contains_word(text, name)));
    let mut out = TemplateVariables::default();
    for name in &used {
        add_value(name, &mut out.values, resolver, diagnostics);
    }
    // Also contains the variables that the values use.
    out.used = resolver.used().map(str::to_owned).collect();
    // Problems of unused variables are discarded: they can use a variable that only a child defines.
    let mut unused = Diagnostics::default();
    for name in &others {
        add_value(name, &mut out.values, resolver, &mut unused);
    }
    out
}

fn add_value(
    name: &str,
    values: &mut BTreeMap<String, serde_json::Value>,
    resolver: &mut Resolver<'_, '_>,
    diagnostics: &mut Diagnostics,
) {
    let Some(definition) = resolver.definition(name) else {
        return;
    };
    let place = (definition.file, definition.span.clone());
    let value = resolver.resolve(name, &place, diagnostics);
    if let Some(json) = value.and_then(|node| from_node(&node).ok()) {
        values.insert(name.to_owned(), json);
    }
}

/// Returns the texts of all files with `template: true`, and of the image's own Packer template.
fn template_texts(image: &Node, files: &dyn Files) -> Vec<String> {
    let mut texts = Vec::new();
    if let Some(Value::Scalar { text: path, .. }) = image.get("template").map(|node| &node.value)
        && let Lookup::Found(bytes) = files.get(path)
    {
        texts.extend(String::from_utf8(bytes).ok());
    }
    let Some(Value::List(entries)) = image.get("files").map(|node| &node.value) else {
        return texts;
    };
    let is_true = |node: &Node| {
        let kind = Scalar::Bool(true);
        matches!(&node.value, Value::Scalar { kind: k, .. } if *k == kind)
    };
    for entry in entries {
        let source = entry.get("source").map(|node| &node.value);
        let (Some(Value::Scalar { text: path, .. }), true) =
            (source, entry.get("template").is_some_and(is_true))
        else {
            continue;
        };
        let paths = match files.get(path) {
            Lookup::Found(_) => vec![path.clone()],
            _ => files.list(path),
        };
        for path in paths {
            if let Lookup::Found(bytes) = files.get(&path) {
                texts.extend(String::from_utf8(bytes).ok());
            }
        }
    }
    texts
}

/// Returns true if a text contains a name as a whole word.
fn contains_word(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word)
    })
}
