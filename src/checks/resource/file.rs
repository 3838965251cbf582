//! The `file` resource: anything at a path.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::checks::Phase;
use crate::checks::collect::{hex, sh_quote};
use crate::checks::facts::{Facts, Read, brief};
use crate::checks::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::checks::observed::Observed;
use crate::checks::value::Value;
use crate::checks::view::{Seen, View};

/// What can be at a path, in the words of the `type` property.
pub(crate) const TYPES: &[&str] = &["file", "directory", "link", "socket", "pipe", "char", "block"];

pub(crate) static KIND: Kind = Kind {
    name: "file",
    doc: "Anything at a path; with nothing else: it must exist.",
    subject: Subject { name: "path", doc: "The absolute path in the image.", words: &[], check: absolute },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "Whether there is anything.").or(&["exist"]),
        Property::new(
            "type",
            Of::Word(TYPES),
            "What it is: file, directory, link, socket, pipe, char or block. A link is not followed.",
        ),
        Property::new("owner", Of::Account, "The owner's name or number, links followed.")
            .or(&["owned_by", "be_owned_by"]),
        Property::new("group", Of::Account, "The group's name or number, links followed.")
            .or(&["grouped_into", "be_grouped_into"]),
        Property::new(
            "mode",
            Of::Mode,
            "The octal permission bits in quotes, such as \"0644\"; at_most: none but these bits.",
        ),
        Property::new("size", Of::Number, "The size in bytes, links followed."),
        Property::new("link_target", Of::Text, "What a link says.").or(&["link_path"]),
        Property::new(
            "content",
            Of::Text,
            "The content of a regular file, links followed. Password hashes in shadow files are seen as their kind only.",
        ),
    ],
    open: None,
    by_default: &["exists"],
    implied: &[],
    presence: Some("exists"),
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: "",
    requests,
    observe,
};

/// Files whose password hashes stay on the target and whose content is shown nowhere.
pub(crate) fn secret(path: &str) -> bool {
    ["/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"].contains(&path)
}

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let mut wanted: BTreeMap<&str, bool> = BTreeMap::new();
    for one in asked {
        *wanted.entry(&one.target.subject).or_default() |= one.properties.contains("content");
    }
    wanted.into_iter().map(|(path, content)| request(path, content)).collect()
}

/// The collector's call for a path, with its content or without.
pub(crate) fn request(path: &str, content: bool) -> String {
    let filter = if secret(path) { "unhash" } else { "plain" };
    format!("file {} {} {} {filter}", hex(path.as_bytes()), sh_quote(path), u8::from(content))
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFact {
    /// What is there, a link not followed.
    pub entry: Read<Stat>,
    /// What a link says.
    pub link_target: Option<String>,
    /// What a link leads to.
    pub target: Option<Read<Stat>>,
}

impl FileFact {
    /// What is there in the end, links followed.
    pub(crate) fn followed(&self) -> &Read<Stat> {
        self.target.as_ref().unwrap_or(&self.entry)
    }
}

/// The state of an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// One of the words of the `type` property.
    pub kind: &'static str,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Bytes; none for a device.
    pub size: Option<u64>,
}

/// Everything that facts say about a path; none if it was not asked for.
pub(crate) fn fact(facts: &Facts, path: &str) -> Option<FileFact> {
    let read = |kind: &str| {
        let reading = facts.reading(kind, path)?;
        let text = String::from_utf8_lossy(reading.body.bytes());
        Some(match reading.rc {
            0 => stat(&text)
                .map_or_else(|| Read::Unreadable("`ls` answered in an unknown form".to_owned()), Read::Present),
            1 => Read::Absent,
            2 => Read::Unreadable("permission denied".to_owned()),
            _ => Read::Unreadable(brief(reading.body.bytes())),
        })
    };
    let link = facts.reading("link", path).map(|r| String::from_utf8_lossy(r.body.bytes()).into_owned());
    Some(FileFact { entry: read("file")?, link_target: link, target: read("real") })
}

