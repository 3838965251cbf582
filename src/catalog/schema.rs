//! Owns the JSON Schemas of the catalog's files: for editors, and for the loader's own check of keys and types.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value as Json;

use crate::catalog::raw::{RawImage, RawProfile, RawSettings, RawWaivers};

/// The shape of `bakeline.yaml`.
pub(crate) static SETTINGS: LazyLock<Json> = LazyLock::new(shape::<RawSettings>);
/// The shape of `images/*.yaml`.
pub(crate) static IMAGE: LazyLock<Json> = LazyLock::new(shape::<RawImage>);
/// The shape of `profiles/*.yaml`.
pub(crate) static PROFILE: LazyLock<Json> = LazyLock::new(shape::<RawProfile>);
/// The shape of `waivers.yaml`.
pub(crate) static WAIVERS: LazyLock<Json> = LazyLock::new(shape::<RawWaivers>);

/// What a text begins with that stands for a value of another type.
pub(crate) const OPEN: &str = "^\\$";

/// The schemas to commit: repository-relative path and text.
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

/// ImageDraft 7, which the YAML language server understands best.
fn shape<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// What may be absent may not be `null`: a key without a value is a mistake to be told about.
fn without_null(schema: &mut Schema) {
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
