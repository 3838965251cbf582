//! Computes the digests of controls.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::control::Control;

/// The SHA-256, in hex, of the controls: of each one's id and digest, ordered by id.
///
/// It changes when any control changes, and neither with the order of keys in YAML nor with the order of controls.
#[must_use]
pub fn digest(controls: &[&Control]) -> String {
    combined(
        &controls
            .iter()
            .map(|c| (c.id.clone(), digest_of(c)))
            .collect(),
    )
}

/// Each control's id with its own digest.
#[must_use]
pub fn digests<'a>(controls: impl IntoIterator<Item = &'a Control>) -> BTreeMap<String, String> {
    controls
        .into_iter()
        .map(|c| (c.id.clone(), digest_of(c)))
        .collect()
}

/// One digest out of those of [`digests`].
#[must_use]
pub fn combined(digests: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (id, digest) in digests {
        for text in [id, digest] {
            hasher.update(text.len().to_be_bytes());
            hasher.update(text.as_bytes());
        }
    }
    format!("{:x}", hasher.finalize())
}

/// The SHA-256 of a control's canonical JSON: keys sorted, no white space.
fn digest_of(control: &Control) -> String {
    // A control has no map with keys other than text and no number that JSON can't hold (impact is 0.0 to 1.0).
    let mut value =
        serde_json::to_value(control).unwrap_or_else(|e| serde_json::Value::String(e.to_string()));
    // A control that moved in its file, or whose failure somebody answers for, is the same control.
    value
        .as_object_mut()
        .map(|map| (map.remove("origin"), map.remove("waiver")));
    // Nor is a secret to be guessed from a digest.
    for (name, input) in control.inputs.iter().filter(|(_, input)| input.sensitive) {
        value["inputs"][name] =
            serde_json::json!({"sensitive": true, "choices": input.choices.len()});
    }
    let mut text = String::new();
    canonical(&value, &mut text);
    format!("{:x}", Sha256::digest(text))
}

fn canonical(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
