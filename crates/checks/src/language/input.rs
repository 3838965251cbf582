//! Owns the inputs of a profile as they are written: a default, and other values by operating system or by a version.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::language::grammar;
use crate::matcher::pattern::Pattern;
use crate::matcher::tree::Tree;
use crate::problem::Problem;

/// An input as it is written, not yet looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenInput(pub Tree);

impl JsonSchema for WrittenInput {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = given_schema();
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
                "type": {"enum": TYPES.iter().map(|(word, ..)| *word).collect::<Vec<_>>(), "description": "What its values are; that of its first value when absent."},
                "required": {"type": "boolean", "description": "Whether whoever uses the profile has to give it a value; it has none of its own then."},
                "pattern": {"type": "string", "description": "A regular expression that the whole value matches, or each item of a list."},
                "sensitive": {"type": "boolean", "description": "Whether the value is kept out of messages, reports, evidence and digests."},
            },
        })
    }
}

/// The values that an input can have.
pub(super) fn given_schema() -> serde_json::Value {
    let one = serde_json::json!({"type": ["string", "integer", "number", "boolean"]});
    serde_json::json!({"anyOf": [one, {"type": "array", "items": one}]})
}

/// What an input's values may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputRules {
    of: Option<Type>,
    pattern: Option<String>,
    /// Whoever uses the profile has to give it a value.
    pub required: bool,
}

/// The type of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    Bool,
    List,
}

const TYPES: &[(&str, Type, &str)] = &[
    ("text", Type::Text, "text"),
    ("number", Type::Number, "a number"),
    ("bool", Type::Bool, "true or false"),
    ("list", Type::List, "a list"),
];

impl Type {
    fn of(value: &Tree) -> Option<Self> {
        Some(match value {
            Tree::Text(_) => Self::Text,
            Tree::Int(_) | Tree::Float(_) => Self::Number,
            Tree::Bool(_) => Self::Bool,
            Tree::List(_) => Self::List,
            Tree::Map(_) => return None,
        })
    }

    fn shown(self) -> &'static str {
        TYPES
            .iter()
            .find(|(_, of, _)| *of == self)
            .map_or("", |(.., shown)| shown)
    }
}

impl InputRules {
    /// What is wrong with a value; the value itself is not shown, it may be a secret.
    fn check(&self, value: &Tree) -> Result<(), Problem> {
        if let Some(of) = self.of.filter(|of| Type::of(value) != Some(*of)) {
            let help = match (of, value) {
                (Type::List, _) => "write it as a list: `[…]`",
                (Type::Text, Tree::Int(_) | Tree::Float(_) | Tree::Bool(_)) => "write it in quotes",
                _ => "change the value, or the input's `type`",
            };
            let message = format!("it must be {}, not {}", of.shown(), value.describe());
            return Err(Problem::new(message, help));
        }
        let Some(pattern) = &self.pattern else {
            return Ok(());
        };
        let whole = Pattern::new(&format!(r"\A(?:{pattern})\z"))
            .map_err(|why| Problem::new(why, "see docs/checks.md"))?;
        for text in value.items().iter().filter_map(Tree::spelled) {
            if !whole
                .is_match(text.as_bytes())
                .map_err(|why| Problem::new(why, "use a simpler pattern"))?
            {
                return Err(Problem::new(
                    format!("it does not match `{pattern}`"),
                    "change it so that all of it matches",
                ));
            }
        }
        Ok(())
    }
}

/// A value that profiles can be given, or that depends on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The values with their conditions; the first that holds is meant, the last has none.
    pub choices: Vec<(Option<String>, Tree)>,
    /// Whether it is left out of reports.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// What it may be; known where it is given a value only.
    #[serde(skip)]
    pub rules: InputRules,
}

impl Input {
    /// The same with this value, whatever the target is.
    ///
    /// # Errors
    /// The value does not fit what is declared.
    pub fn set(&self, value: &Tree) -> Result<Self, Problem> {
        self.rules.check(value)?;
        Ok(Self {
            choices: vec![(None, value.clone())],
            ..self.clone()
        })
    }
}