/// A line of `ls -ldn`: `-rwsr-xr-x 1 0 0 1234 date path`; POSIX fixes these columns and lets one character follow the
/// permissions. A device has `major, minor` for its size.
pub(super) fn stat(line: &str) -> Option<Stat> {
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

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let path = &target.subject;
    let made =
        view.memoized("file", path, || fact(view.facts(), path).ok_or_else(|| "it was not collected".to_owned()));
    let fact: Rc<FileFact> = match made {
        Seen::Present(fact) => fact,
        Seen::Unknown(why) => return Observed::Unknown(why),
        Seen::Absent => return Observed::uncollected(),
    };
    if let Read::Unreadable(why) = &fact.entry {
        return Observed::Unknown(why.clone());
    }
    let leads_nowhere = || {
        let to = fact.link_target.as_deref().unwrap_or_default();
        Observed::Missing(format!("is a link to \"{}\", which does not exist", brief(to.as_bytes())))
    };
    match (property, &fact.entry) {
        ("exists", Read::Present(_)) if *fact.followed() == Read::Absent => leads_nowhere(),
        ("exists", Read::Present(_)) if let Read::Unreadable(why) = fact.followed() => Observed::Unknown(why.clone()),
        ("exists", entry) => Observed::bool(matches!(entry, Read::Present(_))),
        (_, Read::Absent | Read::Unreadable(_)) => Observed::Missing("does not exist".to_owned()),
        ("type", Read::Present(stat)) => Observed::Value(Value::Word(stat.kind.to_owned())),
        ("link_target", Read::Present(stat)) => match &fact.link_target {
            Some(to) => Observed::text(to.as_bytes()),
            None => Observed::Missing(format!("is no link but a {}", stat.kind)),
        },
        (_, Read::Present(_)) => match fact.followed() {
            Read::Present(stat) => followed(property, stat, path, view),
            Read::Absent => leads_nowhere(),
            Read::Unreadable(why) => Observed::Unknown(why.clone()),
        },
    }
}

fn followed(property: &str, stat: &Stat, path: &str, view: &View<'_>) -> Observed {
    match property {
        "mode" => Observed::Value(Value::Mode(stat.mode)),
        "owner" => account(view, "passwd", stat.uid),
        "group" => account(view, "group", stat.gid),
        "size" => match stat.size.and_then(|s| i64::try_from(s).ok()) {
            Some(size) => Observed::Value(Value::Number(size)),
            None => Observed::Missing(format!("is a {}, which has no size", stat.kind)),
        },
        "content" if stat.kind != "file" => Observed::Missing(format!("is a {}, which has no content", stat.kind)),
        "content" => match view.raw("body", path) {
            None => Observed::uncollected(),
            Some(reading) => match reading.rc {
                0 => Observed::blob(&reading.body),
                2 => Observed::Unknown("permission denied".to_owned()),
                _ => Observed::Unknown(brief(reading.body.bytes())),
            },
        },
        _ => Observed::Unknown("it is not a property of a file".to_owned()),
    }
}

/// A user's or group's number with its name, by the target's own table.
pub(crate) fn account(view: &View<'_>, table: &str, id: u32) -> Observed {
    match view.parsed(table, "", |text| Ok(names(text))) {
        Seen::Present(names) => {
            Observed::Value(Value::Account { name: names.get(&id).cloned(), id, names_known: !names.is_empty() })
        }
        _ => Observed::Value(Value::Account { name: None, id, names_known: false }),
    }
}

/// `name:…:id:…` lines; the first name of a number is its name, as for `getpwuid`.
fn names(text: &str) -> BTreeMap<u32, String> {
    let mut out = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.split(':');
        if let (Some(name), Some(Ok(id))) = (parts.next(), parts.nth(1).map(str::parse)) {
            out.entry(id).or_insert_with(|| name.to_owned());
        }
    }
    out
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
