//! Formats and parses recipe manifests in the store.

pub use crate::model::Manifest;

/// Formats a manifest as JSON.
#[must_use]
pub fn format_manifest(manifest: &Manifest) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Parses a manifest. Returns none if it is not valid or has another schema. Manifests only explain
/// decisions, so an invalid one is treated as missing.
#[must_use]
pub fn parse_manifest(text: &[u8]) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(text).ok()?;
    (manifest.schema == crate::model::EVIDENCE_SCHEMA).then_some(manifest)
}
