//! The `file` resource: a file, directory, link or device at a path.

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

/// Values of the `type` property.
pub(crate) const TYPES: &[&str] = &[
    "file",
    "directory",
    "link",
    "socket",
    "pipe",
    "char",
    "block",
];

/// Collector functions for files.
pub(crate) const FUNCTIONS: &str = include_str!("file.sh");

pub(crate) static KIND: Kind = Kind {
    name: "file",
    doc: "File, directory, link or device at a path. By default, it must exist.",
    subject: Subject {
        name: "path",
        doc: "Absolute path in the image.",
        words: &[],
        check: absolute,
    },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "True if the path exists.").or(&["exist"]),
        Property::new(
            "type",
            Of::Word(TYPES),
            "Type: file, directory, link, socket, pipe, char or block. Links are not followed.",
        ),
        Property::new(
            "owner",
            Of::Account,
            "Name or UID of the owner. Links are followed.",
        )
        .or(&["owned_by", "be_owned_by"]),
        Property::new(
            "group",
            Of::Account,
            "Name or GID of the group. Links are followed.",
        )
        .or(&["grouped_into", "be_grouped_into"]),
        Property::new(
            "mode",
            Of::Mode,
            "Octal permission bits in quotes, such as \"0644\". at_most allows only these bits.",
        ),
        Property::new("uid", Of::Number, "UID of the owner. Links are followed."),
        Property::new("gid", Of::Number, "GID of the group. Links are followed."),
        Property::new(
            "readable",
            Of::List,
            "Classes (owner, group, other) that may read the file by its permission bits.",
        )
        .or(&["be_readable"]),
        Property::new(
            "writable",
            Of::List,
            "Classes (owner, group, other) that may write the file by its permission bits.",
        )
        .or(&["be_writable"]),
        Property::new(
            "executable",
            Of::List,
            "Classes (owner, group, other) that may execute the file by its permission bits.",
        )
        .or(&["be_executable"]),
        Property::new("suid", Of::Bool, "True if the setuid bit is set.")
            .or(&["setuid", "be_setuid"]),
        Property::new("sgid", Of::Bool, "True if the setgid bit is set.")
            .or(&["setgid", "be_setgid"]),
        Property::new("sticky", Of::Bool, "True if the sticky bit is set.").or(&["be_sticky"]),
        Property::new(
            "immutable",
            Of::Bool,
            "True if the immutable attribute of chattr(1) is set.",
        )
        .or(&["be_immutable"]),
        Property::new(
            "acl",
            Of::List,
            "POSIX ACL entries besides owner, group and other: `user:bob:rw-`.",
        ),
        Property::new("size", Of::Number, "Size in bytes. Links are followed."),
        Property::new("link_target", Of::Text, "Target of the link as stored.").or(&["link_path"]),
        Property::new(
            "content",
            Of::Text,
            "Content of a regular file. Links are followed. Password hashes in shadow files are \
             replaced by their kind.",
        ),
        Property::new(
            "sha256",
            Of::Text,
            "SHA-256 of a regular file in hex. Links are followed.",
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

/// Returns true for files with password hashes. The hashes stay on the target, and no report shows
/// the content.
pub(crate) fn secret(path: &str) -> bool {
    [
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/shadow-",
        "/etc/gshadow-",
    ]
    .contains(&path)
}

/// Maximum number of paths in one collector call.
const CHUNK: usize = 200;

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let mut properties_by_path: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in asked {
        properties_by_path
            .entry(&one.target.subject)
            .or_default()
            .extend(one.properties.iter().map(String::as_str));
    }
    let paths: Vec<&str> = properties_by_path.keys().copied().collect();
    let states_call = |chunk: &[&str]| {
        format!(
            "states stats {}",
            chunk
                .iter()
                .map(|p| sh_quote(p))
                .collect::<Vec<_>>()
                .join(" ")
        )
    };
    let mut out: Vec<String> = paths.chunks(CHUNK).map(states_call).collect();
    for (path, properties) in properties_by_path {
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
    let memoized = view.memoized("file", path, || {
        fact(view.facts(), path).ok_or_else(|| "it was not collected".to_owned())
    });
    let fact: Rc<FileFact> = match memoized {
        Seen::Present(fact) => fact,
        Seen::Unknown(why) => return Observed::Unknown(why),
        Seen::Absent => return Observed::uncollected(),
    };
    if let Read::Unreadable(why) = &fact.entry {
        return Observed::Unknown(why.clone());
    }
    let dangling_link = || {
        let to = fact.link_target.as_deref().unwrap_or_default();
        Observed::Missing(format!(
            "is a link to \"{}\", which does not exist",
            brief(to.as_bytes())
        ))
    };
    match (property, &fact.entry) {
        ("exists", Read::Present(_)) if *fact.followed() == Read::Absent => dangling_link(),
        ("exists", Read::Present(_)) if let Read::Unreadable(why) = fact.followed() => {
            Observed::Unknown(why.clone())
        }
        ("exists", entry) => Observed::bool(matches!(entry, Read::Present(_))),
        (_, Read::Absent | Read::Unreadable(_)) => Observed::Missing("does not exist".to_owned()),
        ("type", Read::Present(stat)) => Observed::Value(Value::Word(stat.kind.to_owned())),
        ("link_target", Read::Present(stat)) => match &fact.link_target {
            Some(to) => Observed::text(to.as_bytes()),
            None => Observed::Missing(format!("is a {}, not a link", stat.kind)),
        },
        (_, Read::Present(_)) => match fact.followed() {
            Read::Present(stat) => observe_target(property, stat, path, view),
            Read::Absent => dangling_link(),
            Read::Unreadable(why) => Observed::Unknown(why.clone()),
        },
    }
}

fn observe_target(property: &str, stat: &Stat, path: &str, view: &View<'_>) -> Observed {
    match property {
        "mode" => Observed::Value(Value::Mode(stat.mode)),
        "uid" => Observed::Value(Value::Number(i64::from(stat.uid))),
        "gid" => Observed::Value(Value::Number(i64::from(stat.gid))),
        "readable" => permission_classes(stat.mode, 0o4),
        "writable" => permission_classes(stat.mode, 0o2),
        "executable" => permission_classes(stat.mode, 0o1),
        "suid" => Observed::bool(stat.mode & 0o4000 != 0),
        "sgid" => Observed::bool(stat.mode & 0o2000 != 0),
        "sticky" => Observed::bool(stat.mode & 0o1000 != 0),
        "acl" => acl::file_property(view, path),
        "immutable" => view
            .parsed("attributes", path, |letters| Ok(letters.contains('i')))
            .observe("is on a file system without file attributes", |set| {
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
                    Err("sha256sum printed an unknown format".to_owned())
                }
            })
            .observe("was removed during the collection", |sum| {
                Observed::text(sum.as_bytes())
            }),
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
        _ => Observed::Unknown("not a property of a file".to_owned()),
    }
}

/// Returns the classes that have a permission bit.
///
/// Extra rights of root do not count. With an ACL, the group bits are the mask.
fn permission_classes(mode: u32, bit: u32) -> Observed {
    let all = [("owner", 6), ("group", 3), ("other", 0)];
    Observed::list(
        all.iter()
            .filter(|(_, shift)| mode >> shift & bit != 0)
            .map(|(name, _)| (*name).to_owned()),
    )
}

/// Returns a UID or GID with its name from a table of the target.
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

/// Parses `name:…:id:…` lines. The first name of an ID counts, as for `getpwuid`.
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
