//! Describes an image after expansion and inheritance, with the origin of each value.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::catalog::expand::ExpandedImage;
use crate::catalog::files::Files;
use crate::catalog::load::expand_catalog;
use crate::catalog::types::Catalog;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{ByteRange, Node, Value};
use crate::catalog::yaml::source::SourceFile;
use crate::model::ImageName;

/// Origin of a value that no file sets.
const DEFAULT: &str = "default";

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
    /// Values by top-level key, with those that the image inherits.
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
        values.remove("builder");
        values.extend(builder_values(&lineage));
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
        })
    })
}

/// Returns the value of the nearest ancestor that sets a key, or the default.
fn inherited_value(key: &str, default: String, lineage: &[&ExpandedImage<'_>]) -> ValueView {
    match find_nearest(key, lineage) {
        Some((file, node)) => view(file, node),
        None => ValueView {
            value: Json::String(default),
            origin: DEFAULT.to_owned(),
        },
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

/// Returns the keys below `builder` as `builder.KEY`, because each is inherited by itself. Both
/// keys for instance types override those of ancestors.
fn builder_values(lineage: &[&ExpandedImage<'_>]) -> BTreeMap<String, ValueView> {
    let mut out = BTreeMap::new();
    let mut has_types = false;
    for image in lineage {
        let entries = image.node.get("builder").map_or(&[][..], Node::entries);
        let is_type = |key: &str| key.starts_with("instance_type");
        for (key, node) in entries {
            if !(has_types && is_type(&key.text)) {
                let name = format!("builder.{}", key.text);
                out.entry(name).or_insert_with(|| view(image.source, node));
            }
        }
        has_types |= entries.iter().any(|(key, _)| is_type(&key.text));
    }
    out
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
