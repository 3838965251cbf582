//! Owns the inputs of a profile as they are written: a default, and other values by operating system or by a version.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::control::Input;
use super::expression;
use super::problem::Problem;
use super::tree::Tree;

/// An input as it is written, not yet looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenInput(pub Tree);

impl JsonSchema for WrittenInput {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!({"type": ["string", "integer", "number", "boolean"]});
        let value = serde_json::json!({"anyOf": [one, {"type": "array", "items": one}]});
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "description": {"type": "string", "description": "One line for people."},
                "default": value,
                "by_os": {
                    "type": "object", "minProperties": 1, "additionalProperties": value,
                    "description": "Values by `NAME-VERSION` or by `NAME` of os-release (what it is like counts, too), such as debian-12 or debian.",
                },
                "by_version": {
                    "type": "object", "minProperties": 2, "additionalProperties": value,
                    "description": "Values by a version: `of: package(\"openssh-server\").version` and keys such as \">=9.2\", of which the first that holds counts.",
                },
                "sensitive": {"type": "boolean", "description": "Whether reports leave the value out."},
            },
        })
    }
}

/// The inputs of a map, and what is wrong with the others.
#[must_use]
pub fn inputs(map: &Tree) -> (BTreeMap<String, Input>, Vec<Problem>) {
    let (mut out, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, written) in map.entries() {
        match input(name, written) {
            Ok(input) => drop(out.insert(name.clone(), input)),
            Err(problem) => problems.push(problem.under(name)),
        }
    }
    (out, problems)
}

fn input(name: &str, written: &Tree) -> Result<Input, Problem> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("`{}` can't name an input", name.escape_debug());
        return Err(Problem::new(message, "use letters, digits and `_`").at_key());
    }
    let mut choices = by_os(written.get("by_os"));
    if let Some(versions) = written.get("by_version") {
        choices.extend(by_version(versions).map_err(|problem| problem.under("by_version"))?);
    }
    for (condition, _) in &choices {
        let text = condition.as_deref().unwrap_or_default();
        expression::parse(text)
            .map_err(|why| Problem::new(format!("`{text}` is no condition: {why}"), "see docs/checks.md"))?;
    }
    choices.extend(written.get("default").map(|value| (None, value.clone())));
    if choices.is_empty() {
        return Err(Problem::new(format!("the input `{name}` has no value"), "give it a `default`"));
    }
    let sensitive = written.get("sensitive") == Some(&Tree::Bool(true));
    Ok(Input { choices, sensitive })
}

/// Conditions for names of systems, those with a version first.
fn by_os(map: Option<&Tree>) -> Vec<(Option<String>, Tree)> {
    let entries = map.map(Tree::entries).unwrap_or_default();
    let (with, without): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key.contains('-'));
    let condition = |key: &str| match key.rsplit_once('-') {
        Some((name, version)) => format!("os.name == \"{name}\" and os.version == \"{version}\""),
        None => format!("\"{key}\" in os.family"),
    };
    with.into_iter().chain(without).map(|(key, value)| (Some(condition(key)), value.clone())).collect()
}

/// Conditions for versions, in the order they are written in.
fn by_version(map: &Tree) -> Result<Vec<(Option<String>, Tree)>, Problem> {
    let of = map.get("of").and_then(Tree::text).ok_or_else(|| {
        Problem::new("it does not say whose version", "add one such as `of: package(\"openssh-server\").version`")
    })?;
    let mut out = Vec::new();
    for (key, value) in map.entries().iter().filter(|(key, _)| key != "of") {
        let operator = [">=", "<=", "==", "!=", ">", "<"].into_iter().find(|o| key.starts_with(o));
        let Some(operator) = operator else {
            let message = format!("`{}` is no comparison with a version", key.escape_debug());
            return Err(Problem::new(message, "write one such as \">=9.2\"").at_key().under(key));
        };
        let version = key[operator.len()..].trim();
        out.push((Some(format!("{of} {operator} \"{version}\"")), value.clone()));
    }
    Ok(out)
}
