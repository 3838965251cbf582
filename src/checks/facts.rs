//! Owns what was found on a target, as plain data that is kept as evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::blob::Blob;
use super::file::TYPES;
use super::inventory::Inventory;

/// Everything one collector run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What was looked at.
    pub identity: Identity,
    /// Paths asked for.
    pub files: BTreeMap<String, FileFact>,
    /// User names by number, where a path was asked for.
    pub users: BTreeMap<u32, String>,
    /// Group names by number, where a path was asked for.
    pub groups: BTreeMap<u32, String>,
    /// Package names asked for (without architecture); no rows: dpkg knows nothing of it. Absent when none was asked for.
    pub packages: Option<Read<BTreeMap<String, Vec<PackageRow>>>>,
    /// Units asked for. Absent when none was asked for.
    pub services: Option<Read<BTreeMap<String, Unit>>>,
    /// Shell commands asked for.
    pub commands: BTreeMap<String, CommandFact>,
    /// What there is whatever was asked for. Absent in the build phase and for directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
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
    /// Whether systemd is up as the service manager.
    pub service_manager: bool,
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

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFact {
    /// What is there, a link not followed.
    pub entry: Read<Stat>,
    /// What a link says.
    pub link_target: Option<String>,
    /// What a link leads to.
    pub target: Option<Read<Stat>>,
    /// The bytes, if they were asked for and it is a regular file.
    pub content: Option<Read<Blob>>,
}

impl FileFact {
    /// What is there in the end, links followed.
    pub(crate) fn followed(&self) -> &Read<Stat> {
        self.target.as_ref().unwrap_or(&self.entry)
    }
}

/// The state of an inode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stat {
    /// One of the words of the `type` property.
    #[serde(rename = "type", deserialize_with = "known_type")]
    pub kind: Word,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Bytes; none for a device.
    pub size: Option<u64>,
}

/// One of a fixed list. By another name, because serde takes a field that is a reference as borrowed from its input.
type Word = &'static str;

fn known_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = TYPES.iter().find(|t| **t == word);
    known.copied().ok_or_else(|| serde::de::Error::unknown_variant(&word, TYPES))
}

/// One line of dpkg's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageRow {
    /// `amd64`, `all`, …
    pub arch: String,
    /// The three words of dpkg's status, such as `install ok installed`.
    pub status: String,
    /// The version.
    pub version: String,
}

/// One unit as systemd describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// `LoadState`; empty when no service manager is up.
    pub load: String,
    /// `ActiveState`; empty when no service manager is up.
    pub active: String,
    /// `UnitFileState`, or `not-found`.
    pub file: String,
    /// Why it could not be told.
    pub problem: Option<String>,
}

/// What a shell command answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandFact {
    /// Its exit status; none if it did not end by itself.
    pub exit_status: Option<i32>,
    /// Whether it was ended because it took too long.
    pub timed_out: bool,
    /// What it wrote.
    pub stdout: Option<Blob>,
    /// What it wrote to standard error.
    pub stderr: Option<Blob>,
}

/// At most 80 characters on one line, with control and invisible characters escaped, and the length if it was more.
pub(crate) fn brief(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MOST)]);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == MOST {
            return format!("{out}… ({} bytes)", bytes.len());
        }
        match c {
            '"' | '\'' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    if bytes.len() > 4 * MOST { format!("{out}… ({} bytes)", bytes.len()) } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actual_values_are_one_short_line() {
        assert_eq!(brief(b"a\nb\r\x1b[31m\0 \"x\""), "a\\nb\\r\\u{1b}[31m\\0 \"x\"");
        let long = brief(&b"x".repeat(5000));
        assert!(long.chars().count() < 120 && long.ends_with("… (5000 bytes)"), "{long}");
        assert!(brief(&b"\xff".repeat(5000)).ends_with("… (5000 bytes)"));
        assert_eq!(brief("a\u{202e}b".as_bytes()), "a\\u{202e}b", "no text direction tricks");
    }

    #[test]
    fn facts_are_read_back_as_they_were_written() {
        let stat = Stat { kind: "file", mode: 0o644, uid: 0, gid: 0, size: Some(3) };
        let file = FileFact {
            entry: Read::Present(Stat { kind: "link", ..stat.clone() }),
            link_target: Some("b".to_owned()),
            target: Some(Read::Present(stat)),
            content: Some(Read::Unreadable("permission denied".to_owned())),
        };
        let row = PackageRow { arch: "amd64".into(), status: "install ok installed".into(), version: "1".into() };
        let command = CommandFact {
            exit_status: Some(1),
            stdout: Some(Blob::new(vec![0xff], true, false)),
            ..CommandFact::default()
        };
        let facts = Facts {
            identity: Identity { uid: Some(0), machine_id: "empty".into(), ..Identity::default() },
            files: [("/a".to_owned(), file)].into(),
            users: [(0, "root".to_owned())].into(),
            groups: BTreeMap::new(),
            packages: Some(Read::Present([("nginx".to_owned(), vec![row])].into())),
            services: Some(Read::Absent),
            commands: [("id".to_owned(), command)].into(),
            inventory: Some(Inventory::default()),
        };
        let json = serde_json::to_string(&facts).expect("json");
        assert_eq!(serde_json::from_str::<Facts>(&json).expect("facts"), facts);
        assert!(serde_json::from_str::<Facts>(&json.replace("\"link\"", "\"chain\"")).is_err(), "no such type of file");
    }
}
