//! Finds the next step for values that do not conform to their schema.

use serde_json::{Map, Value as Json};

use super::required_keys;
use crate::catalog::yaml::node::{Node, Scalar, Value};

/// Other names of allowed words: name, allowed word, and the part of the help after the word.
///
/// The systems of the platform `rhel` are those of `Platform::os_ids`. Fedora is not one of them.
const SYNONYMS: &[(&str, &str, &str)] = &[
    ("rocky", "rhel", " for Rocky Linux"),
    ("rockylinux", "rhel", " for Rocky Linux"),
    ("alma", "rhel", " for AlmaLinux"),
    ("almalinux", "rhel", " for AlmaLinux"),
    ("centos", "rhel", " for CentOS Stream"),
    ("redhat", "rhel", " for Red Hat Enterprise Linux"),
    ("al2023", "amazon-linux", " for Amazon Linux 2023"),
    ("amzn", "amazon-linux", " for Amazon Linux 2023"),
    ("amazon", "amazon-linux", " for Amazon Linux 2023"),
    ("amd64", "x86_64", ""),
    ("x64", "x86_64", ""),
    ("aarch64", "arm64", ""),
];

/// Keys whose durations are usually days.
const DAYS: &[&str] = &["max_age", "soak", "disable_after", "deregister_after"];

/// Returns the help for a value whose type the schema does not allow, if a general one would not
/// be enough.
pub(super) fn help_for_wrong_type(
    rules: &Map<String, Json>,
    types: &[&str],
    node: &Node,
    what: &str,
) -> Option<String> {
    match (types, &node.value) {
        (
            _,
            Value::Scalar {
                text,
                kind: Scalar::Integer,
            },
        ) if is_duration(rules) => {
            let is_days = DAYS.iter().any(|key| what == format!("`{key}`"));
            let unit = if is_days { "d" } else { "s" };
            Some(format!("add a unit: `{text}{unit}`"))
        }
        (["object"], Value::Scalar { .. }) => {
            let example = example(rules).or_else(|| required_map(rules))?;
            Some(format!("write a map, such as `{example}`"))
        }
        _ => None,
    }
}

/// Returns the help for another name of an allowed word.
pub(super) fn help_for_synonym(text: &str, words: &[&str]) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let (_, word, reason) = SYNONYMS
        .iter()
        .find(|(synonym, word, _)| *synonym == name && words.contains(word))?;
    Some(format!("use `{word}`{reason}"))
}

/// Returns true if the pattern of a text requires a unit of time. See `syntax::DURATION`.
fn is_duration(rules: &Map<String, Json>) -> bool {
    let pattern = rules.get("pattern").and_then(Json::as_str);
    pattern.is_some_and(|pattern| pattern.contains("[smh"))
}

/// Returns the example of a schema as a map of texts.
fn example(rules: &Map<String, Json>) -> Option<String> {
    let example = rules.get("examples")?.get(0)?.as_object()?;
    let entries: Vec<String> = example
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    Some(format!("{{{}}}", entries.join(", ")))
}

/// Returns a map with all required keys.
fn required_map(rules: &Map<String, Json>) -> Option<String> {
    let keys: Vec<String> = required_keys(rules)
        .iter()
        .map(|key| format!("{key}: …"))
        .collect();
    (!keys.is_empty()).then(|| format!("{{{}}}", keys.join(", ")))
}
