//! Defines the `puppet` provisioner: a manifest that is applied on the instance, without a server.

use std::collections::BTreeMap;

use super::path::folder_of;

/// A manifest to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puppet {
    /// Path relative to the repository. Never in its root.
    pub manifest: String,
    /// Directory of modules relative to the repository.
    pub modules: Option<String>,
    /// All files below the directories of the manifest and the modules, sorted. The catalog has
    /// their contents.
    pub files: Vec<String>,
    /// Facts for the manifest, by lower-case name.
    pub facts: BTreeMap<String, String>,
}

impl Puppet {
    /// Returns the path of the Hiera configuration next to the manifest.
    #[must_use]
    pub fn hiera(&self) -> Option<String> {
        let path = format!("{}/hiera.yaml", folder_of(&self.manifest));
        self.files.contains(&path).then_some(path)
    }
}
