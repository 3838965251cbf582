//! Owns the temporary things of a run as the cloud describes them: what a sweep looks at.

use serde::{Deserialize, Serialize};

use super::{Region, Tags};

/// What kind of thing it is, in the order in which they can be removed: what others depend on comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemporaryKind {
    /// An instance that is not terminated.
    Instance,
    /// An AMI that was never released, or half a copy.
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
    /// The words people use.
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

/// One thing that may be left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temporary {
    /// What it is.
    pub kind: TemporaryKind,
    /// Its id.
    pub id: String,
    /// Its name, where it has one: of a key pair, a group, an AMI. Of a copy permission it is the account.
    #[serde(default)]
    pub name: String,
    /// The Region it is in.
    pub region: Region,
    /// The account, where it is not the builder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// Whether something that lives uses it: an instance the group or key, an AMI the snapshot, an instance the volume.
    #[serde(default)]
    pub used: bool,
}

impl Temporary {
    /// Returns a name that no other temporary thing has: one AMI may be shared with several accounts.
    #[must_use]
    pub fn unique_name(&self) -> String {
        match self.kind {
            TemporaryKind::CopyPermission => format!("{}.{}", self.id, self.name),
            _ => self.id.clone(),
        }
    }
}
