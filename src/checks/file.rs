//! Owns the `file` resource: anything at a path.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::collect::{hex, sh_quote};
use super::facts::{Facts, FileFact, Read, Stat};
use super::frames::Frame;
use super::matcher::Value;
use super::verdict::Observed;
use super::{Control, Property, Resource};

/// What can be at a path, in the words of the `type` property.
pub(crate) const TYPES: &[&str] = &["file", "directory", "link", "socket", "pipe", "char", "block"];

/// A path to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Absolute, without `.`, `..` and empty parts.
    pub path: String,
}

/// Files whose password hashes stay on the target and whose content is shown nowhere.
fn secret(path: &str) -> bool {
    ["/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"].contains(&path)
}

pub(crate) fn requests(due: &[&Control], out: &mut String) {
    let mut wanted: BTreeMap<&str, bool> = BTreeMap::new();
    for control in due {
        if let Resource::File(file) = &control.resource {
            *wanted.entry(&file.path).or_default() |= control.expect.contains_key(&Property::Content);
        }
    }
    if !wanted.is_empty() {
        out.push_str("names\n");
    }
    for (path, content) in wanted {
        let filter = if secret(path) { "unhash" } else { "plain" };
        let _ = writeln!(out, "file {} {} {} {filter}", hex(path.as_bytes()), sh_quote(path), u8::from(content));
    }
}

pub(crate) fn absorb(facts: &mut Facts, frame: &Frame) {
    let fact = facts.files.entry(frame.key.clone()).or_insert_with(|| FileFact {
        entry: Read::Unreadable("it was not told".to_owned()),
        link_target: None,
        target: None,
        content: None,
    });
    let stat = |f: &Frame| stat(&f.text()).ok_or_else(|| "`ls` answered in an unknown form".to_owned());
    match frame.kind.as_str() {
        "file" => fact.entry = frame.read(stat),
        "link" => fact.link_target = Some(frame.text()),
        "real" => fact.target = Some(frame.read(stat)),
        _ => fact.content = Some(frame.read(|f| Ok(f.blob(secret(&f.key))))),
    }
}

/// A line of `ls -ldn`: `-rwsr-xr-x 1 0 0 1234 date path`; POSIX fixes these columns and lets one character follow the
/// permissions. A device has `major, minor` for its size.
fn stat(line: &str) -> Option<Stat> {
    let words: Vec<&str> = line.split_ascii_whitespace().take(5).collect();
    let [perms, _links, uid, gid, size] = words.as_slice() else { return None };
    let kind = match perms.chars().next()? {
        '-' => "file",
        'd' => "directory",
        'l' => "link",
        's' => "socket",
        'p' => "pipe",
        'c' => "char",
        'b' => "block",
        _ => return None,
    };
    let mode = mode(perms.get(1..10)?)?;
    let size = if matches!(kind, "char" | "block") { None } else { Some(size.parse().ok()?) };
    Some(Stat { kind, mode, uid: uid.parse().ok()?, gid: gid.parse().ok()?, size })
}

fn mode(letters: &str) -> Option<u32> {
    let mut bits = 0;
    for (i, c) in letters.chars().enumerate() {
        let plain = 0o400 >> i;
        let special = 0o4000 >> (i / 3);
        bits |= match (i % 3, c) {
            (_, '-') => 0,
            (0, 'r') | (1, 'w') | (2, 'x') => plain,
            (2, 's') if i < 8 => plain | special,
            (2, 'S') if i < 8 => special,
            (2, 't') if i == 8 => plain | special,
            (2, 'T') if i == 8 => special,
            _ => return None,
        };
    }
    Some(bits)
}

impl File {
    pub(crate) fn observe(&self, property: Property, facts: &Facts) -> Observed {
        let Some(fact) = facts.files.get(&self.path) else { return Observed::uncollected() };
        if let Read::Unreadable(why) = &fact.entry {
            return Observed::Unknown(why.clone());
        }
        let leads_nowhere = || {
            let to = fact.link_target.as_deref().unwrap_or_default();
            Observed::Missing(format!("is a link to \"{}\", which does not exist", super::facts::brief(to.as_bytes())))
        };
        match (property, &fact.entry) {
            (Property::Exists, Read::Present(_)) if *fact.followed() == Read::Absent => leads_nowhere(),
            (Property::Exists, Read::Present(_)) if let Read::Unreadable(why) = fact.followed() => {
                Observed::Unknown(why.clone())
            }
            (Property::Exists, entry) => Observed::Value(Value::Bool(matches!(entry, Read::Present(_)), String::new())),
            (_, Read::Absent | Read::Unreadable(_)) => Observed::Missing("does not exist".to_owned()),
            (Property::Type, Read::Present(stat)) => Observed::Value(Value::Type(stat.kind)),
            (Property::LinkTarget, Read::Present(stat)) => match &fact.link_target {
                Some(to) => Observed::text(to.as_bytes()),
                None => Observed::Missing(format!("is no link but a {}", stat.kind)),
            },
            (_, Read::Present(_)) => match fact.followed() {
                Read::Present(stat) => followed(property, stat, fact, facts),
                Read::Absent => leads_nowhere(),
                Read::Unreadable(why) => Observed::Unknown(why.clone()),
            },
        }
    }
}

fn followed(property: Property, stat: &Stat, fact: &FileFact, facts: &Facts) -> Observed {
    let account = |names: &BTreeMap<u32, String>, id: u32| {
        Observed::Value(Value::Owner { name: names.get(&id).cloned(), id, names_known: !names.is_empty() })
    };
    match property {
        Property::Mode => Observed::Value(Value::Mode(stat.mode)),
        Property::Owner => account(&facts.users, stat.uid),
        Property::Group => account(&facts.groups, stat.gid),
        Property::Size => match stat.size.and_then(|s| i64::try_from(s).ok()) {
            Some(size) => Observed::Value(Value::Number(size)),
            None => Observed::Missing(format!("is a {}, which has no size", stat.kind)),
        },
        Property::Content if stat.kind != "file" => {
            Observed::Missing(format!("is a {}, which has no content", stat.kind))
        }
        Property::Content => match &fact.content {
            Some(Read::Present(blob)) => Observed::blob(blob),
            Some(Read::Absent) | None => Observed::uncollected(),
            Some(Read::Unreadable(why)) => Observed::Unknown(why.clone()),
        },
        _ => Observed::Unknown("it is not a property of a file".to_owned()),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
