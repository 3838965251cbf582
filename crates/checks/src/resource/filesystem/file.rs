//! The `file` resource: anything at a path.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::acl;
use crate::facts::Read;
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::text::brief;
use crate::text::{hex, sh_quote};

pub use super::file_state::{FileFact, Stat};
pub(crate) use super::file_state::{fact, unpack};

/// What can be at a path, in the words of the `type` property.
pub(crate) const TYPES: &[&str] = &[
    "file",
    "directory",
    "link",
    "socket",
    "pipe",
    "char",
    "block",
];

/// The collector's functions about files.
pub(crate) const FUNCTIONS: &str = include_str!("file.sh");

pub(crate) static KIND: Kind = Kind {
    name: "file",
    doc: "Anything at a path; with nothing else: it must exist.",
    subject: Subject {
        name: "path",
        doc: "The absolute path in the image.",
        words: &[],
        check: absolute,
    },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "Whether there is anything.").or(&["exist"]),
        Property::new(
            "type",
            Of::Word(TYPES),
            "What it is: file, directory, link, socket, pipe, char or block. A link is not followed.",
        ),
        Property::new(
            "owner",
            Of::Account,
            "The owner's name or number, links followed.",
        )
        .or(&["owned_by", "be_owned_by"]),
        Property::new(
            "group",
            Of::Account,
            "The group's name or number, links followed.",
        )
        .or(&["grouped_into", "be_grouped_into"]),
        Property::new(
            "mode",
            Of::Mode,
            "The octal permission bits in quotes, such as \"0644\"; at_most: none but these bits.",
        ),
        Property::new("uid", Of::Number, "The owner's number, links followed."),
        Property::new("gid", Of::Number, "The group's number, links followed."),
        Property::new(
            "readable",
            Of::List,
            "Which of owner, group and other may read it, by its permission bits.",
        )
        .or(&["be_readable"]),
        Property::new(
            "writable",
            Of::List,
            "Which of owner, group and other may write it, by its permission bits.",
        )
        .or(&["be_writable"]),
        Property::new(
            "executable",
            Of::List,
            "Which of owner, group and other may execute it, by its permission bits.",
        )
        .or(&["be_executable"]),
        Property::new("suid", Of::Bool, "Whether it runs as its owner.")
            .or(&["setuid", "be_setuid"]),
        Property::new(
            "sgid",
            Of::Bool,
            "Whether it runs as its group, or hands its group on.",
        )
        .or(&["setgid", "be_setgid"]),
        Property::new(
            "sticky",
            Of::Bool,
            "Whether only owners may remove what is in it.",
        )
        .or(&["be_sticky"]),
        Property::new(
            "immutable",
            Of::Bool,
            "Whether chattr(1) made it unchangeable.",
        )
        .or(&["be_immutable"]),
        Property::new(
            "acl",
            Of::List,
            "The entries of its POSIX ACL beside owner, group and other: `user:bob:rw-`.",
        ),
        Property::new("size", Of::Number, "The size in bytes, links followed."),
        Property::new("link_target", Of::Text, "What a link says.").or(&["link_path"]),
        Property::new(
            "content",
            Of::Text,
            "The content of a regular file, links followed. Password hashes in shadow files are seen as their kind only.",
        ),
        Property::new(
            "sha256",
            Of::Text,
            "The SHA-256 of a regular file in hex, links followed.",
        )
        .or(&["sha256sum"]),
    ],
    open: None,
    by_default: &["exists"],
    implied: &[],
    presence: Some("exists"),
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

/// Files whose password hashes stay on the target and whose content is shown nowhere.
pub(crate) fn secret(path: &str) -> bool {
    [
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/shadow-",
        "/etc/gshadow-",
    ]
    .contains(&path)
}

