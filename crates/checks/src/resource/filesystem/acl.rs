//! The `acl` resource: the POSIX access control list of a file or directory.

use std::rc::Rc;

use super::file::{FUNCTIONS, names_by_id};
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType, absolute_path,
};
use crate::text::{hex, sh_quote};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "acl",
    "POSIX access control list (ACL) of a file or directory. Links are followed. By default, \
     there must be no extended ACL.",
    Subject::new("path", "Absolute path in the image.", absolute_path),
    observe,
)
.with_properties(&[
    Property::new(
        "exists",
        ValueType::Bool,
        "True if the file or directory exists.",
    )
    .or(&["exist"]),
    Property::new(
        "extended",
        ValueType::Bool,
        "True if the ACL has entries besides owner, group and other, or default entries.",
    ),
    Property::new(
        "entries",
        ValueType::List,
        "Entries besides owner, group and other: `user:bob:rw-`, `group:staff:r--`, \
         `mask::rw-`.",
    ),
    Property::new(
        "default_entries",
        ValueType::List,
        "Default entries that new files in a directory get, in the same form.",
    ),
])
.with_defaults(&["!extended"])
.with_presence("exists")
.with_collection(FUNCTIONS, requests);

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let call = |path: &str| format!("acl {} {}", hex(path.as_bytes()), sh_quote(path));
    asked.iter().map(|one| call(&one.target.subject)).collect()
}

/// ACL without the three entries that every file has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct AccessList {
    entries: Vec<String>,
    defaults: Vec<String>,
}

/// ACL on a target without the program that reads it.
#[derive(Debug, thiserror::Error)]
#[error("it has an ACL, but getfacl is not installed to read it")]
struct MissingGetfacl;

/// Parses the output of `getfacl -cpn`.
///
/// Entries have numbers instead of names, and default entries begin with `default:`. A comment
/// `#effective:…` follows if the mask removes rights.
fn parse_entries(text: &str, view: &View<'_>) -> Result<AccessList, ReadError> {
    let mut out = AccessList::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (line, defaults) = line
            .strip_prefix("default:")
            .map_or((line, false), |rest| (rest, true));
        let parts: Vec<&str> = line.split(':').collect();
        let [kind, who, rights] = parts.as_slice() else {
            return Err(ReadError::unknown_output("getfacl"));
        };
        let entry = format!("{kind}:{}:{rights}", account_name(kind, who, view));
        if defaults {
            out.defaults.push(entry);
        } else if !who.is_empty() || *kind == "mask" {
            out.entries.push(entry);
        }
    }
    Ok(out)
}

/// Returns the name of an ID from the tables of the target, or the ID.
fn account_name(kind: &str, who: &str, view: &View<'_>) -> String {
    let table = if kind == "user" { "passwd" } else { "group" };
    let known = match who.parse::<u32>() {
        Ok(id) => match view.parse_reading(table, "", |text| Ok(names_by_id(text))) {
            Read::Present(names) => names.get(&id).cloned(),
            _ => None,
        },
        Err(_) => None,
    };
    known.unwrap_or_else(|| who.to_owned())
}

/// Returns the ACL of a path. It is known to be empty if `ls` shows no `+`.
fn read_acl(view: &View<'_>, path: &str) -> Parsed<AccessList> {
    let plus = match view.parse_reading("acl", path, |line| {
        line.split(' ')
            .next()
            .map(|perms| perms.ends_with('+'))
            .ok_or(ReadError::NoOutput { tool: "`ls`" })
    }) {
        Read::Present(plus) => *plus,
        Read::Absent => return Read::Absent,
        Read::Unreadable(why) => return Read::Unreadable(why),
    };
    match view.parse_reading("acl-entries", path, |text| parse_entries(text, view)) {
        Read::Absent if !plus => Read::Present(Rc::default()),
        Read::Absent => Read::Unreadable(ReadError::invalid(MissingGetfacl)),
        other => other,
    }
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let path = &target.subject;
    let seen = read_acl(view, path);
    if property == "exists" {
        return match view.reading("acl", path) {
            Some(reading) if reading.rc <= 1 => Observation::bool(reading.rc == 0),
            _ => seen.observe("does not exist", |_| Observation::bool(true)),
        };
    }
    // `ls` also shows if there is an ACL.
    let extended = view.reading("acl-entries", path).is_some_and(|r| r.rc == 1);
    if let (true, "extended", Read::Unreadable(_)) = (extended, property, &seen) {
        return Observation::bool(true);
    }
    seen.observe("does not exist", |list| match property {
        "extended" => Observation::bool(!list.entries.is_empty() || !list.defaults.is_empty()),
        "entries" => Observation::list(list.entries.iter().cloned()),
        _ => Observation::list(list.defaults.iter().cloned()),
    })
}

