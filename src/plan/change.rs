//! Compares two sets of named inputs and describes the differences.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::fingerprint::ORDER;

/// Changed input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InputChange {
    /// Name of the input, such as `script images/tomcat/configure.sh`.
    pub input: String,
    /// Earlier value or digest; none for a new input.
    pub then: Option<String>,
    /// Current value or digest; none for a removed input.
    pub now: Option<String>,
}

impl InputChange {
    /// Describes the change: `package nginx added`, `volume root changed: 10 GiB -> 20 GiB`.
    #[must_use]
    pub fn describe(&self) -> String {
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

/// Returns the changed inputs. The order of provisioning is only included if nothing was added or
/// removed, because it follows from that.
#[must_use]
pub fn diff_inputs(
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<InputChange> {
    let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let change = |name: &&String| {
        let (then, now) = (then.get(*name), now.get(*name));
        (then != now).then(|| InputChange {
            input: (*name).clone(),
            then: then.cloned(),
            now: now.cloned(),
        })
    };
    let mut out: Vec<InputChange> = names.iter().filter_map(change).collect();
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

/// Returns whether a value is a SHA-256 digest in hex.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::diff_inputs;

    #[test]
    fn each_kind_of_change_has_its_description() {
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
            let got: Vec<String> = diff_inputs(&map(then), &map(now))
                .iter()
                .map(super::InputChange::describe)
                .collect();
            assert_eq!(got.join("; "), words);
        }
    }
}
