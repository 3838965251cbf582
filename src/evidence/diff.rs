//! Compares two versions of an image: packages, units, accounts, and the files that controls read.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::checks::{Facts, FileFact, Read, Reading, SystemContents, file_fact, file_paths};
use crate::platform::Platform;

/// Maximum number of packages that a message names.
const MAX_NAMED: usize = 5;

/// Differences between two versions; lists are ordered by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BuildDiff {
    /// Added packages with their versions.
    pub added: BTreeMap<String, String>,
    /// Removed packages with their old versions.
    pub removed: BTreeMap<String, String>,
    /// Packages with a newer version.
    pub upgraded: BTreeMap<String, ValueChange>,
    /// Packages with an older version.
    pub downgraded: BTreeMap<String, ValueChange>,
    /// Unit files with a changed state; `-` means that the file does not exist.
    pub units: BTreeMap<String, ValueChange>,
    /// Accounts with a changed UID; `-` means that the account does not exist.
    pub users: BTreeMap<String, ValueChange>,
    /// Files of controls with a changed kind, mode, owner or content.
    pub files: BTreeMap<String, ValueChange>,
    /// Comparisons that were not possible, with the reason.
    pub unknown: Vec<String>,
}

/// Value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueChange {
    /// Value before.
    pub from: String,
    /// Value after.
    pub to: String,
}

impl BuildDiff {
    /// Compares the facts of two versions.
    #[must_use]
    pub fn between(from: &Facts, to: &Facts, platform: Platform) -> Self {
        let mut out = Self::default();
        let (older, newer) = (
            SystemContents::from_facts(from),
            SystemContents::from_facts(to),
        );
        let missing_in = match (older.is_absent(), newer.is_absent()) {
            (true, true) => Some("both versions"),
            (true, false) => Some("the older version"),
            (false, true) => Some("the newer version"),
            (false, false) => None,
        };
        match missing_in {
            None => out.diff_inventories(&older, &newer, platform),
            Some(missing_in) => out.unknown.push(format!(
                "the facts of {missing_in} do not contain packages, units and accounts"
            )),
        }
        out.files = diff_maps(&describe_files(from), &describe_files(to), String::clone);
        out
    }

