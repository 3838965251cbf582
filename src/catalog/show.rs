//! Describes an image after expansion and inheritance, with the origin of each value.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::catalog::defaults;
use crate::catalog::expand::ExpandedImage;
use crate::catalog::files::{Files, SETTINGS_FILE};
use crate::catalog::load::expand_catalog;
use crate::catalog::read::{parse_untyped, read_text};
use crate::catalog::types::Catalog;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{ByteRange, Node, Value};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::model::{Arch, ImageName};

/// Origin of a value that no file sets.
const DEFAULT: &str = "default";

/// Keys of an image that add to those of its ancestors. The AMI of the parent contains the results
/// of its provisioners and has its volumes.
const ADDED_KEYS: &[&str] = &[
    "packages", "files", "ansible", "puppet", "scripts", "volumes", "disk_gib", "profiles",
    "checks", "override", "disable", "waivers",
];

/// An image after expansion and inheritance.
#[derive(Debug, Serialize)]
pub struct ImageView {
    /// Name of the image.
    pub image: String,
    /// Path of its file, relative to the repository.
    pub file: String,
    /// The image and its ancestors, the base image last.
    pub lineage: Vec<String>,
    /// Variables that the image uses.
    pub variables: BTreeMap<String, ValueView>,
    /// Values by top-level key. Includes single values that the image inherits, and those of
    /// `bakeline.yaml`.
    pub values: BTreeMap<String, ValueView>,
    /// Lists and maps of the ancestors that also apply to the image, nearest ancestor first.
    pub inherited: Vec<InheritedView>,
}

/// Values of one ancestor that add to those of the image.
#[derive(Debug, Serialize)]
pub struct InheritedView {
    /// Name of the ancestor.
    pub image: String,
    /// Values by top-level key.
    pub values: BTreeMap<String, ValueView>,
}

/// A value and its origin.
#[derive(Debug, Serialize)]
pub struct ValueView {
    /// Value after the replacement of variables.
    pub value: Json,
    /// `FILE:LINE:COLUMN` of the value or of the variable, or `default`.
    pub origin: String,
}

/// Describes an image of a valid catalog. Returns `None` if the catalog has no such image.
#[must_use]
pub fn show_image(files: &dyn Files, catalog: &Catalog, name: &ImageName) -> Option<ImageView> {
    let image = catalog.images.get(name)?;
    let ancestors: Vec<String> = catalog
        .lineage(name)
        .iter()
        .map(|image| image.name.to_string())
        .collect();
    let mut diagnostics = Diagnostics::default();
    let text = read_text(SETTINGS_FILE, files, &mut diagnostics)?;
    let settings = SourceFile::new(SETTINGS_FILE, &text);
    let settings = (settings, parse_untyped(settings, &mut diagnostics)?);
    expand_catalog(files, &mut |images| {
        let by_name: BTreeMap<&str, &ExpandedImage<'_>> = images
            .iter()
            .map(|image| (image.name.as_str(), image))
            .collect();
        let own = by_name.get(name.as_str())?;
        let lineage: Vec<&ExpandedImage<'_>> = ancestors
            .iter()
            .filter_map(|name| by_name.get(name.as_str()).copied())
            .collect();
        let mut values: BTreeMap<String, ValueView> = own
            .node
            .entries()
            .iter()
            .map(|(key, node)| (key.text.clone(), view(own.source, node)))
            .collect();
        for (key, default) in [
            ("platform", image.platform.name().to_owned()),
            ("arch", image.arch.to_string()),
            ("login_user", image.login_user().to_owned()),
            ("environment", image.environment.to_string()),
        ] {
            if !values.contains_key(key) {
                values.insert(key.to_owned(), inherited_value(key, default, &lineage));
            }
        }
        for key in ["ssh_pty", "boot_wait"] {
            if let Some((file, node)) = find_nearest(key, &lineage) {
                values.insert(key.to_owned(), view(file, node));
            }
        }
        for key in ["max_age", "rebase_after"] {
            if let Some(node) = settings.1.get(key).filter(|_| !values.contains_key(key)) {
                values.insert(key.to_owned(), view(settings.0, node));
            }
        }
        values
            .entry("rebase_after".to_owned())
            .or_insert_with(|| default(image.rebase_after));
        values.remove("builder");
        values.extend(builder_values(&lineage, &settings, image.arch));
        let variables = own.variables.iter().map(|(name, used)| {
            let origin = origin(used.file, &used.span);
            let value = json(&used.value);
            (name.clone(), ValueView { value, origin })
        });
        Some(ImageView {
            image: own.name.to_string(),
            file: own.source.path.to_owned(),
            lineage: ancestors.clone(),
            variables: variables.collect(),
            values,
            inherited: lineage.iter().skip(1).filter_map(inherited_view).collect(),
        })
    })
}

