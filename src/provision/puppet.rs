//! Owns the `puppet` provisioner: a manifest of the catalog, applied without a master inside the instance.

use std::collections::BTreeMap;

/// A manifest to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puppet {
    /// Its repository-relative path; never in the repository's root.
    pub manifest: String,
    /// The repository-relative folder of modules, if there are any.
    pub modules: Option<String>,
    /// Every file below the manifest's folder and the modules', sorted; their contents are in the catalog's files.
    pub files: Vec<String>,
    /// Facts that the manifest can read, by lower-case name.
    pub facts: BTreeMap<String, String>,
}

impl Puppet {
    /// The configuration of Hiera beside the manifest, if there is one.
    #[must_use]
    pub fn hiera(&self) -> Option<String> {
        let path = format!("{}/hiera.yaml", crate::provision::folder_of(&self.manifest));
        self.files.contains(&path).then_some(path)
    }
}