    /// Returns whether no difference is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self
            == Self {
                unknown: self.unknown.clone(),
                ..Self::default()
            }
    }

    /// Returns a summary such as `2 packages upgraded, 1 added; 1 file changed`.
    #[must_use]
    pub fn summary(&self) -> String {
        let parts = [
            (self.upgraded.len(), "package", "upgraded"),
            (self.downgraded.len(), "package", "downgraded"),
            (self.added.len(), "package", "added"),
            (self.removed.len(), "package", "removed"),
            (self.units.len(), "unit", "changed"),
            (self.users.len(), "account", "changed"),
            (self.files.len(), "file", "changed"),
        ];
        let word = |(count, what, how): &(usize, &str, &str)| {
            format!("{count} {what}{} {how}", if *count == 1 { "" } else { "s" })
        };
        let words: Vec<String> = parts.iter().filter(|p| p.0 > 0).map(word).collect();
        match (words.is_empty(), self.unknown.is_empty()) {
            (false, _) => words.join(", "),
            (true, true) => "nothing changed".to_owned(),
            (true, false) => "not known".to_owned(),
        }
    }

    /// Returns the summary with the first few packages by name.
    #[must_use]
    pub fn headline(&self) -> String {
        let changed = self
            .upgraded
            .iter()
            .chain(&self.downgraded)
            .map(|(n, c)| format!("{n} {} → {}", c.from, c.to));
        let added = self
            .added
            .iter()
            .map(|(name, version)| format!("+{name} {version}"));
        let removed = self.removed.keys().map(|name| format!("-{name}"));
        let names: Vec<String> = changed.chain(added).chain(removed).collect();
        let (display, rest) = names.split_at(names.len().min(MAX_NAMED));
        match (display.is_empty(), rest.len()) {
            (true, _) => self.summary(),
            (false, 0) => format!("{} ({})", self.summary(), display.join(", ")),
            (false, more) => format!(
                "{} ({} and {more} more)",
                self.summary(),
                display.join(", ")
            ),
        }
    }

    fn diff_inventories(&mut self, from: &SystemContents, to: &SystemContents, platform: Platform) {
        if let Some((from, to)) = self.readable_pair("packages", &from.packages, &to.packages) {
            self.diff_packages(from, to, platform);
        }
        if let Some((from, to)) = self.readable_pair("units", &from.units, &to.units) {
            self.units = diff_maps(from, to, String::clone);
        }
        if let Some((from, to)) = self.readable_pair("accounts", &from.users, &to.users) {
            self.users = diff_maps(from, to, String::clone);
        }
    }

    fn readable_pair<'f, T>(
        &mut self,
        what: &str,
        from: &'f Read<T>,
        to: &'f Read<T>,
    ) -> Option<(&'f T, &'f T)> {
        let why = |read: &Read<T>| match read {
            Read::Present(_) => None,
            Read::Absent => Some("they were not collected".to_owned()),
            Read::Unreadable(why) => Some(why.clone()),
        };
        if let (Read::Present(from), Read::Present(to)) = (from, to) {
            return Some((from, to));
        }
        let reason = why(from).or_else(|| why(to)).unwrap_or_default();
        self.unknown.push(format!("{what}: {reason}"));
        None
    }

    fn diff_packages(
        &mut self,
        from: &BTreeMap<String, String>,
        to: &BTreeMap<String, String>,
        platform: Platform,
    ) {
        for (name, change) in diff_maps(from, to, String::clone) {
            match (from.get(&name), to.get(&name)) {
                (None, Some(version)) => drop(self.added.insert(name, version.clone())),
                (Some(version), None) => drop(self.removed.insert(name, version.clone())),
                _ if platform.compare_versions(&change.from, &change.to) == Ordering::Greater => {
                    drop(self.downgraded.insert(name, change));
                }
                _ => drop(self.upgraded.insert(name, change)),
            }
        }
    }
}

/// Returns the differences of two maps; `-` means a missing value.
fn diff_maps<T: PartialEq>(
    from: &BTreeMap<String, T>,
    to: &BTreeMap<String, T>,
    words: impl Fn(&T) -> String,
) -> BTreeMap<String, ValueChange> {
    let display = |value: Option<&T>| value.map_or_else(|| "-".to_owned(), &words);
    let names = from
        .keys()
        .chain(to.keys().filter(|name| !from.contains_key(*name)));
    names
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| {
            (
                name.clone(),
                ValueChange {
                    from: display(from.get(name)),
                    to: display(to.get(name)),
                },
            )
        })
        .filter(|(_, change)| change.from != change.to)
        .collect()
}

/// Describes the files that controls read, each on one line.
fn describe_files(facts: &Facts) -> BTreeMap<String, String> {
    let line = |path: &str| {
        Some((
            path.to_owned(),
            describe_file(&file_fact(facts, path)?, facts.reading("body", path)),
        ))
    };
    file_paths(facts).filter_map(line).collect()
}

