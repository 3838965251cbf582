//! Owns what reports are told of a profile.

use std::collections::BTreeMap;

use crate::checks::Input;

/// What some of an image's controls are reported under: a profile with everything that it extends already in it, or the
/// checks that stand in an image's own file. [`crate::checks::Origin::name`] says which controls are its.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Unique among those of an image.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// What it is for.
    pub summary: Option<String>,
    /// Such as `Apache-2.0`.
    pub license: Option<String>,
    /// Who keeps it.
    pub maintainer: Option<String>,
    /// Of what it says here, in hex: its metadata, inputs and controls, without the values of sensitive inputs.
    pub sha256: String,
    /// Its file in the repository.
    pub file: String,
    /// Its inputs with what the image gives them; what they come to on a target is for [`crate::checks::input_values`] to say.
    pub inputs: BTreeMap<String, Input>,
}

impl Profile {
    /// The digest of what it says with these controls, without the values of sensitive inputs.
    pub(super) fn said(&self, controls: &[&crate::checks::Control]) -> String {
        let words = [
            &self.title,
            &self.version,
            &self.summary,
            &self.license,
            &self.maintainer,
        ];
        let named = ["title", "version", "summary", "license", "maintainer"]
            .into_iter()
            .zip(words);
        let mut said: BTreeMap<String, String> = named
            .filter_map(|(name, word)| Some((name.to_owned(), word.clone()?)))
            .collect();
        for (name, input) in &self.inputs {
            let choices = serde_json::to_string(&input.choices).unwrap_or_default();
            said.insert(
                format!("input {name}"),
                if input.sensitive {
                    String::new()
                } else {
                    choices
                },
            );
        }
        said.insert("controls".to_owned(), crate::checks::digest(controls));
        crate::checks::combine_digests(&said)
    }
}
