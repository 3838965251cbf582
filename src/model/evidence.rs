//! Defines the stored evidence of builds as plain data: manifests, pending updates and build
//! history.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arch::Arch;
use super::id::{AmiId, RunId};
use super::image_name::ImageName;
use super::version::Version;
use crate::platform::Update;

/// Version of the formats in this file.
pub const EVIDENCE_SCHEMA: u32 = 1;

/// Inputs of one released version. Stored at `evidence::keys::manifest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format: [`EVIDENCE_SCHEMA`].
    pub schema: u32,
    /// Name of the image.
    pub image: ImageName,
    /// Architecture of the version.
    pub arch: Arch,
    /// Version of the image.
    pub version: Version,
    /// Digest of the recipe, as in the tag `bakeline:recipe`.
    pub recipe: String,
    /// Inputs of the recipe with their values or digests.
    pub inputs: BTreeMap<String, String>,
    /// Digest of all controls, as in the tag `bakeline:checks`.
    pub checks: String,
    /// Digests of the controls by ID.
    pub controls: BTreeMap<String, String>,
    /// AMI that the build started from: `region:ami`.
    #[serde(default)]
    pub base: Option<String>,
    /// Parent version: `image@version`.
    #[serde(default)]
    pub parent: Option<String>,
    /// Commit of the catalog.
    #[serde(default)]
    pub commit: Option<String>,
    /// Run that built the version.
    pub run: RunId,
    /// Reasons for the build.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// Pending updates of a released version. Stored at `evidence::keys::probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The version of this shape: [`EVIDENCE_SCHEMA`].
    pub schema: u32,
    /// Name of the image.
    pub image: ImageName,
    /// Version of the booted AMI.
    pub version: Version,
    /// ID of the booted AMI.
    pub ami: AmiId,
    /// Time of the probe.
    pub at: Timestamp,
    /// Time when security updates were first found on this version.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Pending updates, sorted.
    pub pending: Vec<Update>,
}

/// Build history of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildHistory {
    /// Durations of its finished builds in seconds, newest first.
    #[serde(default)]
    pub seconds: Vec<u64>,
    /// Newest run that tried to build the image, with its failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<(RunId, String)>,
}

/// Facts from the store that decisions use. All of them may be missing: tags decide, evidence
/// explains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Manifests of the last good versions, if requested and available.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub manifests: BTreeMap<ImageName, Manifest>,
    /// Last known pending updates of each image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<ImageName, Probe>,
    /// Build history of each image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub history: BTreeMap<ImageName, BuildHistory>,
    /// Contents of the store. Only the doctor reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreInventory>,
}

/// Contents of the store about existing versions, for a comparison with their tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreInventory {
    /// Location of the store for messages.
    pub location: String,
    /// Reason why the store could not be read. The other fields are empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "unread")]
    pub unreachable: Option<String>,
    /// Keys of images and launch permissions, and of the result of every run.
    #[serde(default)]
    pub keys: BTreeSet<String>,
    /// Valid manifests of existing versions, by key.
    #[serde(default)]
    pub recipes: BTreeMap<String, Manifest>,
    /// Missing objects that a run directory on this machine has, by key.
    #[serde(default)]
    #[serde(rename = "found")]
    pub recoverable: BTreeMap<String, String>,
}
