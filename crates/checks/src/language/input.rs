//! Parses the inputs of a profile: a default, and values by operating system or by version.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::exclusion::{exclusion_schema, parse_exclusions};
use crate::language::grammar;
use crate::matcher::pattern::Pattern;
use crate::matcher::tree::Tree;
use crate::problem::Problem;

/// Input as written, before it is parsed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenInput(pub Tree);

impl JsonSchema for WrittenInput {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = value_schema();
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "description": {"type": "string", "description": "Description, one line."},
                "default": value,
                "by_os": {
                    "type": "object", "minProperties": 1, "additionalProperties": value,
                    "description": "Values by `NAME-VERSION` or `NAME` of os-release, such as debian-12 or debian. A name that matches `ID` takes precedence over a name that matches only `ID_LIKE`. A version without a dot matches all its minor versions.",
                },
                "by_version": {
                    "type": "object", "minProperties": 2, "additionalProperties": value,
                    "description": "Values by version: `of: package(\"openssh-server\").version` and keys such as \">=9.2\". The first match is used. With a list in `of`, one of the versions must match.",
                },
                "type": {"enum": TYPES.iter().map(|(word, ..)| *word).collect::<Vec<_>>(), "description": "Type of the values. Default: the type of the first value."},
                "required": {"type": "boolean", "description": "True if each user of the profile must set a value. The input then has no default."},
                "pattern": {"type": "string", "description": "Regular expression that must match the whole value, or each item of a list."},
                "sensitive": {"type": "boolean", "description": "True to omit the value from messages, reports, evidence and digests."},
            },
        })
    }
}

/// Returns the schema of the values of inputs.
pub(super) fn value_schema() -> serde_json::Value {
    let one = serde_json::json!({"type": ["string", "integer", "number", "boolean"]});
    serde_json::json!({"anyOf": [one, {"type": "array", "items": {"anyOf": [one, exclusion_schema()]}}]})
}

/// Rules for the values of an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputRules {
    value_type: Option<Type>,
    pattern: Option<String>,
    /// True if each user of the profile must set a value.
    pub required: bool,
}

/// The type of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    Bool,
    List,
    Exclusions,
}

const TYPES: &[(&str, Type, &str)] = &[
    ("text", Type::Text, "text"),
    ("number", Type::Number, "a number"),
    ("bool", Type::Bool, "true or false"),
    ("list", Type::List, "a list"),
    ("exclusions", Type::Exclusions, "a list of exclusions"),
];

impl Type {
    fn from_value(value: &Tree) -> Option<Self> {
        Some(match value {
            Tree::List(items) if items.iter().any(|item| matches!(item, Tree::Map(_))) => {
                Self::Exclusions
            }
            Tree::Text(_) => Self::Text,
            Tree::Int(_) | Tree::Float(_) => Self::Number,
            Tree::Bool(_) => Self::Bool,
            Tree::List(_) => Self::List,
            Tree::Map(_) => return None,
        })
    }

    fn description(self) -> &'static str {
        TYPES
            .iter()
            .find(|(_, known, _)| *known == self)
            .map_or("", |(.., description)| description)
    }
}

impl InputRules {
    /// Validates a value. Messages do not contain the value, which can be a secret.
    fn check(&self, value: &Tree) -> Result<(), Problem> {
        if self.value_type == Some(Type::Exclusions) {
            return parse_exclusions(value).map(|_| ());
        }
        if let Some(expected) = self
            .value_type
            .filter(|expected| Type::from_value(value) != Some(*expected))
        {
            let help = match (expected, value) {
                (Type::List, _) => "write it as a list: `[…]`",
                (Type::Text, Tree::Int(_) | Tree::Float(_) | Tree::Bool(_)) => "write it in quotes",
                _ => "change the value or the `type` of the input",
            };
            let message = format!(
                "it must be {}, not {}",
                expected.description(),
                value.describe()
            );
            return Err(Problem::new(message, help));
        }
        let Some(pattern) = &self.pattern else {
            return Ok(());
        };
        let whole = Pattern::new(&format!(r"\A(?:{pattern})\z")).map_err(|error| {
            Problem::new(
                error.to_string(),
                "see the page Checks of the documentation",
            )
        })?;
        for text in value.items().iter().filter_map(Tree::scalar_text) {
            if !whole
                .is_match(text.as_bytes())
                .map_err(|error| Problem::new(error.to_string(), "use a simpler pattern"))?
            {
                return Err(Problem::new(
                    format!("does not match `{pattern}`"),
                    "the pattern must match the whole value",
                ));
            }
        }
        Ok(())
    }
}

