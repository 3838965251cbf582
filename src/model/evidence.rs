//! Owns what the store remembers of builds, as plain data: recipe manifests, pending updates, how past runs ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AmiId, Arch, ImageName, RunId, Timestamp, Update, Version};

/// The version of the shapes in this file.
pub const EVIDENCE_SCHEMA: u32 = 1;

/// What one released version was made from, input by input; kept at `evidence::keys::manifest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this shape: [`EVIDENCE_SCHEMA`].
    pub schema: u32,
    /// The image.
    pub image: ImageName,
    /// Its architecture.
    pub arch: Arch,
    /// The version.
    pub version: Version,
    /// The digest of the recipe, as in the tag `bakeline:recipe`.
    pub recipe: String,
    /// Every input of the recipe with its value or digest.
    pub inputs: BTreeMap<String, String>,
    /// The digest of all controls, as in the tag `bakeline:checks`.
    pub checks: String,
    /// Every control's id with its digest.
    pub controls: BTreeMap<String, String>,
    /// `region:ami` it was built from.
    #[serde(default)]
    pub base: Option<String>,
    /// `image@version` it is layered on.
    #[serde(default)]
    pub parent: Option<String>,
    /// The commit of the catalog.
    #[serde(default)]
    pub commit: Option<String>,
    /// The run that made it.
    pub run: RunId,
    /// Why it was built.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// The updates found pending on a released version; kept at `evidence::keys::probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The version of this shape: [`EVIDENCE_SCHEMA`].
    pub schema: u32,
    /// The image.
    pub image: ImageName,
    /// The version that was booted.
    pub version: Version,
    /// The AMI that was booted.
    pub ami: AmiId,
    /// When it was asked.
    pub at: Timestamp,
    /// When security updates were first found pending on this version.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Every pending update, sorted.
    pub pending: Vec<Update>,
}

/// How past runs went for one image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Seconds that its finished builds took, newest first.
    #[serde(default)]
    pub seconds: Vec<u64>,
    /// The newest run that tried to build it, if it failed: the run and what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<(RunId, String)>,
}

/// What the store knows that decisions read. All of it may be missing: it explains, the tags decide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The manifest of each image's last good version, as far as it was asked for and is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub manifests: BTreeMap<ImageName, Manifest>,
    /// The updates last found pending on each image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<ImageName, Probe>,
    /// How past runs went.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub history: BTreeMap<ImageName, Past>,
    /// What the store holds, where that was asked: by the doctor only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreInventory>,
}

/// What the store holds of the versions that exist, for comparing it with their tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreInventory {
    /// Where it is, for people.
    pub location: String,
    /// Why it could not be read; then the rest is empty and means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Every key about images and launch permissions, and the result of every run.
    #[serde(default)]
    pub keys: BTreeSet<String>,
    /// By key, the recipes that can be read of the versions that exist.
    #[serde(default)]
    pub recipes: BTreeMap<String, Manifest>,
    /// By key, what a run directory of this machine has of what the store lacks.
    #[serde(default)]
    pub found: BTreeMap<String, String>,
}
