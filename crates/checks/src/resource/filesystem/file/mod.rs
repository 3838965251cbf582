//! The `file` resource: a file, directory, link or device at a path.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::acl;
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType, check_absolute_path,
};
use crate::text::truncate_for_display;
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
pub(crate) const FUNCTIONS: &str = include_str!("../file.sh");

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "file",
    "File, directory, link or device at a path. By default, it must exist.",
    Subject::new("path", "Absolute path in the image.", check_absolute_path),
    observe,
)
.with_properties(&[
    Property::new("exists", ValueType::Bool, "True if the path exists.").or(&["exist"]),
    Property::new(
        "type",
        ValueType::Word(TYPES),
        "Type: file, directory, link, socket, pipe, char or block. Links are not followed.",
    ),
    Property::new(
        "owner",
        ValueType::Account,
        "Name or UID of the owner. Links are followed.",
    )
    .or(&["owned_by", "be_owned_by"]),
    Property::new(
        "group",
        ValueType::Account,
        "Name or GID of the group. Links are followed.",
    )
    .or(&["grouped_into", "be_grouped_into"]),
    Property::new(
        "mode",
        ValueType::Mode,
        "Octal permission bits in quotes, such as \"0644\". at_most allows only these bits.",
    ),
    Property::new(
        "uid",
        ValueType::Number,
        "UID of the owner. Links are followed.",
    ),
    Property::new(
        "gid",
        ValueType::Number,
        "GID of the group. Links are followed.",
    ),
    Property::new(
        "readable",
        ValueType::List,
        "Classes (owner, group, other) that may read the file by its permission bits.",
    )
    .or(&["be_readable"]),
    Property::new(
        "writable",
        ValueType::List,
        "Classes (owner, group, other) that may write the file by its permission bits.",
    )
    .or(&["be_writable"]),
    Property::new(
        "executable",
        ValueType::List,
        "Classes (owner, group, other) that may execute the file by its permission bits.",
    )
    .or(&["be_executable"]),
    Property::new("suid", ValueType::Bool, "True if the setuid bit is set.")
        .or(&["setuid", "be_setuid"]),
    Property::new("sgid", ValueType::Bool, "True if the setgid bit is set.")
        .or(&["setgid", "be_setgid"]),
    Property::new("sticky", ValueType::Bool, "True if the sticky bit is set.").or(&["be_sticky"]),
    Property::new(
        "immutable",
        ValueType::Bool,
        "True if the immutable attribute of chattr(1) is set.",
    )
    .or(&["be_immutable"]),
    Property::new(
        "acl",
        ValueType::List,
        "POSIX ACL entries besides owner, group and other: `user:bob:rw-`.",
    ),
    Property::new(
        "size",
        ValueType::Number,
        "Size in bytes. Links are followed.",
    ),
    Property::new(
        "link_target",
        ValueType::Text,
        "Target of the link as stored.",
    )
    .or(&["link_path"]),
    Property::new(
        "content",
        ValueType::Text,
        "Content of a regular file. Links are followed. Password hashes in shadow files are \
         replaced by their kind.",
    ),
    Property::new(
        "sha256",
        ValueType::Text,
        "SHA-256 of a regular file in hex. Links are followed.",
    )
    .or(&["sha256sum"]),
])
.with_defaults(&["exists"])
.with_presence("exists")
.with_collection(FUNCTIONS, requests);

/// Returns true for files with password hashes. The hashes stay on the target, and no report shows
/// the content.
pub(crate) fn is_secret_path(path: &str) -> bool {
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

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
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
                if is_secret_path(path) {
                    "unhash"
                } else {
                    "plain"
                }
            ));
        }
    }
    out
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let path = &target.subject;
    let memoized = view.compute_once("file", path, || {
        fact(view.facts(), path).ok_or(ReadError::NotCollected)
    });
    let fact: Rc<FileFact> = match memoized {
        Read::Present(fact) => fact,
        Read::Unreadable(why) => return why.into(),
        Read::Absent => return Observation::not_collected(),
    };
    if let Read::Unreadable(why) = &fact.entry {
        return Observation::Unknown(why.clone());
    }
    let dangling_link = || {
        let to = fact.link_target.as_deref().unwrap_or_default();
        Observation::Missing(format!(
            "is a link to \"{}\", which does not exist",
            truncate_for_display(to.as_bytes())
        ))
    };
    match (property, &fact.entry) {
        ("exists", Read::Present(_)) => match fact.final_state() {
            Read::Present(_) => Observation::bool(true),
            Read::Absent => dangling_link(),
            Read::Unreadable(why) => Observation::Unknown(why.clone()),
        },
        ("exists", Read::Absent | Read::Unreadable(_)) => Observation::bool(false),
        (_, Read::Absent | Read::Unreadable(_)) => {
            Observation::Missing("does not exist".to_owned())
        }
        ("type", Read::Present(stat)) => Observation::Value(Value::Word(stat.kind.to_owned())),
        ("link_target", Read::Present(stat)) => match &fact.link_target {
            Some(to) => Observation::text(to.as_bytes()),
            None => Observation::Missing(format!("is a {}, not a link", stat.kind)),
        },
        (_, Read::Present(_)) => match fact.final_state() {
            Read::Present(stat) => observe_target(property, stat, path, view),
            Read::Absent => dangling_link(),
            Read::Unreadable(why) => Observation::Unknown(why.clone()),
        },
    }
}

