//! The `package` resource: a package in the package manager's database.

use std::collections::BTreeMap;

use crate::facts::PackageManager;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::context::VersionOrder;
use crate::matcher::value::Value;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "package",
    "Package of dpkg or rpm. By default, it must be installed. rpm can have several versions of a \
     package, such as `kernel`. The properties are those of the newest one.",
    Subject::new(
        "name",
        "Name, optionally with an architecture: libc6:amd64 or glibc:i686.",
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
        "Version in quotes, such as 1:9.2p1-2 (epoch:upstream-revision, in rpm \
         epoch:version-release), compared in the order of the package manager.",
    ),
    Property::new(
        "upstream",
        ValueType::Version,
        "Version without epoch and revision (release): 9.2p1. It has the same form for dpkg and rpm.",
    ),
    Property::new(
        "held",
        ValueType::Bool,
        "True if dpkg has it on hold. Skipped for rpm, which has no holds.",
    ),
    Property::new(
        "arch",
        ValueType::Setting,
        "Architecture, such as amd64, x86_64, all or noarch.",
    ),
    Property::new("source", ValueType::Setting, "Source package."),
])
.with_defaults(&["installed"])
.with_presence("installed")
.with_collection("", no_requests);

/// Shell functions. The collector always calls `all_packages`.
pub(crate) const SHELL: &str = include_str!("../packages.sh");

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
    let wrong = |message| {
        let help = "use a package's name, such as `nginx` or `libc6:amd64`";
        Err(InvalidValue::new(message, help))
    };
    if name.starts_with('-') {
        return wrong(
            "a package name cannot start with `-`, because apt would read it as an option"
                .to_owned(),
        );
    }
    let (name, arch) = name
        .split_once(':')
        .map_or((name, None), |(name, arch)| (name, Some(arch)));
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(is_word) {
        return wrong("a package name starts with a letter, a digit or `_`".to_owned());
    }
    if let Some(c) = name.chars().find(|c| !is_word(*c) && !"+-.~^".contains(*c)) {
        return wrong(format!(
            "`{}` is not allowed in a package name",
            c.escape_default()
        ));
    }
    match arch {
        Some(arch) if arch.is_empty() || !arch.chars().all(|c| is_word(c) || c == '-') => {
            wrong("the part after `:` must be an architecture such as amd64 or x86_64".to_owned())
        }
        _ => Ok(()),
    }
}

/// Entry of the package database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageRow {
    /// Architecture, such as `amd64`, `all` or `noarch`. Empty for the keys of rpm (`gpg-pubkey`).
    pub(crate) arch: String,
    /// Three words of the dpkg status, such as `install ok installed`. Packages of rpm have this one.
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
            return Err(ReadError::unknown_line(
                "a line in the package database",
                line,
            ));
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

/// Returns the version without epoch and revision.
fn upstream_version(version: &str) -> &str {
    let rest = match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => version,
    };
    rest.rsplit_once('-').map_or(rest, |(upstream, _)| upstream)
}

/// Returns the newest installed row, or a row that is not installed.
fn select_row<'r>(
    rows: &'r [PackageRow],
    arch: Option<&str>,
    order: VersionOrder,
) -> Option<&'r PackageRow> {
    let has_any_arch = |row: &PackageRow| ["all", "noarch"].contains(&row.arch.as_str());
    let fits = |row: &&PackageRow| arch.is_none_or(|a| a == row.arch || has_any_arch(row));
    let newer = |a: &&PackageRow, b: &&PackageRow| order.compare(&a.version, &b.version);
    rows.iter()
        .filter(fits)
        .filter(|row| is_installed(&row.status))
        .max_by(newer)
        .or_else(|| rows.iter().find(fits))
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let (name, arch) = target
        .subject
        .split_once(':')
        .map_or((&*target.subject, None), |(name, arch)| (name, Some(arch)));
    let manager = view.facts().package_manager();
    if property == "held" && manager == Some(PackageManager::Rpm) {
        return Observation::Skipped(
            "rpm has no holds: check the file of the versionlock plugin instead".to_owned(),
        );
    }
    view.parse_reading("packages", "", parse_packages)
        .observe("has no package database", |rows| {
            let rows = rows.get(name).map(Vec::as_slice).unwrap_or_default();
            observe_row(property, select_row(rows, arch, view.context().versions))
        })
}

fn observe_row(property: &str, row: Option<&PackageRow>) -> Observation {
    let version = |text: &str| Observation::Value(Value::Version(text.to_owned()));
    let Some(row) = row else {
        return match property {
            "installed" => Observation::bool(false),
            _ => Observation::Missing("is not installed".to_owned()),
        };
    };
    let installed = is_installed(&row.status);
    match property {
        "installed" => {
            let status = if installed { "" } else { row.status.as_str() };
            Observation::Value(Value::Bool(installed, status.to_owned()))
        }
        _ if !installed => Observation::Missing("is not installed".to_owned()),
        "version" => version(&row.version),
        "upstream" => version(upstream_version(&row.version)),
        "held" => Observation::bool(row.status.starts_with("hold ")),
        "arch" => Observation::setting(row.arch.clone()),
        _ => Observation::setting(row.source.clone()),
    }
}

#[cfg(test)]
mod tests;
