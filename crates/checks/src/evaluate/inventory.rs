//! Owns the inventory: every package, unit file and account of a booted image, which two versions are compared by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Read};
use crate::resource::packaging::package;
use crate::text::brief;

/// What there is on a system, whatever its controls ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Version of each installed package; a package of a foreign architecture is `name:arch`.
    pub packages: Read<BTreeMap<String, String>>,
    /// State of each unit file (`enabled`, `disabled`, `static`, …).
    pub units: Read<BTreeMap<String, String>>,
    /// Number of each account.
    pub users: Read<BTreeMap<String, String>>,
}

impl Inventory {
    /// The inventory that facts hold.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        Self {
            packages: read(facts, "packages", packages),
            units: read(facts, "unit-files", |text| Ok(units(text))),
            users: read(facts, "passwd", |text| Ok(users(text))),
        }
    }

    /// Whether nothing of it was collected.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        [&self.packages, &self.units, &self.users]
            .iter()
            .all(|read| **read == Read::Absent)
    }
}

type Names = BTreeMap<String, String>;

fn read(facts: &Facts, kind: &str, parse: fn(&str) -> Result<Names, String>) -> Read<Names> {
    let Some(reading) = facts.reading(kind, "") else {
        return Read::Absent;
    };
    match reading.rc {
        0 => parse(&String::from_utf8_lossy(reading.body.bytes()))
            .map_or_else(Read::Unreadable, Read::Present),
        1 => Read::Absent,
        _ => Read::Unreadable(brief(reading.body.bytes())),
    }
}

/// Only what is installed counts.
fn packages(text: &str) -> Result<Names, String> {
    let mut out = Names::new();
    for (name, rows) in package::rows(text)? {
        let there = rows.iter().filter(|row| package::installed(&row.status));
        let by_arch: BTreeMap<&str, &str> = there
            .map(|row| (row.arch.as_str(), row.version.as_str()))
            .collect();
        out.extend(named(&name, &by_arch));
    }
    Ok(out)
}

/// A package that is there for one architecture only is known by its name alone.
fn named(name: &str, by_arch: &BTreeMap<&str, &str>) -> Vec<(String, String)> {
    let alone = by_arch.len() == 1;
    let full = |arch: &str| {
        if alone {
            name.to_owned()
        } else {
            format!("{name}:{arch}")
        }
    };
    by_arch
        .iter()
        .map(|(arch, version)| (full(arch), (*version).to_owned()))
        .collect()
}

/// systemctl(1), list-unit-files: the unit, its state, and in newer versions the preset. What is transient belongs to this
/// boot (the login that asks, too), not to the image.
fn units(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    text.lines()
        .filter_map(pair)
        .filter(|(_, state)| state != "transient")
        .collect()
}

fn users(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let mut parts = line.split(':');
        Some((parts.next()?.to_owned(), parts.nth(1)?.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count_and_foreign_ones_say_so() {
        let text = "curl\tamd64\tinstall ok installed\t8\t\t\nold\tall\tdeinstall ok config-files\t1\t\t\n\
                    libc6\tamd64\tinstall ok installed\t2.36\tglibc\t\nlibc6\ti386\tinstall ok installed\t2.35\tglibc\t\n";
        let found = packages(text).expect("packages");
        let expected = [
            ("curl", "8"),
            ("libc6:amd64", "2.36"),
            ("libc6:i386", "2.35"),
        ];
        assert_eq!(
            found,
            expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into()
        );
        assert!(packages("curl amd64\n").is_err());
    }

    #[test]
    fn unit_files_are_read_with_and_without_the_preset() {
        let found = units(
            "ssh.service enabled enabled\nsession-1.scope transient -\ncron.service disabled\n\n",
        );
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ("cron.service".to_owned(), "disabled".to_owned()),
                ("ssh.service".to_owned(), "enabled".to_owned())
            ]
        );
    }
}