/// Returns the values of an ancestor that add to those of the image, or `None` if it has none.
fn inherited_view(ancestor: &&ExpandedImage<'_>) -> Option<InheritedView> {
    let entries = ancestor.node.entries().iter();
    let added = entries.filter(|(key, _)| ADDED_KEYS.contains(&key.text.as_str()));
    let values: BTreeMap<String, ValueView> = added
        .map(|(key, node)| (key.text.clone(), view(ancestor.source, node)))
        .collect();
    let image = ancestor.name.clone();
    (!values.is_empty()).then_some(InheritedView {
        image: image.to_string(),
        values,
    })
}

/// Returns the value of the nearest ancestor that sets a key, or the default.
fn inherited_value(key: &str, value: String, lineage: &[&ExpandedImage<'_>]) -> ValueView {
    match find_nearest(key, lineage) {
        Some((file, node)) => view(file, node),
        None => default(value),
    }
}

fn default(value: impl Into<Json>) -> ValueView {
    ValueView {
        value: value.into(),
        origin: DEFAULT.to_owned(),
    }
}

/// Returns the value of the nearest image that sets a key, with its file.
fn find_nearest<'a, 'i>(
    key: &str,
    lineage: &[&'i ExpandedImage<'a>],
) -> Option<(SourceFile<'a>, &'i Node)> {
    lineage
        .iter()
        .find_map(|image| Some((image.source, image.node.get(key)?)))
}

/// Returns the keys below `builder` as `builder.KEY`, because each is inherited by itself. Keys that
/// no image of the lineage sets come from `bakeline.yaml`.
fn builder_values(
    lineage: &[&ExpandedImage<'_>],
    (file, settings): &(SourceFile<'_>, Node),
    arch: Arch,
) -> BTreeMap<String, ValueView> {
    const TYPE: &str = "instance_type";
    let mut out = BTreeMap::new();
    let mut has_type = false;
    let mut has_subnet = false;
    let is_type = |key: &str| key.starts_with(TYPE);
    let is_subnet = |key: &str| key.starts_with("subnet");
    for image in lineage {
        let entries = image.node.get("builder").map_or(&[][..], Node::entries);
        // A key and its plural override those of ancestors.
        let overridden = |key: &str| has_type && is_type(key) || has_subnet && is_subnet(key);
        for (key, node) in entries.iter().filter(|(key, _)| !overridden(&key.text)) {
            let name = format!("builder.{}", key.text);
            out.entry(name).or_insert_with(|| view(image.source, node));
        }
        has_type |= entries.iter().any(|(key, _)| is_type(&key.text));
        has_subnet |= entries.iter().any(|(key, _)| is_subnet(&key.text));
    }
    let shared = settings.get("builder").map_or(&[][..], Node::entries);
    let overridden = |key: &str| is_type(key) || has_subnet && is_subnet(key);
    for (key, node) in shared.iter().filter(|(key, _)| !overridden(&key.text)) {
        let name = format!("builder.{}", key.text);
        out.entry(name).or_insert_with(|| view(*file, node));
    }
    if !has_type {
        let types = shared.iter().filter(|(key, _)| is_type(&key.text));
        let own = types.flat_map(|(_, node)| match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        });
        let own: Vec<&Node> = own.filter(|node| is_type_of(node, arch)).collect();
        let value = match own.as_slice() {
            [] => default_type(arch).map(default),
            [one] => Some(view(*file, one)),
            [first, ..] => Some(ValueView {
                value: own.iter().map(|node| json(node)).collect(),
                origin: origin(*file, &first.span),
            }),
        };
        let plural = if own.len() > 1 { "s" } else { "" };
        out.extend(value.map(|value| (format!("builder.{TYPE}{plural}"), value)));
    }
    out
}

/// Returns true for an instance type of an architecture. `bakeline.yaml` may have types of others.
fn is_type_of(node: &Node, arch: Arch) -> bool {
    matches!(&node.value, Value::Scalar { text, .. } if Arch::of_instance_type(text) == arch)
}

fn default_type(arch: Arch) -> Option<&'static str> {
    let mut types = defaults::INSTANCE_TYPES.iter();
    types.find(|(of, _)| *of == arch).map(|(_, name)| *name)
}

fn view(file: SourceFile<'_>, node: &Node) -> ValueView {
    ValueView {
        value: json(node),
        origin: origin(file, &node.span),
    }
}

fn origin(file: SourceFile<'_>, range: &ByteRange) -> String {
    let span = file.span(range.clone());
    format!("{}:{}:{}", span.file, span.line, span.column)
}

/// Returns a value as JSON. A number that JSON cannot represent exactly stays text.
fn json(node: &Node) -> Json {
    match &node.value {
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, node)| (key.text.clone(), json(node)))
                .collect(),
        ),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Scalar { text, .. } => from_node(node).unwrap_or_else(|_| Json::from(text.as_str())),
    }
}
