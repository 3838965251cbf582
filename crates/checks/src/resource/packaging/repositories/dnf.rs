//! Parses the repositories of dnf.conf(5).

use std::collections::BTreeMap;

use super::{Repository, split_words};

/// File with the section `main`.
pub(super) const MAIN_FILE: &str = "/etc/dnf/dnf.conf";
/// Section with the defaults of all repositories.
const MAIN: &str = "main";

/// Settings of a section by name.
type Settings = BTreeMap<String, String>;

/// Returns true if the section `main` verifies packages by default. dnf itself does not.
pub(super) fn verifies_packages(lines: &[&str]) -> bool {
    parse_sections(lines)
        .iter()
        .filter(|(name, _)| name == MAIN)
        .any(|(_, settings)| is_true(settings, "gpgcheck") == Some(true))
}

/// Parses the enabled repositories of a file. `verified` is the default of `gpgcheck`. The first
/// address identifies a repository.
pub(super) fn parse_repositories(lines: &[&str], verified: bool) -> Vec<Repository> {
    let is_enabled = |settings: &Settings| is_true(settings, "enabled").unwrap_or(true);
    parse_sections(lines)
        .into_iter()
        .filter(|(name, settings)| name != MAIN && is_enabled(settings))
        .map(|(name, settings)| {
            let address = ["baseurl", "metalink", "mirrorlist"]
                .iter()
                .find_map(|key| settings.get(*key))
                .map(|text| split_list(text))
                .unwrap_or_default();
            Repository {
                uri: address.into_iter().next().unwrap_or_default(),
                suites: vec![name],
                keys: settings
                    .get("gpgkey")
                    .map(|text| split_list(text))
                    .unwrap_or_default(),
                unverified: !is_true(&settings, "gpgcheck").unwrap_or(verified),
                ..Repository::default()
            }
        })
        .collect()
}

/// Parses sections of `key=value`. A continuation line begins with a space.
fn parse_sections(lines: &[&str]) -> Vec<(String, Settings)> {
    let mut out: Vec<(String, Settings)> = Vec::new();
    let mut last = String::new();
    for line in lines {
        let text = line.trim();
        if let Some(name) = text.strip_prefix('[') {
            out.push((name.trim_end_matches(']').to_owned(), Settings::new()));
            continue;
        }
        let Some((_, settings)) = out.last_mut() else {
            continue;
        };
        if line.starts_with([' ', '\t']) {
            if let Some(value) = settings.get_mut(&last) {
                value.push(' ');
                value.push_str(text);
            }
        } else if let Some((key, value)) = text.split_once('=') {
            last = key.trim().to_owned();
            settings.insert(last.clone(), value.trim().to_owned());
        }
    }
    out
}

/// Splits a list at spaces and commas.
fn split_list(text: &str) -> Vec<String> {
    split_words(&text.replace(',', " "))
}

/// Returns a Boolean setting; `None` if it is not set or not valid.
fn is_true(settings: &Settings, key: &str) -> Option<bool> {
    match settings.get(key)?.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Some(true),
        "0" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}
