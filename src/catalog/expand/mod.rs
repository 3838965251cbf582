//! Expands image files: one image per combination of a matrix, with the values of its variables.
//!
//! Runs between parsing and validation, so that the schema applies to the inserted values. A
//! variable is looked up in the matrix and the `variables` of the image, then in those of its
//! ancestors, then in `bakeline.yaml`. Last is `arch`, the architecture of the image. Values are
//! resolved in the image that uses them, so an image can override a variable that a variable of its
//! parent uses.

mod architectures;
mod describe;
mod file;
mod matrix;
mod naming;
mod scope;
mod substitute;
mod templates;
mod text;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::files::Files;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{Node, Value};
use crate::catalog::yaml::source::{Diagnostics, Inserted, SourceFile};
use crate::model::ImageName;
use architectures::split_architectures;
use naming::{NamedImage, lineage, name_image, report_duplicate};
use scope::Resolver;
use substitute::Substitution;
use templates::find_template_variables;
use usage::UsedVariables;

pub(crate) use file::ImageFile;
pub(crate) use scope::{Level, Variable, read_level};
pub use usage::UnusedVariable;

/// Top-level keys whose values are not inputs of the recipe.
const KEYS_OUTSIDE_RECIPE: &[&str] = &[
    "name",
    "description",
    "environment",
    "profiles",
    "checks",
    "override",
    "disable",
    "waivers",
    "max_age",
    "rebase_after",
];

/// Image after expansion.
pub(crate) struct ExpandedImage<'a> {
    pub(crate) source: SourceFile<'a>,
    /// Name of the image. Without a matrix it is the name of the file, with the architecture if the
    /// image has several.
    pub(crate) name: ImageName,
    /// Name without the architecture.
    pub(crate) published: String,
    /// Name of the parent, with the architecture if the parent has several.
    pub(crate) parent: Option<ImageName>,
    /// Values without variables.
    pub(crate) node: Node,
    /// Variables that the recipe uses, with their values as text.
    pub(crate) inputs: BTreeMap<String, String>,
    /// Variables that the image uses.
    pub(crate) variables: BTreeMap<String, Variable<'a>>,
    /// All variables of an image with template files.
    pub(crate) template_variables: BTreeMap<String, serde_json::Value>,
    /// Inserted values, for diagnostics.
    pub(crate) inserted: Vec<Inserted>,
}

/// Result of an expansion.
pub(crate) struct Expansion<'a> {
    pub(crate) images: Vec<ExpandedImage<'a>>,
    /// Names of images with errors.
    pub(crate) broken: BTreeSet<String>,
    /// True if the names of some images are not known.
    pub(crate) has_unnamed: bool,
    /// Variables that no image uses. Empty if a file with errors could use any variable.
    pub(crate) unused: Vec<UnusedVariable>,
}

/// Expands all image files of a catalog. `broken` are the names of files that cannot be expanded.
pub(crate) fn expand_images<'a>(
    files: &[ImageFile<'a>],
    catalog: &Level<'a>,
    repository: &dyn Files,
    broken: BTreeSet<String>,
    diagnostics: &mut Diagnostics,
) -> Expansion<'a> {
    let mut out = Expansion {
        images: Vec::new(),
        broken,
        has_unnamed: false,
        unused: Vec::new(),
    };
    let mut named: BTreeMap<String, NamedImage<'_, 'a>> = BTreeMap::new();
    let all_names: Vec<String> = files
        .iter()
        .flat_map(|f| f.variables.keys().cloned())
        .collect();
    for file in files {
        for combination in &file.combinations {
            let mut resolver = Resolver::new(vec![combination, &file.variables, catalog]);
            resolver.hidden = &all_names;
            let Some(image) = name_image(file, combination, resolver, diagnostics) else {
                out.has_unnamed |= file.has_matrix;
                out.broken.insert(file.stem.clone());
                continue;
            };
            match named.get(&image.name) {
                Some(known) => {
                    report_duplicate(&image, known, diagnostics);
                    out.broken.insert(image.name);
                }
                None => drop(named.insert(image.name.clone(), image)),
            }
        }
    }
    let named = split_architectures(named);
    let mut used = UsedVariables::default();
    for image in named.values() {
        match expand_image(image, &named, catalog, &mut used, diagnostics) {
            Some((mut image, mut resolver)) => {
                image.variables.extend(resolver.used_variables());
                let found =
                    find_template_variables(&image.node, repository, &mut resolver, diagnostics);
                used.add_names(&lineage(&named[image.name.as_str()], &named), found.used);
                image.template_variables = found.values;
                image.inserted.extend(resolver.into_inserted());
                out.images.push(image);
            }
            None => drop(out.broken.insert(image.name.clone())),
        }
    }
    if out.broken.is_empty() {
        out.unused = used.find_unused(files, catalog, &named);
    }
    out
}

/// Returns the image, and its variables for template files.
fn expand_image<'n, 'a>(
    image: &'n NamedImage<'n, 'a>,
    named: &'n BTreeMap<String, NamedImage<'n, 'a>>,
    catalog: &'n Level<'a>,
    used: &mut UsedVariables,
    diagnostics: &mut Diagnostics,
) -> Option<(ExpandedImage<'a>, Resolver<'n, 'a>)> {
    let lineage = lineage(image, named);
    let mut levels: Vec<&Level<'a>> = lineage
        .iter()
        .flat_map(|image| [image.combination, &image.file.variables])
        .collect();
    levels.extend([catalog, &image.arch_level]);
    let mut resolver = Resolver::new(levels);
    let source = image.file.source;
    let mut values: BTreeMap<usize, Option<Node>> = BTreeMap::new();
    let mut inputs = BTreeMap::new();
    // Values of the recipe come first, so that the variables they use are known.
    for is_outside in [false, true] {
        for (at, (key, node)) in image.file.node.entries().iter().enumerate() {
            if let Some(node) = image.evaluated.get(key.text.as_str()) {
                values.insert(at, Some(node.clone()));
            } else if KEYS_OUTSIDE_RECIPE.contains(&key.text.as_str()) == is_outside {
                let mut substitution =
                    Substitution::new(source, &mut resolver, diagnostics).below_key(&key.text);
                values.insert(at, substitution.node(node));
            }
        }
        if !is_outside {
            let named = image.variables.iter();
            let named = named.map(|(name, variable)| (name.as_str(), &*variable.value));
            inputs = named
                .chain(resolver.values())
                .map(|(name, value)| (name.to_owned(), value_text(value)))
                .collect();
        }
    }
    used.add_names(&lineage, resolver.used().map(str::to_owned));
    let entries = image.file.node.entries().iter().enumerate();
    let entries = entries
        .map(|(at, (key, _))| Some((key.clone(), values.remove(&at)??)))
        .collect::<Option<Vec<_>>>()?;
    let node = match &image.file.node.value {
        Value::Map(_) => Node::new(image.file.node.span.clone(), Value::Map(entries)),
        _ => image.file.node.clone(),
    };
    let image = ExpandedImage {
        source,
        name: ImageName(image.name.clone()),
        published: image.published.clone(),
        parent: image.parent.clone().map(ImageName),
        node,
        inputs,
        variables: image.all_variables.clone(),
        template_variables: BTreeMap::new(),
        inserted: image.inserted.clone(),
    };
    Some((image, resolver))
}

/// Returns a value as text: a scalar as written, a list or map as JSON.
fn value_text(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, .. } => text.clone(),
        Value::List(_) | Value::Map(_) => from_node::<serde_json::Value>(node)
            .map(|json| json.to_string())
            .unwrap_or_default(),
    }
}
