//! Owns the facts gathered from outside, as plain data: AMIs, what refers to them, the commit, the whole inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AmiId, Evidence, ImageName, Region, SnapshotId, Timestamp};

/// Tags of one cloud resource.
pub type Tags = BTreeMap<String, String>;

/// One AMI as the cloud describes it; all that decisions are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ami {
    /// Its id, unique within a Region.
    pub id: AmiId,
    /// The Region it is in.
    pub region: Region,
    /// Its EC2 name.
    pub name: String,
    /// The account that owns it.
    pub owner: String,
    /// Its architecture in EC2's words.
    pub arch: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// EC2's state: `pending`, `available`, `failed`, `disabled`, …
    pub status: String,
    /// The root device's name, such as `/dev/xvda`.
    pub root_device: String,
    /// The snapshots behind it.
    pub snapshots: Vec<SnapshotId>,
    /// Its tags.
    #[serde(default, deserialize_with = "packed")]
    pub tags: Tags,
    /// Whether everybody may launch it.
    #[serde(default)]
    pub public: bool,
    /// When it was last launched, as far as EC2 says (it lags by about a day).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_launched: Option<String>,
    /// Whether EC2 refuses to deregister it.
    #[serde(default)]
    pub protected: bool,
}

/// The commit a catalog was read at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The full hash.
    pub id: String,
    /// Whether the work tree differs from it.
    pub dirty: bool,
}

/// What refers to an AMI and so keeps it from being retired.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The AMI referred to.
    pub ami: AmiId,
    /// `instance`, `launch-template`, `parameter`, `shared-with`.
    pub kind: String,
    /// Its id or name.
    pub by: String,
}

/// Permissions to copy an AMI that another account has by its own account ID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Launch permission of the AMI.
    pub image: bool,
    /// Snapshots with a volume permission.
    pub snapshots: BTreeSet<SnapshotId>,
}

/// Where AMIs live: a Region of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The account; none is the builder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The Region.
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

/// An SSM parameter that publishes an AMI's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// Where it is.
    #[serde(rename = "place")]
    pub location: Location,
    /// Its name, see [`super::pointer_name`].
    pub name: String,
    /// What it holds.
    pub value: String,
}

/// The facts gathered from outside before deciding: plain data that can be saved, sent with a bug report and replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The version of this shape.
    pub schema: u32,
    /// When it was gathered.
    pub taken: Timestamp,
    /// The account asked.
    pub account: String,
    /// Who asked.
    pub caller: String,
    /// The commit of the catalog, where it lies in a git work tree.
    #[serde(default)]
    pub commit: Option<Commit>,
    /// Every AMI of this catalog in its Regions and accounts, whatever its state, ordered by Region, name and id.
    pub images: Vec<Ami>,
    /// For each base image the newest AMI its source names in the builder's Region, if there is one.
    #[serde(default)]
    pub sources: BTreeMap<ImageName, Option<Ami>>,
    /// What refers to the AMIs above.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// What the store remembers of past builds.
    #[serde(default)]
    pub evidence: Evidence,
    /// The SSM parameters that publish what is current, where they were asked for.
    #[serde(default)]
    pub parameters: Vec<Pointer>,
    /// The locations whose facts could not be read, with the reason.
    #[serde(default)]
    pub unread: Vec<(Location, String)>,
}

/// The version of [`Inventory`]'s shape that this bakeline writes and reads.
pub const INVENTORY_SCHEMA: u32 = 1;

/// Reads tags into a map without gaps: one that grows key by key is half empty, and a inventory has tens of thousands.
fn packed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    Ok(Tags::deserialize(deserializer)?.into_iter().collect())
}
