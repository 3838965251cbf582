//! Extracts packages, unit files and accounts from facts, to compare two versions of an image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Read};
use crate::matcher::context::VersionOrder;
use crate::resource::packaging::package;
use crate::text::truncate_for_display;

/// Packages, unit files and accounts of a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemContents {
    /// Versions of installed packages; `name:arch` if a package is installed for
    /// several architectures.
    pub packages: Read<BTreeMap<String, String>>,
    /// States of unit files (`enabled`, `disabled`, `static`, …).
    pub units: Read<BTreeMap<String, String>>,
    /// UIDs of accounts.
    pub users: Read<BTreeMap<String, String>>,
}

impl SystemContents {
    /// Extracts the contents from facts.
    #[must_use]
    pub fn from_facts(facts: &Facts) -> Self {
        Self {
            packages: read_list(facts, "packages", parse_packages),
            units: read_list(facts, "unit-files", |text| Read::Present(parse_units(text))),
            users: read_list(facts, "passwd", |text| Read::Present(parse_users(text))),
        }
    }

    /// Returns whether the facts have none of the lists.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        [&self.packages, &self.units, &self.users]
            .iter()
            .all(|read| **read == Read::Absent)
    }
}

type ValuesByName = BTreeMap<String, String>;

/// Parses a reading of the collector.
fn read_list(
    facts: &Facts,
    kind: &str,
    parse: fn(&str) -> Read<ValuesByName>,
) -> Read<ValuesByName> {
    let Some(reading) = facts.reading(kind, "") else {
        return Read::Absent;
    };
    match reading.rc {
        0 => parse(&String::from_utf8_lossy(reading.body.bytes())),
        1 => Read::Absent,
        _ => Read::Unreadable(truncate_for_display(reading.body.bytes())),
    }
}

/// Parses the installed packages.
fn parse_packages(text: &str) -> Read<ValuesByName> {
    let table = match package::parse_packages(text) {
        Ok(table) => table,
        Err(error) => return Read::Unreadable(error.to_string()),
    };
    let mut out = ValuesByName::new();
    for (name, rows) in table {
        let installed = rows.iter().filter(|row| package::is_installed(&row.status));
        let mut by_arch: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in installed {
            by_arch.entry(&row.arch).or_default().push(&row.version);
        }
        out.extend(package_names(&name, &by_arch));
    }
    Read::Present(out)
}

/// Returns names and versions; the name includes the architecture if there are several. Only rpm can
/// have several versions for one architecture. They are joined, newest first.
fn package_names(name: &str, by_arch: &BTreeMap<&str, Vec<&str>>) -> Vec<(String, String)> {
    let has_one_arch = by_arch.len() == 1;
    let full = |arch: &str| {
        if has_one_arch {
            name.to_owned()
        } else {
            format!("{name}:{arch}")
        }
    };
    by_arch
        .iter()
        .map(|(arch, versions)| {
            let mut versions = versions.clone();
            versions.sort_by(|a, b| VersionOrder::Rpm.compare(b, a));
            (full(arch), versions.join(", "))
        })
        .collect()
}

/// Parses the output of `systemctl list-unit-files`: unit, state, and in newer versions the
/// preset. Transient units belong to the boot, not to the image.
fn parse_units(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    text.lines()
        .filter_map(pair)
        .filter(|(_, state)| state != "transient")
        .collect()
}

/// Parses the lines of passwd(5).
fn parse_users(text: &str) -> BTreeMap<String, String> {
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
    fn only_installed_packages_count_and_ambiguous_names_have_architecture() {
        let text = "curl\tamd64\tinstall ok installed\t8\t\t\nold\tall\tdeinstall ok config-files\t1\t\t\n\
                    libc6\tamd64\tinstall ok installed\t2.36\tglibc\t\nlibc6\ti386\tinstall ok installed\t2.35\tglibc\t\n";
        let expected = [
            ("curl", "8"),
            ("libc6:amd64", "2.36"),
            ("libc6:i386", "2.35"),
        ];
        assert_eq!(
            parse_packages(text),
            Read::Present(expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into())
        );
        let kernels = "kernel\tx86_64\tinstall ok installed\t6.1.97-1\tkernel\t\n\
                       kernel\tx86_64\tinstall ok installed\t6.1.102-1\tkernel\t\n";
        let joined = ("kernel".to_owned(), "6.1.102-1, 6.1.97-1".to_owned());
        assert_eq!(parse_packages(kernels), Read::Present([joined].into()));
        assert!(matches!(
            parse_packages("curl amd64\n"),
            Read::Unreadable(_)
        ));
    }

    #[test]
    fn unit_files_have_an_optional_preset() {
        let found = parse_units(
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
