//! Evaluates the names and parents of images, which must be known before inherited variables are.

use std::collections::{BTreeMap, BTreeSet};

use super::file::ImageFile;
use super::matrix::{Combination, describe_combination};
use super::scope::Resolver;
use super::substitute::Substitution;
use crate::catalog::checker::quote_text;
use crate::catalog::codes;
use crate::catalog::yaml::node::Value;
use crate::catalog::yaml::source::Diagnostics;

/// Image whose name and parent are known.
pub(super) struct NamedImage<'f, 'a> {
    pub(super) file: &'f ImageFile<'a>,
    pub(super) combination: &'f Combination<'a>,
    pub(super) name: String,
    pub(super) parent: Option<String>,
    /// Names of the variables in `name`.
    pub(super) used: BTreeSet<String>,
}

/// Evaluates `name` and `parent` of an image.
pub(super) fn name_image<'f, 'a>(
    file: &'f ImageFile<'a>,
    combination: &'f Combination<'a>,
    mut resolver: Resolver<'_, 'a>,
    diagnostics: &mut Diagnostics,
) -> Option<NamedImage<'f, 'a>> {
    let mut evaluate = |key: &str| match file.node.get(key) {
        None => Some(None),
        Some(node) => {
            let node = Substitution::new(file.source, &mut resolver, diagnostics).node(node)?;
            match node.value {
                Value::Scalar { text, .. } => Some(Some(text)),
                // The schema reports it.
                Value::List(_) | Value::Map(_) => Some(None),
            }
        }
    };
    let (name, parent) = (evaluate("name"), evaluate("parent"));
    let (name, parent) = (name?, parent?);
    let name = name.filter(|_| file.has_matrix);
    Some(NamedImage {
        file,
        combination,
        name: name.unwrap_or_else(|| file.stem.clone()),
        parent,
        used: resolver.used().map(str::to_owned).collect(),
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
        found.help("use each variable of the matrix in `name`");
    } else {
        found
            .help("rename one of them")
            .add_related(span(known), "also defined here");
    }
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