fn observe_target(property: &str, stat: &Stat, path: &str, view: &View<'_>) -> Observation {
    match property {
        "mode" => Observation::Value(Value::Mode(stat.mode)),
        "uid" => Observation::Value(Value::Number(i64::from(stat.uid))),
        "gid" => Observation::Value(Value::Number(i64::from(stat.gid))),
        "readable" => permission_classes(stat.mode, 0o4),
        "writable" => permission_classes(stat.mode, 0o2),
        "executable" => permission_classes(stat.mode, 0o1),
        "suid" => Observation::bool(stat.mode & 0o4000 != 0),
        "sgid" => Observation::bool(stat.mode & 0o2000 != 0),
        "sticky" => Observation::bool(stat.mode & 0o1000 != 0),
        "acl" => acl::file_property(view, path),
        "immutable" => view
            .parse_reading("attributes", path, |letters| Ok(letters.contains('i')))
            .observe("is on a file system without file attributes", |set| {
                Observation::bool(*set)
            }),
        "sha256" if stat.kind != "file" => {
            Observation::Missing(format!("is a {}, which has no content", stat.kind))
        }
        "sha256" => view
            .parse_reading("sha256", path, |text| {
                if text.len() == 64 {
                    Ok(text.to_owned())
                } else {
                    Err(ReadError::unknown_output("sha256sum"))
                }
            })
            .observe("was removed during the collection", |sum| {
                Observation::text(sum.as_bytes())
            }),
        "owner" => account(view, "passwd", stat.uid),
        "group" => account(view, "group", stat.gid),
        "size" => match stat.size.and_then(|s| i64::try_from(s).ok()) {
            Some(size) => Observation::Value(Value::Number(size)),
            None => Observation::Missing(format!("is a {}, which has no size", stat.kind)),
        },
        "content" if stat.kind != "file" => {
            Observation::Missing(format!("is a {}, which has no content", stat.kind))
        }
        "content" => match view.reading("body", path) {
            None => Observation::not_collected(),
            Some(reading) => match reading.rc {
                0 => Observation::blob(&reading.body),
                2 => ReadError::PermissionDenied.into(),
                _ => ReadError::target_message(reading.body.bytes()).into(),
            },
        },
        _ => Observation::Unknown("not a property of a file".to_owned()),
    }
}

/// Returns the classes that have a permission bit.
///
/// Extra rights of root do not count. With an ACL, the group bits are the mask.
fn permission_classes(mode: u32, bit: u32) -> Observation {
    let all = [("owner", 6), ("group", 3), ("other", 0)];
    Observation::list(
        all.iter()
            .filter(|(_, shift)| mode >> shift & bit != 0)
            .map(|(name, _)| (*name).to_owned()),
    )
}

/// Returns a UID or GID with its name from a table of the target.
pub(crate) fn account(view: &View<'_>, table: &str, id: u32) -> Observation {
    match view.parse_reading(table, "", |text| Ok(names_by_id(text))) {
        Read::Present(names) => Observation::Value(Value::Account {
            name: names.get(&id).cloned(),
            id,
            names_known: !names.is_empty(),
        }),
        _ => Observation::Value(Value::Account {
            name: None,
            id,
            names_known: false,
        }),
    }
}

/// Parses `name:…:id:…` lines. The first name of an ID counts, as for `getpwuid`.
pub(super) fn names_by_id(text: &str) -> BTreeMap<u32, String> {
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
mod tests;
