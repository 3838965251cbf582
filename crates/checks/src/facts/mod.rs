//! Owns what was found on a target, as plain data that is kept as evidence and can be judged again.

pub(crate) mod blob;
pub(crate) mod observed;
pub(crate) mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::blob::Blob;

/// The form of [`Facts`]; it changes when older facts can't be judged by newer controls any more.
pub(crate) const SCHEMA: u32 = 1;

/// Everything one collector run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The form of facts when they were collected.
    pub schema: u32,
    /// What was looked at.
    pub identity: Identity,
    /// What the target answered: by kind of question (`file`, `packages`), then by what was asked for (a path, or nothing).
    pub readings: BTreeMap<String, BTreeMap<String, Reading>>,
}

/// One answer of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// 0: it was read; 1: there is nothing; 2: permission denied; else: it could not be read, as the text says. Of a
    /// command: its exit status.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rc: i32,
    /// Marks of the collector, such as `T`: it took too long.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub flags: String,
    /// What was read.
    #[serde(flatten)]
    pub body: Blob,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
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

impl Facts {
    /// One answer.
    #[must_use]
    pub fn reading(&self, kind: &str, key: &str) -> Option<&Reading> {
        self.readings.get(kind)?.get(key)
    }

    /// Everything that was asked about by one kind of question.
    pub(crate) fn asked(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.readings
            .get(kind)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
    }
}

/// What was looked at, so that a report can prove it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// A directory was looked at, not the running system; the other fields then tell of the machine that looked.
    pub directory: bool,
    /// The user id that looked.
    pub uid: Option<u32>,
    /// Linux's id of this boot.
    pub boot_id: Option<String>,
    /// `absent`, `empty`, `uninitialized` or `present`; never the id itself.
    pub machine_id: String,
    /// `uname -srm`.
    pub kernel: String,
    /// Whether the kernel is this system's own: neither a container's nor a chroot's, and its parameters can be written.
    #[serde(default)]
    pub kernel_owned: bool,
    /// Whether systemd is up as the service manager.
    pub service_manager: bool,
    /// The kind of virtual machine or container as `systemd-detect-virt` names it; `chroot` in one.
    #[serde(default)]
    pub virtualization: String,
    /// The kind of container, as far as it shows.
    pub container: Option<String>,
    /// The target's clock, UTC.
    pub clock: String,
}

/// The three ways a read can go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read<T> {
    /// It was read.
    Present(T),
    /// There is nothing.
    Absent,
    /// There may be something, but it could not be read; why.
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_back_as_they_were_written() {
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
