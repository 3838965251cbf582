//! Evaluates the names, parents and architectures of images, which must be known before inherited
//! variables are.

use std::collections::{BTreeMap, BTreeSet};

use super::describe::{describe_value, different_value};
use super::file::ImageFile;
use super::matrix::Combination;
use super::scope::{Level, Resolver, Variable};
use super::substitute::Substitution;
use super::text::ARCH;
use crate::catalog::checker::quote_text;
use crate::catalog::codes;
use crate::catalog::yaml::node::{Node, Value};
use crate::catalog::yaml::source::{Diagnostics, Inserted};

/// Image whose name and parent are known.
#[derive(Clone)]
pub(super) struct NamedImage<'f, 'a> {
    pub(super) file: &'f ImageFile<'a>,
    pub(super) combination: &'f Combination<'a>,
    pub(super) name: String,
    /// Name without the architecture.
    pub(super) published: String,
    pub(super) parent: Option<String>,
    /// The variable `arch`, after the split by architecture.
    pub(super) arch_level: Level<'a>,
    /// Values of `name`, `parent` and `arch`, which must not use inherited variables.
    pub(super) evaluated: BTreeMap<&'static str, Node>,
    /// Variables in `name` and `parent`.
    pub(super) variables: BTreeMap<String, Variable<'a>>,
    /// Variables in `name`, `parent` and `arch`. The architecture itself is an input of the recipe,
    /// not the variables of the list.
    pub(super) all_variables: BTreeMap<String, Variable<'a>>,
    /// Names of the variables in `name`, `parent` and the matrix.
    pub(super) used: BTreeSet<String>,
    /// Positions of the variables in `name`, `parent` and `arch`.
    pub(super) inserted: Vec<Inserted>,
}

/// Evaluates `name`, `parent` and `arch` of an image.
pub(super) fn name_image<'f, 'a>(
    file: &'f ImageFile<'a>,
    combination: &'f Combination<'a>,
    mut resolver: Resolver<'_, 'a>,
    diagnostics: &mut Diagnostics,
) -> Option<NamedImage<'f, 'a>> {
    let mut evaluated = BTreeMap::new();
    let mut has_error = false;
    let mut evaluate = |key: &'static str, resolver: &mut Resolver<'_, 'a>| {
        let Some(node) = file.node.get(key) else {
            return;
        };
        match Substitution::new(file.source, resolver, diagnostics).node(node) {
            Some(node) => drop(evaluated.insert(key, node)),
            None => has_error = true,
        }
    };
    evaluate("name", &mut resolver);
    evaluate("parent", &mut resolver);
    let variables = resolver.used_variables();
    evaluate(ARCH, &mut resolver);
    if has_error {
        return None;
    }
    // The schema reports values of other types.
    let text = |key: &str| match &evaluated.get(key)?.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        Value::List(_) | Value::Map(_) => None,
    };
    let name = text("name").filter(|_| file.has_matrix);
    let name = name.unwrap_or_else(|| file.stem.clone());
    let names = resolver.used().map(str::to_owned);
    Some(NamedImage {
        file,
        combination,
        published: name.clone(),
        name,
        parent: text("parent"),
        arch_level: Level::new(),
        used: names.chain(file.used.iter().cloned()).collect(),
        variables,
        all_variables: resolver.used_variables(),
        inserted: resolver.into_inserted(),
        evaluated,
    })
}

pub(super) fn report_duplicate(
    image: &NamedImage<'_, '_>,
    known: &NamedImage<'_, '_>,
    diagnostics: &mut Diagnostics,
) {
    let span = |image: &NamedImage<'_, '_>| {
        let name = image.file.node.get("name");
        image
            .file
            .source
            .span(name.map_or(0..0, |n| n.span.clone()))
    };
    let place = |image: &NamedImage<'_, '_>| describe_combination(image.combination);
    let is_same_file = image.file.source.path == known.file.source.path;
    let name = quote_text(&image.name);
    let (code, message) = if is_same_file {
        let (a, b) = (place(known), place(image));
        (
            codes::MATRIX,
            format!("two combinations have the name `{name}`: {a} and {b}"),
        )
    } else {
        (
            codes::DUPLICATE_IMAGE,
            format!("the image `{name}` is defined twice"),
        )
    };
    let found = diagnostics.error(code, span(image), message);
    if is_same_file {
        let different = different_placeholder(known.combination, image.combination);
        found.help(match different {
            Some(placeholder) => format!("add `{placeholder}` to `name`"),
            None => "use each variable of the matrix in `name`".to_owned(),
        });
    } else {
        found
            .help("rename one of them")
            .add_related(span(known), "also defined here");
    }
}

/// Returns the values of a combination: `jdk=17 base=debian-12`.
fn describe_combination(combination: &Combination<'_>) -> String {
    let parts: Vec<String> = combination
        .iter()
        .map(|(name, definition)| format!("{name}={}", describe_value(&definition.value)))
        .collect();
    parts.join(" ")
}

/// Returns the placeholder of the first value in which two combinations differ.
fn different_placeholder(a: &Combination<'_>, b: &Combination<'_>) -> Option<String> {
    a.iter().find_map(|(name, definition)| {
        different_value(name, &definition.value, &b.get(name)?.value)
    })
}

/// Returns the image with all ancestors that exist, nearest first.
pub(super) fn lineage<'n, 'f, 'a>(
    image: &'n NamedImage<'f, 'a>,
    named: &'n BTreeMap<String, NamedImage<'f, 'a>>,
) -> Vec<&'n NamedImage<'f, 'a>> {
    let mut out = vec![image];
    let mut next = image.parent.as_deref();
    while let Some(parent) = next.and_then(|name| named.get(name)) {
        // The linker reports a cycle of parents.
        if out.iter().any(|known| known.name == parent.name) {
            break;
        }
        out.push(parent);
        next = parent.parent.as_deref();
    }
    out
}