/// That there is no such input; `inputs` are those there are.
#[must_use]
pub fn no_input(name: &str, inputs: &BTreeMap<String, Input>) -> Problem {
    let help = match bakeline_diagnostic::nearest(name, inputs.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "declare it under `inputs:`".to_owned(),
    };
    Problem::new(format!("there is no input `{name}`"), help)
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
        let wrong = |why: String| {
            Problem::new(
                format!("`{text}` is no condition: {why}"),
                "see docs/checks.md",
            )
        };
        let (mut inputs, mut variables) = (Vec::new(), Vec::new());
        let parsed = grammar::parse(text).map_err(wrong)?;
        parsed.names(&mut inputs, &mut variables);
        if let Some(other) = inputs.first().or(variables.first()) {
            return Err(wrong(format!("`{other}` is no fact")));
        }
    }
    choices.extend(written.get("default").map(|value| (None, value.clone())));
    let rules = rules(written, &choices)?;
    for (key, value) in written.entries() {
        match key.as_str() {
            "default" => rules.check(value).map_err(|problem| problem.under(key))?,
            "by_os" | "by_version" => {
                for (choice, value) in value.entries().iter().filter(|(choice, _)| choice != "of") {
                    rules
                        .check(value)
                        .map_err(|problem| problem.under(choice).under(key))?;
                }
            }
            _ => {}
        }
    }
    if choices.is_empty() && !rules.required {
        return Err(Problem::new(
            format!("the input `{name}` has no value"),
            "give it a `default`, or `required: true`",
        ));
    }
    let sensitive = written.get("sensitive") == Some(&Tree::Bool(true));
    Ok(Input {
        choices,
        sensitive,
        rules,
    })
}

/// What is declared, or follows from the first value.
fn rules(written: &Tree, choices: &[(Option<String>, Tree)]) -> Result<InputRules, Problem> {
    let named = written.get("type").and_then(Tree::text);
    let of = named
        .and_then(|name| TYPES.iter().find(|(word, ..)| *word == name))
        .map(|(_, of, _)| *of);
    let of = of.or_else(|| choices.first().and_then(|(_, value)| Type::of(value)));
    let pattern = written
        .get("pattern")
        .and_then(Tree::text)
        .map(str::to_owned);
    if let Some(pattern) = &pattern {
        let help = "put a `\\` before a character that is meant as itself";
        Pattern::new(pattern).map_err(|why| Problem::new(why, help).under("pattern"))?;
    }
    let required = written.get("required") == Some(&Tree::Bool(true));
    if required && !choices.is_empty() {
        let problem = Problem::new(
            "an input with a value need not be given one",
            "remove `required`, or its values",
        );
        return Err(problem.under("required"));
    }
    Ok(InputRules {
        of,
        pattern,
        required,
    })
}

/// Conditions for names of systems, those with a version first.
fn by_os(map: Option<&Tree>) -> Vec<(Option<String>, Tree)> {
    let entries = map.map(Tree::entries).unwrap_or_default();
    let (with, without): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key.contains('-'));
    let condition = |key: &str| match key.rsplit_once('-') {
        Some((name, version)) => format!("os.name == \"{name}\" and os.version == \"{version}\""),
        None => format!("\"{key}\" in os.family"),
    };
    with.into_iter()
        .chain(without)
        .map(|(key, value)| (Some(condition(key)), value.clone()))
        .collect()
}

/// Conditions for versions, in the order they are written in.
fn by_version(map: &Tree) -> Result<Vec<(Option<String>, Tree)>, Problem> {
    let of = map.get("of").and_then(Tree::text).ok_or_else(|| {
        Problem::new(
            "it does not say whose version",
            "add one such as `of: package(\"openssh-server\").version`",
        )
    })?;
    let mut out = Vec::new();
    for (key, value) in map.entries().iter().filter(|(key, _)| key != "of") {
        let operator = [">=", "<=", "==", "!=", ">", "<"]
            .into_iter()
            .find(|o| key.starts_with(o));
        let Some(operator) = operator else {
            let message = format!("`{}` is no comparison with a version", key.escape_debug());
            return Err(Problem::new(message, "write one such as \">=9.2\"")
                .at_key()
                .under(key));
        };
        let version = key[operator.len()..].trim();
        out.push((
            Some(format!("{of} {operator} \"{version}\"")),
            value.clone(),
        ));
    }
    Ok(out)
}
