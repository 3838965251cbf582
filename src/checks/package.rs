//! Owns the `package` resource: a package in dpkg's database.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::collect::sh_quote;
use super::facts::{Facts, PackageRow, Read};
use super::frames::{Frame, asked_and_answer};
use super::matcher::Value;
use super::verdict::Observed;
use super::{Control, Property, Resource};

/// A package to look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// `name` or `name:arch`, by the platform's rules.
    pub name: String,
}

impl Package {
    fn parts(&self) -> (&str, Option<&str>) {
        self.name.split_once(':').map_or((&self.name, None), |(name, arch)| (name, Some(arch)))
    }

    pub(crate) fn observe(&self, property: Property, facts: &Facts) -> Observed {
        let (name, arch) = self.parts();
        let rows = match &facts.packages {
            Some(Read::Present(map)) => map.get(name),
            Some(Read::Unreadable(why)) => return Observed::Unknown(why.clone()),
            Some(Read::Absent) | None => None,
        };
        let Some(rows) = rows else { return Observed::uncollected() };
        let matching: Vec<&PackageRow> =
            rows.iter().filter(|row| arch.is_none_or(|a| a == row.arch || row.arch == "all")).collect();
        // Several architectures of one package can be there: the one that is installed counts.
        let best = matching.iter().find(|row| installed(&row.status)).or(matching.first());
        match (property, best) {
            (Property::Installed, Some(row)) => {
                let ok = installed(&row.status);
                Observed::Value(Value::Bool(ok, if ok { String::new() } else { row.status.clone() }))
            }
            (Property::Installed, None) => Observed::Value(Value::Bool(false, String::new())),
            (Property::Version, Some(row)) if installed(&row.status) => {
                Observed::Value(Value::Version(row.version.clone()))
            }
            (Property::Version, _) => Observed::Missing("is not installed".to_owned()),
            _ => Observed::Unknown("it is not a property of a package".to_owned()),
        }
    }
}

/// dpkg(1): wanted, error flag, state. What is on hold is installed; `deinstall ok config-files` is not; waiting for
/// triggers is, because the package itself is configured.
pub(crate) fn installed(status: &str) -> bool {
    let state = status.split(' ').nth(2).unwrap_or_default();
    ["installed", "triggers-awaited", "triggers-pending"].contains(&state)
}

pub(crate) fn requests(due: &[&Control], out: &mut String) {
    let names: BTreeSet<&str> = due
        .iter()
        .filter_map(|c| if let Resource::Package(package) = &c.resource { Some(package.parts().0) } else { None })
        .collect();
    if !names.is_empty() {
        let words: Vec<String> = names.into_iter().map(sh_quote).collect();
        let _ = writeln!(out, "packages {}", words.join(" "));
    }
}

pub(crate) fn absorb(frame: &Frame) -> Read<BTreeMap<String, Vec<PackageRow>>> {
    frame.read(|frame| {
        let text = frame.text();
        let (asked, answer) = asked_and_answer(&text);
        let mut map: BTreeMap<String, Vec<PackageRow>> = asked.iter().map(|n| ((*n).to_owned(), Vec::new())).collect();
        for line in answer.lines().filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split('\t').collect();
            let [name, arch, status, version] = words.as_slice() else {
                return Err(format!("dpkg's database has an unknown form: {}", super::facts::brief(line.as_bytes())));
            };
            let row =
                PackageRow { arch: (*arch).to_owned(), status: (*status).to_owned(), version: (*version).to_owned() };
            map.entry((*name).to_owned()).or_default().push(row);
        }
        Ok(map)
    })
}

#[cfg(test)]
#[path = "package_tests.rs"]
mod tests;