/// Typed value of a profile, which can depend on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Values with their conditions. The first match is used. With `default`, the last value has no
    /// condition.
    pub choices: Vec<(Option<String>, Tree)>,
    /// True to omit the value from reports.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// Rules for values; not part of the JSON.
    #[serde(skip)]
    pub rules: InputRules,
}

impl Input {
    /// Returns the input with this value for all targets.
    ///
    /// # Errors
    /// Returns a problem if the value violates the rules of the input.
    pub fn with_value(&self, value: &Tree) -> Result<Self, Problem> {
        self.rules.check(value)?;
        Ok(Self {
            choices: vec![(None, value.clone())],
            ..self.clone()
        })
    }
}

/// Returns the problem for an unknown input; suggests one of `inputs`.
#[must_use]
pub fn unknown_input(name: &str, inputs: &BTreeMap<String, Input>) -> Problem {
    let help = match bakeline_diagnostic::nearest(name, inputs.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "declare it under `inputs:`".to_owned(),
    };
    Problem::new(format!("unknown input `{name}`"), help)
}

/// Parses a map of inputs. Returns the valid inputs and the problems of the others.
#[must_use]
pub fn parse_inputs(map: &Tree) -> (BTreeMap<String, Input>, Vec<Problem>) {
    let (mut out, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, written) in map.entries() {
        match parse_input(name, written) {
            Ok(input) => {
                out.insert(name.clone(), input);
            }
            Err(problem) => problems.push(problem.under(name)),
        }
    }
    (out, problems)
}

fn parse_input(name: &str, written: &Tree) -> Result<Input, Problem> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("`{}` is not a valid name of an input", name.escape_debug());
        return Err(Problem::new(message, "use letters, digits and `_`").at_key());
    }
    let mut choices = parse_by_os(written.get("by_os"));
    if let Some(versions) = written.get("by_version") {
        choices.extend(parse_by_version(versions).map_err(|problem| problem.under("by_version"))?);
    }
    for (condition, _) in &choices {
        check_condition(condition.as_deref().unwrap_or_default())?;
    }
    choices.extend(written.get("default").map(|value| (None, value.clone())));
    let rules = parse_rules(written, &choices)?;
    check_values(written, &rules)?;
    if choices.is_empty() && !rules.required {
        return Err(Problem::new(
            format!("the input `{name}` has no value"),
            "add a `default` or `required: true`",
        ));
    }
    let sensitive = written.get("sensitive") == Some(&Tree::Bool(true));
    Ok(Input {
        choices,
        sensitive,
        rules,
    })
}

/// Validates the condition of a choice, which can use only facts.
fn check_condition(text: &str) -> Result<(), Problem> {
    let problem = |reason: String| {
        Problem::new(
            format!("`{text}` is not a valid condition: {reason}"),
            "see the page Checks of the documentation",
        )
    };
    let condition = grammar::parse(text).map_err(|error| problem(error.to_string()))?;
    let (mut inputs, mut variables) = (Vec::new(), Vec::new());
    condition.collect_names(&mut inputs, &mut variables);
    match inputs.first().or(variables.first()) {
        Some(name) => Err(problem(format!("`{name}` is not a fact"))),
        None => Ok(()),
    }
}

/// Validates the default and the values by operating system or version.
fn check_values(written: &Tree, rules: &InputRules) -> Result<(), Problem> {
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
    Ok(())
}

