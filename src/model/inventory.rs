//! Defines the inventory: facts from AWS, git and the store as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::id::{AmiId, Region, SnapshotId};
use super::image_name::ImageName;

/// Tags of one cloud resource.
pub type Tags = BTreeMap<String, String>;

/// AMI as EC2 describes it, reduced to the facts that decisions use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ami {
    /// ID of the AMI, unique within a Region.
    pub id: AmiId,
    /// Region of the AMI.
    pub region: Region,
    /// Name in EC2.
    pub name: String,
    /// Account that owns the AMI.
    pub owner: String,
    /// Architecture in EC2's spelling.
    pub arch: String,
    /// Creation time, RFC 3339.
    pub created: String,
    /// State in EC2: `pending`, `available`, `failed`, `disabled`, …
    pub status: String,
    /// Name of the root device, such as `/dev/xvda`.
    pub root_device: String,
    /// Devices of the EBS volumes in addition to the root device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_devices: Vec<String>,
    /// True if instances of the AMI require IMDSv2 by default (`ImdsSupport`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub imds_v2: bool,
    /// Snapshots of the AMI.
    pub snapshots: Vec<SnapshotId>,
    /// Tags of the AMI.
    #[serde(default, deserialize_with = "deserialize_compact")]
    pub tags: Tags,
    /// True if the AMI is public.
    #[serde(default)]
    pub public: bool,
    /// Time of the last launch. EC2 reports it about a day late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_launched: Option<String>,
    /// True if deregistration protection is enabled.
    #[serde(default)]
    pub protected: bool,
    /// Deprecation time, RFC 3339. It can be in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
}

impl Ami {
    /// Returns the deprecation time if the AMI is deprecated at this time.
    #[must_use]
    pub fn deprecation(&self, at: Timestamp) -> Option<Timestamp> {
        let time: Timestamp = self.deprecated.as_ref()?.parse().ok()?;
        (time <= at).then_some(time)
    }
}

/// AMIs that match a source, but were not selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedAmis {
    /// Number of AMIs that `exclude` skips.
    #[serde(default)]
    pub excluded: usize,
    /// Number of deprecated AMIs.
    #[serde(default)]
    pub deprecated: usize,
    /// Newest of the deprecated AMIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_deprecated: Option<Ami>,
    /// Architectures of the available AMIs, if none has that of the image.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub other_architectures: BTreeSet<String>,
}

/// Commit of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Full hash of the commit.
    pub id: String,
    /// True if the work tree has uncommitted changes.
    pub dirty: bool,
}

/// Reference that keeps an AMI from being retired.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// ID of the AMI.
    pub ami: AmiId,
    /// Kind of the referrer: `instance`, `launch-template`, `parameter`, `shared-with`.
    pub kind: String,
    /// ID or name of the referrer.
    #[serde(rename = "by")]
    pub referrer: String,
}

/// Permissions to copy an AMI that another account has by its own account ID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Launch permission of the AMI.
    pub image: bool,
    /// Snapshots with a volume permission.
    pub snapshots: BTreeSet<SnapshotId>,
}

/// Location of AMIs: a Region of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Account; none for the builder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Region of the location.
    pub region: Region,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => f.pad(&format!("{account}.{}", self.region)),
            None => f.pad(self.region.as_str()),
        }
    }
}

/// SSM parameter that publishes an AMI ID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// Location of the parameter.
    #[serde(rename = "place")]
    pub location: Location,
    /// Name of the parameter; see [`super::pointer_name`].
    pub name: String,
    /// Value of the parameter.
    pub value: String,
}

/// Facts collected before a decision, as plain data that can be saved, sent with a bug report and
/// replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Version of this format.
    pub schema: u32,
    /// Time when the facts were collected.
    #[serde(rename = "taken")]
    pub captured_at: Timestamp,
    /// Account of the caller.
    pub account: String,
    /// ARN of the caller.
    pub caller: String,
    /// Commit of the catalog, if it is in a git work tree.
    #[serde(default)]
    pub commit: Option<Commit>,
    /// AMIs of this catalog in its Regions and accounts, in any state, ordered by Region, name and
    /// ID.
    pub images: Vec<Ami>,
    /// Newest source AMI of each base image in the Region of the builder, if it exists.
    #[serde(default)]
    pub sources: BTreeMap<ImageName, Option<Ami>>,
    /// AMIs that the sources of base images match, but that were skipped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<ImageName, SkippedAmis>,
    /// References to the AMIs.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// Evidence of past builds.
    #[serde(default)]
    pub evidence: Evidence,
    /// SSM parameters of this catalog, if they were requested.
    #[serde(default)]
    pub parameters: Vec<Pointer>,
    /// Locations that could not be read, with the reason.
    #[serde(default)]
    #[serde(rename = "unread")]
    pub unreachable: Vec<(Location, String)>,
    /// Locations in which the references to the AMIs could not be read, with the reason. Prune keeps
    /// the AMIs in these locations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_references: Vec<(Location, String)>,
}

/// Version of the [`Inventory`] format that this version of bakeline reads and writes.
pub const INVENTORY_SCHEMA: u32 = 1;

/// Returns true for a flag that need not be stored.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Deserializes tags into a compact map. A map that grows key by key is half empty, and an
/// inventory has tens of thousands of them.
fn deserialize_compact<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Tags, D::Error> {
    Ok(Tags::deserialize(deserializer)?.into_iter().collect())
}
