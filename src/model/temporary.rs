//! Defines temporary resources of runs, which a sweep inspects.

use serde::{Deserialize, Serialize};

use super::id::Region;
use super::inventory::Tags;

/// Kind of a temporary resource, in the order of removal: dependencies come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemporaryKind {
    /// An instance that is not terminated.
    Instance,
    /// An AMI that was never released, or an unfinished copy.
    Image,
    /// A snapshot.
    Snapshot,
    /// A volume.
    Volume,
    /// A security group.
    SecurityGroup,
    /// A key pair.
    KeyPair,
    /// The permission of another account to copy an AMI; `id` is the AMI and `name` the account.
    CopyPermission,
}

impl TemporaryKind {
    /// Returns the name for messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Image => "AMI",
            Self::Snapshot => "snapshot",
            Self::Volume => "volume",
            Self::SecurityGroup => "security group",
            Self::KeyPair => "key pair",
            Self::CopyPermission => "copy permission",
        }
    }
}

/// Temporary resource that may be left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporaryResource {
    /// Kind of the resource.
    pub kind: TemporaryKind,
    /// ID of the resource.
    pub id: String,
    /// Name of a key pair, security group or AMI. For a copy permission, the account.
    #[serde(default)]
    pub name: String,
    /// Region of the resource.
    pub region: Region,
    /// Account, unless it is the builder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Tags of the resource.
    pub tags: Tags,
    /// True if the resource is in use: a group or key by an instance, a snapshot by an AMI, a
    /// volume by an instance.
    #[serde(default)]
    pub used: bool,
}

impl TemporaryResource {
    /// Returns a unique name. One AMI may be shared with several accounts.
    #[must_use]
    pub fn unique_name(&self) -> String {
        match self.kind {
            TemporaryKind::CopyPermission => format!("{}.{}", self.id, self.name),
            _ => self.id.clone(),
        }
    }
}