/// How many paths go into one call.
const CHUNK: usize = 200;

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in asked {
        wanted
            .entry(&one.target.subject)
            .or_default()
            .extend(one.properties.iter().map(String::as_str));
    }
    let paths: Vec<&str> = wanted.keys().copied().collect();
    let states = |chunk: &[&str]| {
        format!(
            "states stats {}",
            chunk
                .iter()
                .map(|p| sh_quote(p))
                .collect::<Vec<_>>()
                .join(" ")
        )
    };
    let mut out: Vec<String> = paths.chunks(CHUNK).map(states).collect();
    for (path, properties) in wanted {
        let call =
            |function: &str| format!("{function} {} {}", hex(path.as_bytes()), sh_quote(path));
        let more = [
            ("sha256", "digest"),
            ("immutable", "attributes"),
            ("acl", "acl"),
        ];
        out.extend(
            more.iter()
                .filter(|(p, _)| properties.contains(p))
                .map(|(_, function)| call(function)),
        );
        if properties.contains("content") {
            out.push(format!(
                "{} {}",
                call("content"),
                if secret(path) { "unhash" } else { "plain" }
            ));
        }
    }
    out
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let path = &target.subject;
    let made = view.memoized("file", path, || {
        fact(view.facts(), path).ok_or_else(|| "it was not collected".to_owned())
    });
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
        Observed::Missing(format!(
            "is a link to \"{}\", which does not exist",
            brief(to.as_bytes())
        ))
    };
    match (property, &fact.entry) {
        ("exists", Read::Present(_)) if *fact.followed() == Read::Absent => leads_nowhere(),
        ("exists", Read::Present(_)) if let Read::Unreadable(why) = fact.followed() => {
            Observed::Unknown(why.clone())
        }
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
        "uid" => Observed::Value(Value::Number(i64::from(stat.uid))),
        "gid" => Observed::Value(Value::Number(i64::from(stat.gid))),
        "readable" => classes(stat.mode, 0o4),
        "writable" => classes(stat.mode, 0o2),
        "executable" => classes(stat.mode, 0o1),
        "suid" => Observed::bool(stat.mode & 0o4000 != 0),
        "sgid" => Observed::bool(stat.mode & 0o2000 != 0),
        "sticky" => Observed::bool(stat.mode & 0o1000 != 0),
        "acl" => acl::extra(view, path),
        "immutable" => view
            .parsed("attributes", path, |letters| Ok(letters.contains('i')))
            .observe("is on a file system without such attributes", |set| {
                Observed::bool(*set)
            }),
        "sha256" if stat.kind != "file" => {
            Observed::Missing(format!("is a {}, which has no content", stat.kind))
        }
        "sha256" => view
            .parsed("sha256", path, |text| {
                if text.len() == 64 {
                    Ok(text.to_owned())
                } else {
                    Err("sha256sum answered in an unknown form".to_owned())
                }
            })
            .observe("went away", |sum| Observed::text(sum.as_bytes())),
        "owner" => account(view, "passwd", stat.uid),
        "group" => account(view, "group", stat.gid),
        "size" => match stat.size.and_then(|s| i64::try_from(s).ok()) {
            Some(size) => Observed::Value(Value::Number(size)),
            None => Observed::Missing(format!("is a {}, which has no size", stat.kind)),
        },
        "content" if stat.kind != "file" => {
            Observed::Missing(format!("is a {}, which has no content", stat.kind))
        }
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

/// Who of owner, group and other has a permission bit. What root may do beside that is not asked, and an ACL's mask stands
/// where the group's bits do.
fn classes(mode: u32, bit: u32) -> Observed {
    let all = [("owner", 6), ("group", 3), ("other", 0)];
    Observed::list(
        all.iter()
            .filter(|(_, shift)| mode >> shift & bit != 0)
            .map(|(name, _)| (*name).to_owned()),
    )
}

/// A user's or group's number with its name, by the target's own table.
pub(crate) fn account(view: &View<'_>, table: &str, id: u32) -> Observed {
    match view.parsed(table, "", |text| Ok(names(text))) {
        Seen::Present(names) => Observed::Value(Value::Account {
            name: names.get(&id).cloned(),
            id,
            names_known: !names.is_empty(),
        }),
        _ => Observed::Value(Value::Account {
            name: None,
            id,
            names_known: false,
        }),
    }
}

/// `name:…:id:…` lines; the first name of a number is its name, as for `getpwuid`.
pub(super) fn names(text: &str) -> BTreeMap<u32, String> {
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
