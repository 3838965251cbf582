//! Finds the next step for values that do not conform to their schema.

use serde_json::{Map, Value as Json};

use super::required_keys;
use crate::catalog::yaml::node::{Node, Scalar, Value};
use crate::diagnostic::nearest;

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

/// Keys of other tools, and the key with this meaning.
const KEY_SYNONYMS: &[(&str, &str)] = &[
    ("base", "parent"),
    ("from", "parent"),
    ("extends", "parent"),
    ("inherits", "parent"),
    ("source_ami", "source"),
    ("src", "source"),
    ("dest", "destination"),
    ("dst", "destination"),
    ("target", "destination"),
    ("permissions", "mode"),
    ("script", "scripts"),
    ("shell", "scripts"),
    ("run", "scripts"),
    ("package", "packages"),
    ("apt", "packages"),
    ("file", "files"),
    ("stages", "environments"),
    ("envs", "environments"),
    ("environment", "env"),
    ("environment_vars", "env"),
    ("env_vars", "env"),
];

/// Keys for environment variables in an image file, where only scripts have them.
const VARIABLE_KEYS: &[&str] = &["env", "environment", "environment_vars", "env_vars"];

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
        (_, Value::Map(_)) if !types.iter().any(|t| ["object", "array"].contains(t)) => {
            help_for_map(node, what)
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

/// Returns the help for an unknown key, or none if it resembles no known key.
pub(super) fn help_for_key<'k>(
    key: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    let is_variables = VARIABLE_KEYS.contains(&lower.as_str());
    if is_variables
        && !known.clone().any(|one| one == "env")
        && known.clone().any(|one| one == "scripts")
    {
        return Some(
            "set variables for each script: `scripts: [{path: …, env: {NAME: value}}]`".to_owned(),
        );
    }
    suggested_key(key, known).map(|near| format!("did you mean `{near}`?"))
}

/// Returns the known key that the user probably means by an unknown one.
pub(crate) fn suggested_key<'k>(
    key: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<&'k str> {
    let lower = key.to_ascii_lowercase();
    let names = |wanted: &str| known.clone().find(|one| *one == wanted);
    let mut synonyms = KEY_SYNONYMS.iter().filter(|(other, _)| *other == lower);
    synonyms
        .find_map(|(_, wanted)| names(wanted))
        .or_else(|| nearest(key, known.clone()))
}

/// Returns the help for a map in place of a scalar: `package: {name: nginx}`.
fn help_for_map(node: &Node, what: &str) -> Option<String> {
    let key = what.strip_prefix('`')?.strip_suffix('`')?;
    let Value::Map(entries) = &node.value else {
        return None;
    };
    match entries.as_slice() {
        [
            (
                _,
                Node {
                    value: Value::Scalar { text, .. },
                    ..
                },
            ),
        ] if !text.is_empty() => {
            let text = crate::catalog::checker::quote_text(text);
            Some(format!("write `{key}: {text}`"))
        }
        [(first, _), ..] => Some(format!(
            "write one value after `{key}:`; write other keys, such as `{}`, on the same level",
            crate::catalog::checker::quote_text(&first.text)
        )),
        [] => None,
    }
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
