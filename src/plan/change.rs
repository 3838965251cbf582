//! Owns comparing two sets of named inputs: which moved, and the words for it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::fingerprint::ORDER;

/// One input that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// The input, such as `script images/tomcat/configure.sh`.
    pub input: String,
    /// Its value or digest then; none when it is new.
    pub then: Option<String>,
    /// Its value or digest now; none when it is gone.
    pub now: Option<String>,
}

impl Change {
    /// `package nginx added`, `script images/x.sh changed`, `disk_gib 10 -> 20`.
    #[must_use]
    pub fn words(&self) -> String {
        let input = &self.input;
        match (&self.then, &self.now) {
            _ if input == ORDER => "order of provisioning changed".to_owned(),
            (None, Some(value)) if value.len() < 20 && !input.contains(' ') => {
                format!("{input} {value} added")
            }
            (None, _) => format!("{input} added"),
            (_, None) => format!("{input} removed"),
            (Some(then), Some(now)) if is_digest(then) || is_digest(now) => {
                format!("{input} changed")
            }
            (Some(then), Some(now)) => format!("{input} changed: {then} -> {now}"),
        }
    }
}

/// What differs, by input. The order of provisioning is only named when nothing came or went: it follows from that.
#[must_use]
pub fn between(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Change> {
    let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let change = |name: &&String| {
        let (then, now) = (then.get(*name), now.get(*name));
        (then != now).then(|| Change {
            input: (*name).clone(),
            then: then.cloned(),
            now: now.cloned(),
        })
    };
    let mut out: Vec<Change> = names.iter().filter_map(change).collect();
    let implied = out.iter().any(|c| {
        let named = [
            "package ",
            "script ",
            "file ",
            "destination ",
            "playbook ",
            "manifest ",
        ]
        .iter()
        .any(|p| c.input.starts_with(p));
        let versions = c.input.starts_with("package ") && c.then.is_some() && c.now.is_some();
        (c.then.is_none() || c.now.is_none() || versions) && named
    });
    if implied {
        out.retain(|c| c.input != ORDER);
    }
    out
}

/// Whether a value is a SHA-256 in hex: nothing that people want to read.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn each_kind_of_change_has_its_words() {
        let digest = |c: char| c.to_string().repeat(64);
        let (a, b) = (digest('a'), digest('b'));
        for (then, now, words) in [
            (
                &[("package nginx", "any version")][..],
                &[("package nginx", "1.2")][..],
                "package nginx changed: any version -> 1.2",
            ),
            (
                &[],
                &[("package nginx", "any version"), ("order", "[1]")],
                "package nginx added",
            ),
            (
                &[("script a.sh", &a), ("order", "[1]")],
                &[("order", "[]")],
                "script a.sh removed",
            ),
            (
                &[("script a.sh", &a)],
                &[("script a.sh", &b)],
                "script a.sh changed",
            ),
            (
                &[("template t", &a)],
                &[("template t", &b)],
                "template t changed",
            ),
            (
                &[("order", "[1,2]")],
                &[("order", "[2,1]")],
                "order of provisioning changed",
            ),
            (&[], &[("disk_gib", "20")], "disk_gib 20 added"),
            (
                &[("tag team", "a")],
                &[("tag team", "b")],
                "tag team changed: a -> b",
            ),
            (&[("arch", "x")], &[("arch", "x")], ""),
        ] {
            let map = |list: &[(&str, &str)]| {
                list.iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect()
            };
            let got: Vec<String> = between(&map(then), &map(now))
                .iter()
                .map(super::Change::words)
                .collect();
            assert_eq!(got.join("; "), words);
        }
    }
}