/// Describes a file on one line, with the digest of its content.
fn describe_file(file: &FileFact, content: Option<&Reading>) -> String {
    let entry = match &file.entry {
        Read::Absent => return "absent".to_owned(),
        Read::Unreadable(why) => return format!("unreadable: {why}"),
        Read::Present(stat) => format!("{} {:04o} {}:{}", stat.kind, stat.mode, stat.uid, stat.gid),
    };
    let link = file
        .link_target
        .as_ref()
        .map_or_else(String::new, |to| format!(" -> {to}"));
    let content = content.filter(|reading| reading.rc == 0);
    let content = content.map_or_else(String::new, |reading| {
        format!(" {}", reading.body.fingerprint())
    });
    format!("{entry}{link}{content}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Blob;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn facts(packages: &[(&str, &str)], units: &[(&str, &str)]) -> Facts {
        let packages = packages
            .iter()
            .map(|(n, v)| format!("{n}\tamd64\tinstall ok installed\t{v}\t\t\n"));
        let units = units.iter().map(|(n, state)| format!("{n} {state}\n"));
        let mut facts = Facts::default();
        for (kind, text) in [
            ("packages", packages.collect::<String>()),
            ("unit-files", units.collect()),
            ("passwd", "root:x:0:0\n".into()),
        ] {
            let body = Blob::new(text.into_bytes(), false, false);
            let reading = Reading {
                rc: 0,
                flags: String::new(),
                body,
            };
            facts
                .readings
                .insert(kind.to_owned(), [(String::new(), reading)].into());
        }
        facts
    }

    #[test]
    fn diff_orders_versions_by_platform_rules() {
        let old = facts(
            &[("a", "1.9"), ("b", "2"), ("gone", "1"), ("same", "1")],
            &[("x.service", "enabled")],
        );
        let new = facts(
            &[("a", "1.10"), ("b", "2~rc1"), ("new", "3"), ("same", "1")],
            &[("x.service", "masked")],
        );
        let diff = BuildDiff::between(&old, &new, Platform::Debian);
        let change = |from: &str, to: &str| ValueChange {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        assert_eq!(
            diff.upgraded,
            [("a".to_owned(), change("1.9", "1.10"))].into()
        );
        assert_eq!(
            diff.downgraded,
            [("b".to_owned(), change("2", "2~rc1"))].into()
        );
        assert_eq!(
            (diff.added, diff.removed),
            (map(&[("new", "3")]), map(&[("gone", "1")]))
        );
        assert_eq!(
            diff.units,
            [("x.service".to_owned(), change("enabled", "masked"))].into()
        );
        assert_eq!(
            BuildDiff::between(&old, &new, Platform::Debian).summary(),
            "1 package upgraded, 1 package downgraded, 1 package added, 1 package removed, 1 unit changed"
        );
    }

    #[test]
    fn headline_names_first_packages_and_counts_rest() {
        let many: Vec<(String, &str)> = (0..7).map(|n| (format!("p{n}"), "1")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        let headline = |from: &[(&str, &str)], to: &[(&str, &str)]| {
            BuildDiff::between(&facts(from, &[]), &facts(to, &[]), Platform::Debian).headline()
        };
        assert_eq!(
            headline(&[("a", "1")], &[("a", "2"), ("b", "1")]),
            "1 package upgraded, 1 package added (a 1 → 2, +b 1)"
        );
        assert_eq!(
            headline(&[], &many),
            "7 packages added (+p0 1, +p1 1, +p2 1, +p3 1, +p4 1 and 2 more)"
        );
        assert_eq!(headline(&many, &many), "nothing changed");
    }

    #[test]
    fn missing_facts_are_not_equal() {
        let one = facts(&[("a", "1")], &[]);
        let same = BuildDiff::between(&one, &one, Platform::Debian);
        assert!(same.is_empty() && same.unknown.is_empty());
        assert_eq!(same.summary(), "nothing changed");
        let old = BuildDiff::between(&Facts::default(), &one, Platform::Debian);
        assert_eq!(
            (old.summary().as_str(), old.unknown.len()),
            ("not known", 1)
        );
        let mut unread = one.clone();
        let body = Blob::new(b"denied".to_vec(), false, false);
        let reading = Reading {
            rc: 3,
            flags: String::new(),
            body,
        };
        unread
            .readings
            .insert("packages".to_owned(), [(String::new(), reading)].into());
        assert_eq!(
            BuildDiff::between(&one, &unread, Platform::Debian).unknown,
            ["packages: denied"]
        );
    }
}