/// Returns the value of the `acl` property of the `file` resource.
pub(super) fn file_property(view: &View<'_>, path: &str) -> Observation {
    read_acl(view, path).observe("does not exist", |list| {
        Observation::list(list.entries.iter().cloned())
    })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const TABLES: [(&str, &str, i32, &str, &str); 3] = [
        IDENTITY,
        (
            "passwd",
            "",
            0,
            "-",
            "root:x:0:0::/:/\nbob:x:1000:1000::/:/\n",
        ),
        ("group", "", 0, "-", "root:x:0:\nstaff:x:50:\n"),
    ];

    fn judge_check(yaml: &str, frames: &[(&str, &str, i32, &str, &str)]) -> String {
        let all: Vec<_> = TABLES.into_iter().chain(frames.iter().copied()).collect();
        lines(&format!("- {yaml}"), &all).join("\n")
    }

    #[test]
    fn entries_use_names_of_the_target() {
        let rows = "user::rw-\nuser:1000:rw-\t\t#effective:r--\ngroup::r--\ngroup:50:r-x\n\
            group:777:r--\nmask::r--\nother::r--\ndefault:user::rwx\n";
        let frames = [
            ("acl", "/a", 0, "-", "-rw-r--r--+ 1 0 0 1 x"),
            ("acl-entries", "/a", 0, "-", rows),
        ];
        let yaml = "{acl: /a, entries: {same_set: [\"user:bob:rw-\", \"group:staff:r-x\", \
            \"group:777:r--\", \"mask::r--\"]}, default_entries: {same_set: [\"user::rwx\"]}, \
            extended: true}";
        assert_eq!(judge_check(yaml, &frames), "passed  acl:/a");
        assert!(judge_check("{acl: /a}", &frames).starts_with("failed"));
    }

    #[test]
    fn ls_shows_only_the_presence_of_an_acl() {
        let plain = [
            ("acl", "/a", 0, "-", "-rw-r--r-- 1 0 0 1 x"),
            ("acl-entries", "/a", 1, "-", ""),
        ];
        assert_eq!(
            judge_check("{acl: /a, entries: {empty: true}}", &plain),
            "passed  acl:/a"
        );
        assert_eq!(judge_check("{acl: /a}", &plain), "passed  acl:/a");
        let plus = [
            ("acl", "/a", 0, "-", "-rw-r--r--+ 1 0 0 1 x"),
            ("acl-entries", "/a", 1, "-", ""),
        ];
        assert_eq!(
            judge_check("{acl: /a}", &plus),
            "failed  acl:/a  extended: expected false, actual true"
        );
        assert!(judge_check("{acl: /a, entries: {empty: true}}", &plus).starts_with("error"));
        let dumb = [
            ("acl", "/a", 0, "-", "-rw-r--r-- 1 0 0 1 x"),
            ("acl-entries", "/a", 3, "-", "no"),
        ];
        assert!(judge_check("{acl: /a}", &dumb).starts_with("error"));
        let gone = [("acl", "/a", 1, "-", "ls: /a: No such file or directory")];
        assert_eq!(
            judge_check("{acl: /a}", &gone),
            "failed  acl:/a  extended: expected false, but it does not exist"
        );
        assert!(judge_check("{acl: /a, if_absent: skip}", &gone).starts_with("skipped"));
        assert!(judge_check("{acl: /a}", &[("acl", "/a", 2, "-", "")]).starts_with("error"));
    }
}
