//! Generates the JSON Schemas of the catalog's files, for editors and for validation.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value as Json;

use crate::catalog::raw::{RawImage, RawProfile, RawSettings, RawWaivers};

/// Schema of `bakeline.yaml`.
pub(crate) static SETTINGS: LazyLock<Json> = LazyLock::new(schema_for::<RawSettings>);
/// Schema of `images/*.yaml`.
pub(crate) static IMAGE: LazyLock<Json> = LazyLock::new(schema_for::<RawImage>);
/// Schema of `profiles/*.yaml`.
pub(crate) static PROFILE: LazyLock<Json> = LazyLock::new(schema_for::<RawProfile>);
/// Schema of `waivers.yaml`.
pub(crate) static WAIVERS: LazyLock<Json> = LazyLock::new(schema_for::<RawWaivers>);

/// Pattern of a text that contains a placeholder for a value of another type.
pub(crate) const PLACEHOLDER_PATTERN: &str = "^\\$";

/// Returns the schemas to commit: path relative to the repository, and text.
#[must_use]
pub fn schemas() -> Vec<(&'static str, String)> {
    let text = |json: &Json| format!("{json:#}\n");
    vec![
        ("schema/bakeline.schema.json", text(&SETTINGS)),
        (
            "schema/image.schema.json",
            text(&with_variables(&IMAGE, IMAGE_KEYS_WITHOUT_VARIABLES)),
        ),
        ("schema/profile.schema.json", text(&PROFILE)),
        ("schema/waivers.schema.json", text(&WAIVERS)),
    ]
}

/// Keys of an image whose schema is the same for editors: the check language has its own
/// placeholders, and the others define variables.
const IMAGE_KEYS_WITHOUT_VARIABLES: &[&str] = &[
    "checks",
    "disable",
    "matrix",
    "override",
    "profiles",
    "variables",
    "waivers",
];

/// Returns a schema for editors in which a value may contain variables. Validation runs after their
/// replacement and uses the schema without them.
fn with_variables(schema: &Json, excluded: &[&str]) -> Json {
    let mut root = schema.clone();
    let mut definitions = BTreeSet::new();
    if let Some(properties) = root.get_mut("properties").and_then(Json::as_object_mut) {
        for (name, property) in properties {
            if !excluded.contains(&name.as_str()) {
                collect_definitions(property, schema, &mut definitions);
                allow_variables(property);
            }
        }
    }
    let known = root.get_mut("definitions").and_then(Json::as_object_mut);
    for (name, definition) in known.into_iter().flatten() {
        if definitions.contains(name) {
            allow_variables_below(definition);
        }
    }
    root
}

/// Adds the names of all definitions that a schema refers to.
fn collect_definitions(schema: &Json, root: &Json, names: &mut BTreeSet<String>) {
    match schema {
        Json::Array(items) => items
            .iter()
            .for_each(|item| collect_definitions(item, root, names)),
        Json::Object(rules) => {
            let name = rules
                .get("$ref")
                .and_then(Json::as_str)
                .and_then(|path| path.strip_prefix("#/definitions/"));
            if let Some(name) = name.filter(|name| names.insert((*name).to_owned())) {
                collect_definitions(&root["definitions"][name], root, names);
            }
            rules
                .values()
                .for_each(|inner| collect_definitions(inner, root, names));
        }
        _ => {}
    }
}

/// Adds an alternative for text with a variable, unless the schema allows any text.
fn allow_variables(schema: &mut Json) {
    allow_variables_below(schema);
    let Some(rules) = schema.as_object_mut() else {
        return;
    };
    let is_any_text = rules.get("type").is_some_and(|t| t == "string")
        && !["enum", "pattern", "maxLength"]
            .iter()
            .any(|key| rules.contains_key(*key));
    if is_any_text {
        return;
    }
    let mut outer = serde_json::Map::new();
    for key in ["description", "default"] {
        if let Some(value) = rules.remove(key) {
            outer.insert(key.to_owned(), value);
        }
    }
    let variable = serde_json::json!({ "type": "string", "pattern": r"\$\{" });
    let inner = Json::Object(std::mem::take(rules));
    outer.insert("anyOf".to_owned(), Json::Array(vec![inner, variable]));
    *schema = Json::Object(outer);
}

/// Adds the alternative to all values below a schema.
fn allow_variables_below(schema: &mut Json) {
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        properties.values_mut().for_each(allow_variables);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).filter(|inner| inner.is_object()) {
            allow_variables(inner);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        let options = schema.get_mut(key).and_then(Json::as_array_mut);
        options
            .into_iter()
            .flatten()
            .for_each(allow_variables_below);
    }
}

/// Returns the schema of a type in draft 7, which the YAML language server supports best.
fn schema_for<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(remove_null));
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Removes `null` from the types. An optional key without a value is an error.
fn remove_null(schema: &mut Schema) {
    let Some(rules) = schema.as_object_mut() else {
        return;
    };
    if let Some(Json::Array(types)) = rules.get_mut("type") {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            rules.insert("type".to_owned(), one);
        }
    }
    if let Some(Json::Array(options)) = rules.get_mut("anyOf") {
        options.retain(|o| o.get("type").is_none_or(|t| t != "null"));
        if let [one] = options.as_slice() {
            let one = vec![one.clone()];
            rules.remove("anyOf");
            rules.insert("allOf".to_owned(), Json::Array(one));
        }
    }
    if rules.get("default") == Some(&Json::Null) {
        rules.remove("default");
    }
    rules.remove("format");
}
