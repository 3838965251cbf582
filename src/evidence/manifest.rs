//! Owns the text of a recipe manifest in the store: written when a version is released, read when the next is planned.

pub use crate::model::Manifest;

/// The manifest's text.
#[must_use]
pub fn write(manifest: &Manifest) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads it; none when it is no manifest of a shape this bakeline knows. It explains, it does not decide, so a manifest
/// that can't be read is as good as one that is not there.
#[must_use]
pub fn read(text: &[u8]) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(text).ok()?;
    (manifest.schema == crate::model::EVIDENCE_SCHEMA).then_some(manifest)
}
