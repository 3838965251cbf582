//! The `package` resource: a package in the package manager's database.

use std::collections::BTreeMap;

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use bakeline_platform::Platform;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "package",
    "Package. By default, it must be installed.",
    Subject::new(
        "name",
        "Name, optionally with an architecture: libc6:amd64.",
        check_name,
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "installed",
        ValueType::Bool,
        "True if it is unpacked and configured.",
    )
    .or(&["be_installed"]),
    Property::new(
        "version",
        ValueType::Version,
        "Version in quotes, compared in the order of the package manager.",
    ),
    Property::new("held", ValueType::Bool, "True if it is on hold."),
    Property::new(
        "arch",
        ValueType::Setting,
        "Architecture, such as amd64 or all.",
    ),
    Property::new("source", ValueType::Setting, "Source package."),
])
.with_defaults(&["installed"])
.with_presence("installed")
.with_collection("", no_requests);

/// Returns no calls: the collector always reads all packages.
fn no_requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    Vec::new()
}

fn check_name(name: &str) -> Result<(), InvalidValue> {
    if name.contains('=') {
        return Err(InvalidValue::new(
            "a version does not belong here",
            "write it as `version`",
        ));
    }
    let help = "use a package's name, such as `nginx` or `libc6:amd64`";
    Platform::Debian
        .check_package(name)
        .map_err(|wrong| InvalidValue::new(wrong.to_string(), help))
}

/// Entry of the package database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageRow {
    /// Architecture, such as `amd64` or `all`.
    pub(crate) arch: String,
    /// Three words of the dpkg status, such as `install ok installed`.
    pub(crate) status: String,
    /// Version.
    pub(crate) version: String,
    /// Source package.
    pub(crate) source: String,
}

/// Packages by name.
pub(crate) type PackageTable = BTreeMap<String, Vec<PackageRow>>;

/// Parses lines of name, architecture, status, version, source and source version, separated by
/// tabs.
pub(crate) fn parse_packages(text: &str) -> Result<PackageTable, ReadError> {
    let mut out = PackageTable::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split('\t').collect();
        let [name, arch, status, version, source, _] = words.as_slice() else {
            return Err(ReadError::unknown_line("a line in the dpkg database", line));
        };
        let [arch, status, version] = [arch, status, version].map(|w| (*w).to_owned());
        let source = if source.is_empty() { *name } else { source }.to_owned();
        out.entry((*name).to_owned()).or_default().push(PackageRow {
            arch,
            status,
            version,
            source,
        });
    }
    Ok(out)
}

/// Returns true if a dpkg status (wanted, error flag, state) means installed.
///
/// A package on hold is installed, and `deinstall ok config-files` is not. A package that waits for
/// triggers is installed because it is configured.
pub(crate) fn is_installed(status: &str) -> bool {
    let state = status.split(' ').nth(2).unwrap_or_default();
    ["installed", "triggers-awaited", "triggers-pending"].contains(&state)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let (name, arch) = target
        .subject
        .split_once(':')
        .map_or((&*target.subject, None), |(name, arch)| (name, Some(arch)));
    view.parse_reading("packages", "", parse_packages)
        .observe("has no package database", |rows| {
            let all = rows.get(name).map(Vec::as_slice).unwrap_or_default();
            let fits = |row: &&PackageRow| arch.is_none_or(|a| a == row.arch || row.arch == "all");
            let matching: Vec<&PackageRow> = all.iter().filter(fits).collect();
            // A package can have several architectures. The installed one counts.
            let best = matching
                .iter()
                .find(|row| is_installed(&row.status))
                .or(matching.first());
            match (property, best) {
                ("installed", Some(row)) => {
                    let ok = is_installed(&row.status);
                    Observation::Value(Value::Bool(
                        ok,
                        if ok {
                            String::new()
                        } else {
                            row.status.clone()
                        },
                    ))
                }
                ("installed", None) => Observation::bool(false),
                ("version", Some(row)) if is_installed(&row.status) => {
                    Observation::Value(Value::Version(row.version.clone()))
                }
                ("held", Some(row)) if is_installed(&row.status) => {
                    Observation::bool(row.status.starts_with("hold "))
                }
                ("arch", Some(row)) if is_installed(&row.status) => {
                    Observation::setting(row.arch.clone())
                }
                ("source", Some(row)) if is_installed(&row.status) => {
                    Observation::setting(row.source.clone())
                }
                _ => Observation::Missing("is not installed".to_owned()),
            }
        })
}

#[cfg(test)]
mod tests;
