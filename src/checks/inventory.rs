//! Owns the inventory: every package, unit file and account of a booted image, which two versions are compared by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::{Facts, Read};
use super::frames::Frame;

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

impl Default for Inventory {
    fn default() -> Self {
        Self { packages: Read::Absent, units: Read::Absent, users: Read::Absent }
    }
}

pub(crate) fn absorb(facts: &mut Facts, frame: &Frame) {
    let inventory = facts.inventory.get_or_insert_default();
    match frame.kind.as_str() {
        "all-packages" => inventory.packages = frame.read(|f| packages(&f.text())),
        "all-units" => inventory.units = frame.read(|f| Ok(units(&f.text()))),
        _ => inventory.users = frame.read(|f| Ok(users(&f.text()))),
    }
}

/// Lines of name, architecture, status and version; only what is installed counts.
fn packages(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut out: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split('\t').collect();
        let [name, arch, status, version] = words.as_slice() else {
            return Err(format!("dpkg's database has an unknown form: {}", super::facts::brief(line.as_bytes())));
        };
        if super::package::installed(status) {
            out.entry((*name).to_owned()).or_default().insert(arch, version);
        }
    }
    Ok(out.into_iter().flat_map(|(name, by_arch)| named(&name, &by_arch)).collect())
}

/// A package that is there for one architecture only is known by its name alone.
fn named(name: &str, by_arch: &BTreeMap<&str, &str>) -> Vec<(String, String)> {
    let alone = by_arch.len() == 1;
    let full = |arch: &str| if alone { name.to_owned() } else { format!("{name}:{arch}") };
    by_arch.iter().map(|(arch, version)| (full(arch), (*version).to_owned())).collect()
}

/// systemctl(1), list-unit-files: the unit, its state, and in newer versions the preset. What is transient belongs to this
/// boot (the login that asks, too), not to the image.
fn units(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    text.lines().filter_map(pair).filter(|(_, state)| state != "transient").collect()
}

fn users(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(n, i)| (n.to_owned(), i.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count_and_foreign_ones_say_so() {
        let text = "curl\tamd64\tinstall ok installed\t8\nold\tall\tdeinstall ok config-files\t1\n\
                    libc6\tamd64\tinstall ok installed\t2.36\nlibc6\ti386\tinstall ok installed\t2.35\n";
        let found = packages(text).expect("packages");
        let expected = [("curl", "8"), ("libc6:amd64", "2.36"), ("libc6:i386", "2.35")];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        assert!(packages("curl amd64\n").is_err());
    }

    #[test]
    fn unit_files_are_read_with_and_without_the_preset() {
        let found = units("ssh.service enabled enabled\nsession-1.scope transient -\ncron.service disabled\n\n");
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("cron.service".to_owned(), "disabled".to_owned()), ("ssh.service".to_owned(), "enabled".to_owned())]
        );
    }
}
