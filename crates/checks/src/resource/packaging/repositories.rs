//! The `repositories` resource: where packages come from, and whether what comes is verified.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::phase::Phase;

use crate::resource::filesystem::walk;

pub(crate) static KIND: Kind = Kind {
    name: "repositories",
    doc: "The enabled repositories of apt (sources.list, `.list` and `.sources`) and dnf (`.repo`); with nothing else: none is \
          insecure.",
    subject: words("scope", "All of them: `all`.", &["all"]),
    parameters: &[],
    properties: &[
        Property::new(
            "uris",
            Of::List,
            "Where they are; what logs in is left out.",
        ),
        Property::new(
            "suites",
            Of::List,
            "apt's suites, such as bookworm-security; dnf's names of repositories.",
        ),
        Property::new(
            "components",
            Of::List,
            "apt's components, such as main and non-free-firmware.",
        ),
        Property::new("files", Of::List, "The files that they stand in."),
        Property::new(
            "insecure",
            Of::List,
            "Those (`file: uri`) that are trusted unverified (trusted=yes, allow-insecure=yes, gpgcheck=0), or that come without \
             encryption and name no key of their own (Signed-By).",
        ),
        Property::new(
            "keys",
            Of::List,
            "The files of keys: those of Signed-By and gpgkey, and those in /etc/apt/trusted.gpg.d, which vouch for any repository.",
        ),
    ],
    open: None,
    by_default: &["!insecure"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: "",
    requests,
    observe,
};

/// The functions; `repositories` is in the base set.
pub(crate) const SHELL: &str = include_str!("repositories.sh");

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let keys = asked.iter().any(|one| one.properties.contains("keys"));
    let line = "from /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d; listing apt_keys 1 ! -type d";
    if keys {
        vec![line.to_owned()]
    } else {
        Vec::new()
    }
}

/// One enabled repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Repository {
    file: String,
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    /// What vouches for it.
    keys: Vec<String>,
    /// It is taken unverified.
    unverified: bool,
}

/// The configuration's lines by their files; a line of another form is one of find's.
fn repositories(text: &str) -> Result<Vec<Repository>, String> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        match line.split_once('\t') {
            Some((path, line)) => files
                .entry(path.trim_start_matches('.').to_owned())
                .or_default()
                .push(line),
            None => drop(walk::entries(line)?),
        }
    }
    let mut out = Vec::new();
    for (file, lines) in files {
        let found = match file.rsplit('.').next() {
            Some("sources") => stanzas(&lines),
            Some("repo") => sections(&lines),
            _ => lines.iter().filter_map(|line| one_line(line)).collect(),
        };
        out.extend(found.into_iter().map(|one| Repository {
            file: file.clone(),
            ..one
        }));
    }
    Ok(out)
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn yes(text: &str) -> bool {
    ["yes", "true", "1", "on", "with", "enable"]
        .contains(&text.trim().to_ascii_lowercase().as_str())
}

/// sources.list(5): `deb [option=value …] uri suite component…`.
fn one_line(line: &str) -> Option<Repository> {
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
    let mut words = split(rest).into_iter();
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
            "trusted" | "allow-insecure" => out.unverified |= yes(value),
            _ => {}
        }
    }
    Some(out)
}

/// The deb822 form of sources.list(5): stanzas of fields with an empty line between, long fields going on after a blank.
fn stanzas(lines: &[&str]) -> Vec<Repository> {
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
        if fields.get("enabled").is_some_and(|value| !yes(value)) {
            continue;
        }
        // A key block that stands in the file itself is told by its field alone.
        let keys = match fields.get("signed-by") {
            Some(inline) if inline.is_empty() || inline.starts_with("-----BEGIN") => {
                vec!["inline".to_owned()]
            }
            Some(paths) => split(&paths.replace(',', " ")),
            None => Vec::new(),
        };
        let unverified = yes(field("trusted")) || yes(field("allow-insecure"));
        out.extend(split(field("uris")).into_iter().map(|uri| Repository {
            uri,
            suites: split(field("suites")),
            components: split(field("components")),
            keys: keys.clone(),
            unverified,
            ..Repository::default()
        }));
    }
    out
}

/// yum.conf(5), dnf.conf(5): sections of `key=value`; the first of several addresses is what a repository is known by.
fn sections(lines: &[&str]) -> Vec<Repository> {
    let mut out = Vec::new();
    let starts: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].trim_start().starts_with('['))
        .collect();
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(lines.len());
        let name = lines[*start].trim().trim_matches(['[', ']']).to_owned();
        let fields: BTreeMap<&str, &str> = lines[start + 1..end]
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.trim(), v.trim()))
            .collect();
        let no = |key: &str| {
            fields.get(key).is_some_and(|value| {
                ["0", "no", "false"].contains(&value.to_ascii_lowercase().as_str())
            })
        };
        if no("enabled") {
            continue;
        }
        let from = ["baseurl", "metalink", "mirrorlist"]
            .iter()
            .find_map(|key| fields.get(key))
            .copied()
            .unwrap_or_default();
        out.push(Repository {
            uri: split(from).into_iter().next().unwrap_or_default(),
            suites: vec![name],
            keys: split(fields.get("gpgkey").copied().unwrap_or_default()),
            unverified: no("gpgcheck"),
            ..Repository::default()
        });
    }
    out
}

fn insecure(one: &Repository) -> bool {
    let plain = ["http://", "ftp://"]
        .iter()
        .any(|scheme| one.uri.contains(scheme));
    one.unverified || (plain && one.keys.is_empty())
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("repositories", "", repositories)
        .observe("were not looked at", |all| {
            let set = |of: &dyn Fn(&Repository) -> Vec<String>| {
                Observed::list(all.iter().flat_map(of).collect::<BTreeSet<_>>())
            };
            match property {
                "uris" => set(&|one| vec![one.uri.clone()]),
                "suites" => set(&|one| one.suites.clone()),
                "components" => set(&|one| one.components.clone()),
                "files" => set(&|one| vec![one.file.clone()]),
                "insecure" => set(&|one| {
                    if insecure(one) {
                        vec![format!("{}: {}", one.file, one.uri)]
                    } else {
                        Vec::new()
                    }
                }),
                _ => keys(&all, view),
            }
        })
}

fn keys(all: &Rc<Vec<Repository>>, view: &View<'_>) -> Observed {
    match walk::found(view, "apt_keys") {
        Seen::Unknown(why) => Observed::Unknown(why),
        Seen::Absent => Observed::uncollected(),
        Seen::Present(found) => {
            let ring = |name: &str| [".gpg", ".asc"].iter().any(|end| name.ends_with(end));
            let trusted = found
                .iter()
                .filter(|entry| ring(entry.name()))
                .map(|entry| entry.path.clone());
            Observed::list(
                trusted
                    .chain(all.iter().flat_map(|one| one.keys.clone()))
                    .collect::<BTreeSet<_>>(),
            )
        }
    }
}

#[cfg(test)]
#[path = "repositories_tests.rs"]
mod tests;
