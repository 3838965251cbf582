//! Generates the JSON Schemas of the catalog's files, for editors and for validation.

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
        ("schema/image.schema.json", text(&IMAGE)),
        ("schema/profile.schema.json", text(&PROFILE)),
        ("schema/waivers.schema.json", text(&WAIVERS)),
    ]
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
