//! Computes digests of controls.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::control::Control;

/// Returns the SHA-256 of the controls in hex, computed from the sorted IDs and digests.
///
/// The digest depends neither on the order of keys in YAML nor on the order of controls.
#[must_use]
pub fn digest(controls: &[&Control]) -> String {
    combine_digests(
        &controls
            .iter()
            .map(|c| (c.id.clone(), control_digest(c)))
            .collect(),
    )
}

/// Returns the digest of each control by ID.
#[must_use]
pub fn digests<'a>(controls: impl IntoIterator<Item = &'a Control>) -> BTreeMap<String, String> {
    controls
        .into_iter()
        .map(|c| (c.id.clone(), control_digest(c)))
        .collect()
}

/// Combines the result of [`digests`] into one digest.
#[must_use]
pub fn combine_digests(digests: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (id, digest) in digests {
        for text in [id, digest] {
            hasher.update(text.len().to_be_bytes());
            hasher.update(text.as_bytes());
        }
    }
    format!("{:x}", hasher.finalize())
}

/// Returns the SHA-256 of a canonical text of a control without its origin, waiver and secret
/// values. The text is like JSON with sorted keys, but has a comma after every entry.
fn control_digest(control: &Control) -> String {
    // Serialization cannot fail: map keys are text, and the impact is from 0.0 to 1.0.
    let mut value =
        serde_json::to_value(control).unwrap_or_else(|e| serde_json::Value::String(e.to_string()));
    // Neither the place of the definition nor a waiver changes a control.
    value
        .as_object_mut()
        .map(|map| (map.remove("origin"), map.remove("waiver")));
    // A digest of a secret would confirm guesses, so the value is left out.
    for (name, input) in control.inputs.iter().filter(|(_, input)| input.sensitive) {
        value["inputs"][name] =
            serde_json::json!({"sensitive": true, "choices": input.choices.len()});
    }
    let mut text = String::new();
    write_canonical(&value, &mut text);
    format!("{:x}", Sha256::digest(text))
}

fn write_canonical(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
