//! The `acl` resource: the POSIX access control list of a file or directory.

use std::rc::Rc;

use super::file::{FUNCTIONS, names};
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::phase::Phase;
use crate::text::{hex, sh_quote};

pub(crate) static KIND: Kind = Kind {
    name: "acl",
    doc: "The POSIX ACL of a file or directory, links followed; with nothing else: it has none.",
    subject: Subject {
        name: "path",
        doc: "The absolute path in the image.",
        words: &[],
        check: absolute,
    },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "Whether there is a file or directory.").or(&["exist"]),
        Property::new(
            "extended",
            Of::Bool,
            "Whether it gives more rights than its permission bits show.",
        ),
        Property::new(
            "entries",
            Of::List,
            "The entries beside owner, group and other: `user:bob:rw-`, `group:staff:r--`, `mask::rw-`.",
        ),
        Property::new(
            "default_entries",
            Of::List,
            "What is handed on to new files in a directory, in the same form.",
        ),
    ],
    open: None,
    by_default: &["!extended"],
    implied: &[],
    presence: Some("exists"),
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let call = |path: &str| format!("acl {} {}", hex(path.as_bytes()), sh_quote(path));
    asked.iter().map(|one| call(&one.target.subject)).collect()
}

/// An access control list without the three entries that every file has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct List {
    entries: Vec<String>,
    defaults: Vec<String>,
}

/// What getfacl(1) prints with `-cpn`: entries with numbers for names, `default:` before those that are handed on, and
/// after a mask that takes something away `#effective:…`.
fn list(text: &str, view: &View<'_>) -> Result<List, String> {
    let mut out = List::default();
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
            return Err("getfacl answered in an unknown form".to_owned());
        };
        let entry = format!("{kind}:{}:{rights}", named(kind, who, view));
        if defaults {
            out.defaults.push(entry);
        } else if !who.is_empty() || *kind == "mask" {
            out.entries.push(entry);
        }
    }
    Ok(out)
}

/// The name of a number, by the target's own tables.
fn named(kind: &str, who: &str, view: &View<'_>) -> String {
    let table = if kind == "user" { "passwd" } else { "group" };
    let known = match who.parse::<u32>() {
        Ok(id) => match view.parsed(table, "", |text| Ok(names(text))) {
            Seen::Present(names) => names.get(&id).cloned(),
            _ => None,
        },
        Err(_) => None,
    };
    known.unwrap_or_else(|| who.to_owned())
}

/// The list of a path: read, or known to be empty, or why it is not known.
fn read(view: &View<'_>, path: &str) -> Seen<Rc<List>> {
    let plus = match view.parsed("acl", path, |line| {
        line.split(' ')
            .next()
            .map(|perms| perms.ends_with('+'))
            .ok_or_else(|| "`ls` told nothing".to_owned())
    }) {
        Seen::Present(plus) => *plus,
        Seen::Absent => return Seen::Absent,
        Seen::Unknown(why) => return Seen::Unknown(why),
    };
    match view.parsed("acl-entries", path, |text| list(text, view)) {
        Seen::Absent if !plus => Seen::Present(Rc::default()),
        Seen::Absent => {
            Seen::Unknown("it has an ACL, and getfacl is not there to read it".to_owned())
        }
        other => other,
    }
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let path = &target.subject;
    let seen = read(view, path);
    if property == "exists" {
        return match view.raw("acl", path) {
            Some(reading) if reading.rc <= 1 => Observed::bool(reading.rc == 0),
            _ => seen.observe("does not exist", |_| Observed::bool(true)),
        };
    }
    // Whether there is one is told by `ls`, too.
    let extended = view.raw("acl-entries", path).is_some_and(|r| r.rc == 1);
    if let (true, "extended", Seen::Unknown(_)) = (extended, property, &seen) {
        return Observed::bool(true);
    }
    seen.observe("does not exist", |list| match property {
        "extended" => Observed::bool(!list.entries.is_empty() || !list.defaults.is_empty()),
        "entries" => Observed::list(list.entries.iter().cloned()),
        _ => Observed::list(list.defaults.iter().cloned()),
    })
}

/// The entries for `file`'s property of that name.
pub(super) fn extra(view: &View<'_>, path: &str) -> Observed {
    read(view, path).observe("does not exist", |list| {
        Observed::list(list.entries.iter().cloned())
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

    fn told(yaml: &str, frames: &[(&str, &str, i32, &str, &str)]) -> String {
        let all: Vec<_> = TABLES.into_iter().chain(frames.iter().copied()).collect();
        lines(&format!("- {yaml}"), &all).join("\n")
    }

    #[test]
    fn entries_have_the_targets_names() {
        let rows = "user::rw-\nuser:1000:rw-\t\t#effective:r--\ngroup::r--\ngroup:50:r-x\ngroup:777:r--\nmask::r--\nother::r--\n\
            default:user::rwx\n";
        let frames = [
            ("acl", "/a", 0, "-", "-rw-r--r--+ 1 0 0 1 x"),
            ("acl-entries", "/a", 0, "-", rows),
        ];
        let yaml = "{acl: /a, entries: {same_set: [\"user:bob:rw-\", \"group:staff:r-x\", \"group:777:r--\", \"mask::r--\"]}, \
            default_entries: {same_set: [\"user::rwx\"]}, extended: true}";
        assert_eq!(told(yaml, &frames), "passed  acl:/a");
        assert!(told("{acl: /a}", &frames).starts_with("failed"));
    }

    #[test]
    fn what_ls_alone_tells_is_whether_there_is_one() {
        let plain = [
            ("acl", "/a", 0, "-", "-rw-r--r-- 1 0 0 1 x"),
            ("acl-entries", "/a", 1, "-", ""),
        ];
        assert_eq!(
            told("{acl: /a, entries: {empty: true}}", &plain),
            "passed  acl:/a"
        );
        assert_eq!(told("{acl: /a}", &plain), "passed  acl:/a");
        let plus = [
            ("acl", "/a", 0, "-", "-rw-r--r--+ 1 0 0 1 x"),
            ("acl-entries", "/a", 1, "-", ""),
        ];
        assert_eq!(
            told("{acl: /a}", &plus),
            "failed  acl:/a  extended: expected false, actual true"
        );
        assert!(told("{acl: /a, entries: {empty: true}}", &plus).starts_with("error"));
        let dumb = [
            ("acl", "/a", 0, "-", "-rw-r--r-- 1 0 0 1 x"),
            ("acl-entries", "/a", 3, "-", "no"),
        ];
        assert!(told("{acl: /a}", &dumb).starts_with("error"));
        let gone = [("acl", "/a", 1, "-", "ls: /a: No such file or directory")];
        assert_eq!(
            told("{acl: /a}", &gone),
            "failed  acl:/a  extended: expected false, but it does not exist"
        );
        assert!(told("{acl: /a, if_absent: skip}", &gone).starts_with("skipped"));
        assert!(told("{acl: /a}", &[("acl", "/a", 2, "-", "")]).starts_with("error"));
    }
}
