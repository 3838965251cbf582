//! Defines the metadata of a profile for reports.

use std::collections::BTreeMap;

use crate::checks::Input;

/// Metadata of a profile with all profiles that it extends, or of the checks in an image file.
/// [`crate::checks::SourceLocation::name`] assigns controls to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Name, unique within an image.
    pub name: String,
    /// Title.
    pub title: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Summary.
    pub summary: Option<String>,
    /// License, such as `Apache-2.0`.
    pub license: Option<String>,
    /// Maintainer.
    pub maintainer: Option<String>,
    /// SHA-256 in hex of metadata, inputs and controls, without the values of sensitive inputs.
    pub sha256: String,
    /// Path relative to the repository.
    pub file: String,
    /// Inputs with the values of the image. [`crate::checks::input_values`] returns their values on a
    /// target.
    pub inputs: BTreeMap<String, Input>,
}

impl Profile {
    /// Returns the digest of the profile with these controls, without the values of sensitive
    /// inputs.
    pub(crate) fn compute_digest(&self, controls: &[&crate::checks::Control]) -> String {
        let values = [
            &self.title,
            &self.version,
            &self.summary,
            &self.license,
            &self.maintainer,
        ];
        let named = ["title", "version", "summary", "license", "maintainer"]
            .into_iter()
            .zip(values);
        let mut parts: BTreeMap<String, String> = named
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect();
        for (name, input) in &self.inputs {
            let choices = serde_json::to_string(&input.choices).unwrap_or_default();
            parts.insert(
                format!("input {name}"),
                if input.sensitive {
                    String::new()
                } else {
                    choices
                },
            );
        }
        parts.insert("controls".to_owned(), crate::checks::digest(controls));
        crate::checks::combine_digests(&parts)
    }
}
