//! Defines facts: the data collected from a target, which bakeline stores as evidence.

pub(crate) mod blob;
pub(crate) mod error;
pub(crate) mod memo;
pub(crate) mod observation;
pub(crate) mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::blob::Blob;

/// Version of [`Facts`]; changes when older facts no longer suffice to judge controls.
pub(crate) const SCHEMA: u32 = 1;

/// Result of one collector run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Version of the format.
    pub schema: u32,
    /// Target of the collection.
    pub identity: Identity,
    /// Readings by kind (`file`, `packages`) and key (a path, or empty).
    pub readings: BTreeMap<String, BTreeMap<String, Reading>>,
}

/// One collected answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// 0: read; 1: absent; 2: permission denied; other: error, with the reason in the body. For
    /// a command: its exit status.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rc: i32,
    /// Flags of the collector, such as `T` for a timeout.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub flags: String,
    /// Content.
    #[serde(flatten)]
    pub body: Blob,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde requires"
)]
fn is_zero(rc: &i32) -> bool {
    *rc == 0
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            identity: Identity::default(),
            readings: BTreeMap::new(),
        }
    }
}

/// Package manager of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackageManager {
    /// dpkg, with apt.
    Dpkg,
    /// rpm, with dnf.
    Rpm,
}

impl Facts {
    /// Returns the package manager; `None` if the target has none, or if an older version of
    /// bakeline collected the facts.
    pub(crate) fn package_manager(&self) -> Option<PackageManager> {
        match self.reading("package_manager", "")?.body.bytes() {
            b"dpkg" => Some(PackageManager::Dpkg),
            b"rpm" => Some(PackageManager::Rpm),
            _ => None,
        }
    }

    /// Returns a reading.
    #[must_use]
    pub fn reading(&self, kind: &str, key: &str) -> Option<&Reading> {
        self.readings.get(kind)?.get(key)
    }

    /// Returns the keys of one kind of readings.
    pub(crate) fn keys(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.readings
            .get(kind)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
    }
}

/// Target of a collection, for reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// True for a directory; the other fields then describe the machine that ran the collector.
    pub directory: bool,
    /// User ID of the collector.
    pub uid: Option<u32>,
    /// Boot ID of Linux.
    pub boot_id: Option<String>,
    /// `absent`, `empty`, `uninitialized` or `present`; never the ID itself.
    pub machine_id: String,
    /// Output of `uname -srm`.
    pub kernel: String,
    /// True if the target has its own kernel: it is neither a container nor a chroot, and can write
    /// kernel parameters.
    #[serde(default)]
    pub kernel_owned: bool,
    /// True if systemd runs as the service manager.
    pub service_manager: bool,
    /// Virtualization, as named by `systemd-detect-virt`, or `chroot`.
    #[serde(default)]
    pub virtualization: String,
    /// Kind of container, if known.
    pub container: Option<String>,
    /// Time of the target in UTC.
    pub clock: String,
}

/// Result of reading a fact. Stored results have the reason of a failure as a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read<T, E = String> {
    /// Content.
    Present(T),
    /// Nothing to read.
    Absent,
    /// Failure to read, with the reason.
    Unreadable(E),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_facts_can_be_parsed() {
        let reading = |rc, flags: &str, bytes: &[u8]| Reading {
            rc,
            flags: flags.to_owned(),
            body: Blob::new(bytes.to_vec(), false, false),
        };
        let of = |key: &str, reading| [(key.to_owned(), reading)].into();
        let facts = Facts {
            identity: Identity {
                uid: Some(0),
                machine_id: "empty".into(),
                ..Identity::default()
            },
            readings: [
                (
                    "file".to_owned(),
                    of("/a", reading(0, "", b"-rw-r--r-- 1 0 0 3 x")),
                ),
                (
                    "body".to_owned(),
                    of("/a", reading(2, "", b"Permission denied")),
                ),
                ("out".to_owned(), of("id", reading(0, "T", b"\xff"))),
            ]
            .into(),
            ..Facts::default()
        };
        let json = serde_json::to_string(&facts).expect("json");
        assert_eq!(serde_json::from_str::<Facts>(&json).expect("facts"), facts);
        assert!(
            json.contains(r#""file":{"/a":{"text":"-rw-r--r-- 1 0 0 3 x"}}"#),
            "{json}"
        );
    }
}