/// Parses the rules; the type defaults to the type of the first value.
fn parse_rules(written: &Tree, choices: &[(Option<String>, Tree)]) -> Result<InputRules, Problem> {
    let named = written.get("type").and_then(Tree::text);
    let value_type = named
        .and_then(|name| TYPES.iter().find(|(word, ..)| *word == name))
        .map(|(_, value_type, _)| *value_type)
        .or_else(|| {
            choices
                .first()
                .and_then(|(_, value)| Type::from_value(value))
        });
    let pattern = written
        .get("pattern")
        .and_then(Tree::text)
        .map(str::to_owned);
    if let Some(pattern) = &pattern {
        let help = "escape special characters with `\\`";
        Pattern::new(pattern)
            .map_err(|error| Problem::new(error.to_string(), help).under("pattern"))?;
    }
    let required = written.get("required") == Some(&Tree::Bool(true));
    if required && !choices.is_empty() {
        let problem = Problem::new(
            "`required` is not allowed for an input with a value",
            "remove `required` or the values",
        );
        return Err(problem.under("required"));
    }
    Ok(InputRules {
        value_type,
        pattern,
        required,
    })
}

/// Converts `by_os` to conditions: names with a version, then names that match `ID`, then names that
/// match `ID_LIKE`.
fn parse_by_os(map: Option<&Tree>) -> Vec<(Option<String>, Tree)> {
    let entries = map.map(Tree::entries).unwrap_or_default();
    let (with, without): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key.contains('-'));
    let family = |key: &str| format!("\"{key}\" in os.family");
    // `os.family` includes `ID`. With several names, an exact comparison lets `ID` win. A single name
    // needs none.
    let exact: &[&(String, Tree)] = if without.len() > 1 { &without } else { &[] };
    let choice = |condition: String, value: &Tree| (Some(condition), value.clone());
    let versions = with
        .iter()
        .map(|(key, value)| choice(version_condition(key), value));
    let names = exact
        .iter()
        .map(|(key, value)| choice(format!("os.name == \"{key}\""), value));
    let families = without
        .iter()
        .map(|(key, value)| choice(family(key), value));
    versions.chain(names).chain(families).collect()
}

/// Returns the condition of a name with a version. A major version includes its minor versions.
fn version_condition(key: &str) -> String {
    let (name, version) = key.rsplit_once('-').unwrap_or((key, ""));
    match version
        .parse::<u32>()
        .ok()
        .and_then(|major| major.checked_add(1))
    {
        Some(next) => format!(
            "os.name == \"{name}\" and os.version >= \"{version}\" and os.version < \"{next}\""
        ),
        None => format!("os.name == \"{name}\" and os.version == \"{version}\""),
    }
}

/// Converts `by_version` to conditions, in the order of the file.
fn parse_by_version(map: &Tree) -> Result<Vec<(Option<String>, Tree)>, Problem> {
    let of: Vec<&str> = map
        .get("of")
        .map(Tree::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Tree::text)
        .collect();
    if of.is_empty() {
        return Err(Problem::new(
            "the key `of` is missing",
            "name the version, such as `of: package(\"openssh-server\").version`",
        ));
    }
    let mut out = Vec::new();
    for (key, value) in map.entries().iter().filter(|(key, _)| key != "of") {
        let operator = [">=", "<=", "==", "!=", ">", "<"]
            .into_iter()
            .find(|o| key.starts_with(o));
        let Some(operator) = operator else {
            let message = format!(
                "`{}` is not a comparison with a version",
                key.escape_debug()
            );
            return Err(
                Problem::new(message, "write a comparison such as \">=9.2\"")
                    .at_key()
                    .under(key),
            );
        };
        let version = key[operator.len()..].trim();
        if operator == "!=" && of.len() > 1 {
            let message = "`!=` cannot be used with several versions in `of`";
            return Err(Problem::new(message, "use `<` and `>`").at_key().under(key));
        }
        let conditions: Vec<String> = of
            .iter()
            .map(|of| format!("{of} {operator} \"{version}\""))
            .collect();
        out.push((Some(conditions.join(" or ")), value.clone()));
    }
    Ok(out)
}
