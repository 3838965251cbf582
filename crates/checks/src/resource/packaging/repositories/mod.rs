//! The `repositories` resource: package repositories and the verification of their packages.

mod dnf;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::facts::{PackageManager, Read};
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "repositories",
    "Enabled repositories of apt (sources.list, `.list` and `.sources`) and dnf (dnf.conf and \
     `.repo`). By default, `insecure` must be empty.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[
    Property::new("uris", ValueType::List, "URIs, without credentials."),
    Property::new(
        "suites",
        ValueType::List,
        "Suites of apt, such as bookworm-security, and repository IDs of dnf.",
    ),
    Property::new(
        "components",
        ValueType::List,
        "Components of apt, such as main and non-free-firmware. Skipped for dnf, whose \
         repositories have none.",
    ),
    Property::new(
        "files",
        ValueType::List,
        "Files that define the repositories.",
    ),
    Property::new(
        "insecure",
        ValueType::List,
        "Repositories (`file: uri`) without verification (trusted=yes, allow-insecure=yes, \
         gpgcheck neither in the repository nor in dnf.conf), or with neither an encrypted URI \
         nor a key of their own (Signed-By, gpgkey).",
    ),
    Property::new(
        "keys",
        ValueType::List,
        "Key files: those of Signed-By and gpgkey, and those in /etc/apt/trusted.gpg.d, which \
         can sign any repository.",
    ),
])
.with_defaults(&["!insecure"])
.with_collection("", requests);

/// Shell functions. The collector always calls `repositories`.
pub(crate) const SHELL: &str = include_str!("../repositories.sh");

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let keys = asked.iter().any(|one| one.properties.contains("keys"));
    let line = "from /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d; listing apt_keys 1 ! -type d";
    if keys {
        vec![line.to_owned()]
    } else {
        Vec::new()
    }
}

/// Enabled repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Repository {
    file: String,
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    /// Key files that sign it.
    keys: Vec<String>,
    /// True if its packages are not verified.
    unverified: bool,
}

/// Parses the configuration lines of each file. Other lines are messages of find.
fn parse_repositories(text: &str) -> Result<Vec<Repository>, ReadError> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        match line.split_once('\t') {
            Some((path, line)) => files
                .entry(path.trim_start_matches('.').to_owned())
                .or_default()
                .push(line),
            None => drop(walk::parse_entries(line)?),
        }
    }
    let verified = files
        .get(dnf::MAIN_FILE)
        .is_some_and(|lines| dnf::verifies_packages(lines));
    let mut out = Vec::new();
    for (file, lines) in files {
        let found = match file.rsplit('.').next() {
            Some("sources") => parse_stanzas(&lines),
            Some("repo" | "conf") => dnf::parse_repositories(&lines, verified),
            _ => lines
                .iter()
                .filter_map(|line| parse_one_line(line))
                .collect(),
        };
        out.extend(found.into_iter().map(|one| Repository {
            file: file.clone(),
            ..one
        }));
    }
    Ok(out)
}

fn split_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn is_enabled(text: &str) -> bool {
    ["yes", "true", "1", "on", "with", "enable"]
        .contains(&text.trim().to_ascii_lowercase().as_str())
}

/// Parses the one-line format of sources.list(5): `deb [option=value …] uri suite component…`.
fn parse_one_line(line: &str) -> Option<Repository> {
    let rest = line
        .trim()
        .strip_prefix("deb")
        .map(|rest| rest.strip_prefix("-src").unwrap_or(rest))?;
    let rest = rest
        .split_once('#')
        .map_or(rest, |(before, _)| before)
        .trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = split_words(rest).into_iter();
    let mut out = Repository {
        uri: words.next()?,
        suites: words.next().into_iter().collect(),
        ..Repository::default()
    };
    out.components = words.collect();
    for (key, value) in options
        .split_whitespace()
        .filter_map(|option| option.split_once('='))
    {
        match key.to_ascii_lowercase().trim_end_matches(['+', '-']) {
            "signed-by" => out.keys.extend(value.split(',').map(str::to_owned)),
            "trusted" | "allow-insecure" => out.unverified |= is_enabled(value),
            _ => {}
        }
    }
    Some(out)
}

/// Parses the deb822 format of sources.list(5): stanzas of fields, separated by empty lines. A
/// continuation line begins with a space.
fn parse_stanzas(lines: &[&str]) -> Vec<Repository> {
    let mut out = Vec::new();
    for stanza in lines.split(|line| line.trim().is_empty()) {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut last = String::new();
        for line in stanza {
            if line.starts_with([' ', '\t']) {
                let field = fields.entry(last.clone()).or_default();
                field.push(' ');
                field.push_str(line.trim());
            } else if let Some((key, value)) = line.split_once(':') {
                last = key.trim().to_ascii_lowercase();
                fields.insert(last.clone(), value.trim().to_owned());
            }
        }
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if fields
            .get("enabled")
            .is_some_and(|value| !is_enabled(value))
        {
            continue;
        }
        // An embedded key block is reported as the name of its field.
        let keys = match fields.get("signed-by") {
            Some(inline) if inline.is_empty() || inline.starts_with("-----BEGIN") => {
                vec!["inline".to_owned()]
            }
            Some(paths) => split_words(&paths.replace(',', " ")),
            None => Vec::new(),
        };
        let unverified = is_enabled(field("trusted")) || is_enabled(field("allow-insecure"));
        out.extend(
            split_words(field("uris"))
                .into_iter()
                .map(|uri| Repository {
                    uri,
                    suites: split_words(field("suites")),
                    components: split_words(field("components")),
                    keys: keys.clone(),
                    unverified,
                    ..Repository::default()
                }),
        );
    }
    out
}

fn is_insecure(one: &Repository) -> bool {
    let plain = ["http://", "ftp://"]
        .iter()
        .any(|scheme| one.uri.contains(scheme));
    one.unverified || (plain && one.keys.is_empty())
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if property == "components" && view.facts().package_manager() == Some(PackageManager::Rpm) {
        return Observation::Skipped("repositories of dnf have no components".to_owned());
    }
    view.parse_reading("repositories", "", parse_repositories)
        .observe("were not collected", |all| {
            let set = |of: &dyn Fn(&Repository) -> Vec<String>| {
                Observation::list(all.iter().flat_map(of).collect::<BTreeSet<_>>())
            };
            match property {
                "uris" => set(&|one| vec![one.uri.clone()]),
                "suites" => set(&|one| one.suites.clone()),
                "components" => set(&|one| one.components.clone()),
                "files" => set(&|one| vec![one.file.clone()]),
                "insecure" => set(&|one| {
                    if is_insecure(one) {
                        vec![format!("{}: {}", one.file, one.uri)]
                    } else {
                        Vec::new()
                    }
                }),
                _ => key_files(&all, view),
            }
        })
}

fn key_files(all: &Rc<Vec<Repository>>, view: &View<'_>) -> Observation {
    match walk::load_entries(view, "apt_keys") {
        Read::Unreadable(why) => why.into(),
        Read::Absent => Observation::not_collected(),
        Read::Present(found) => {
            let ring = |name: &str| [".gpg", ".asc"].iter().any(|end| name.ends_with(end));
            let trusted = found
                .iter()
                .filter(|entry| ring(entry.file_name()))
                .map(|entry| entry.path.clone());
            Observation::list(
                trusted
                    .chain(all.iter().flat_map(|one| one.keys.clone()))
                    .collect::<BTreeSet<_>>(),
            )
        }
    }
}

#[cfg(test)]
mod tests;
