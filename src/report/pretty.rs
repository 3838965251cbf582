//! Serializes the JSON formats.

/// Serializes a value as indented JSON with a final line feed.
#[must_use]
pub fn to_pretty_json(value: &impl serde::Serialize) -> String {
    let mut out = serde_json::to_string_pretty(value).unwrap_or_default();
    out.push('\n');
    out
}
