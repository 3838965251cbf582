//! Parses configuration files in common formats into settings. Depth and number of values are
//! limited.

use std::collections::BTreeMap;

use crate::facts::error::ReadError;
use crate::matcher::pattern::{self, PatternError};
use crate::matcher::tree::Tree;
use crate::text::truncate_for_display;

/// Values of the `format` parameter.
pub(crate) const FORMATS: &[&str] = &["key_value", "space", "ini", "json", "yaml", "toml"];

/// Values by name. A name that occurs several times, and a list of plain values, has several.
pub(crate) type Settings = BTreeMap<String, Vec<String>>;

/// Maximum nesting of maps and lists.
const MAX_DEPTH: usize = 64;
/// Maximum number of values in a file.
const MAX_VALUES: usize = 100_000;

/// Reason why a file is not in its format.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("line {number}: missing {missing}: {line}")]
    Line {
        number: usize,
        /// Missing part.
        missing: &'static str,
        /// Shortened line.
        line: String,
    },
    /// Invalid regular expression in the parameter `assignment`.
    #[error(transparent)]
    Assignment(#[from] PatternError),
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// First line of the message of the parser.
    #[error("not valid YAML: {0}")]
    Yaml(String),
    #[error("not valid TOML: line {line}: {message}")]
    Toml { line: usize, message: String },
    /// Name of a setting with too many levels.
    #[error("{0}: nested more than {MAX_DEPTH} levels deep")]
    TooDeep(String),
    #[error("more than {MAX_VALUES} values")]
    TooManyValues,
}

impl FormatError {
    fn in_line(number: usize, line: &str, missing: &'static str) -> Self {
        Self::Line {
            number,
            missing,
            line: truncate_for_display(line.as_bytes()),
        }
    }
}

impl From<FormatError> for ReadError {
    fn from(error: FormatError) -> Self {
        Self::invalid(error)
    }
}

/// Parses the settings of a text.
///
/// # Errors
/// Returns the line that is not in the format.
pub(crate) fn parse(
    format: &str,
    comment: &str,
    assignment: &str,
    text: &str,
) -> Result<Settings, FormatError> {
    match format {
        "json" => parse_json(text),
        "yaml" => parse_yaml(text),
        "toml" => parse_toml(text),
        _ if !assignment.is_empty() => parse_matches(comment, assignment, text),
        _ => parse_lines(format, comment, text),
    }
}

fn add_value(out: &mut Settings, name: &str, value: &str) {
    out.entry(name.to_owned())
        .or_default()
        .push(value.to_owned());
}

/// Returns trimmed lines with their numbers, without comments and empty lines.
fn significant_lines<'t>(comment: &str, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let all = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()));
    all.filter(move |(_, line)| !line.is_empty() && !line.starts_with(|c| comment.contains(c)))
}

fn parse_lines(format: &str, comment: &str, text: &str) -> Result<Settings, FormatError> {
    let (mut out, mut section) = (Settings::new(), String::new());
    for (number, line) in significant_lines(comment, text) {
        let inside = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        if let (Some(name), "ini") = (inside, format) {
            section = format!("{}.", name.trim());
            continue;
        }
        let (name, value) = match format {
            "space" => line.split_once(char::is_whitespace).unwrap_or((line, "")),
            "ini" => line.split_once(['=', ':']).unwrap_or((line, "")),
            _ => {
                let plain = line.strip_prefix("export ").unwrap_or(line);
                plain
                    .split_once('=')
                    .ok_or_else(|| FormatError::in_line(number, line, "`=`"))?
            }
        };
        if name.trim().is_empty() {
            return Err(FormatError::in_line(number, line, "name"));
        }
        add_value(
            &mut out,
            &format!("{section}{}", name.trim()),
            unquote(value.trim(), comment),
        );
    }
    Ok(out)
}

/// Returns the text in quotes if only a comment follows, else the complete value.
fn unquote<'t>(value: &'t str, comment: &str) -> &'t str {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return value;
    };
    match value[1..].split_once(quote) {
        Some((inside, rest))
            if rest.trim().is_empty() || rest.trim().starts_with(|c| comment.contains(c)) =>
        {
            inside
        }
        _ => value,
    }
}

fn parse_matches(comment: &str, assignment: &str, text: &str) -> Result<Settings, FormatError> {
    let regex = pattern::plain(assignment)?;
    let mut out = Settings::new();
    for (_, line) in significant_lines(comment, text) {
        let Some(found) = regex.captures(line.as_bytes()) else {
            continue;
        };
        let group = |n| {
            found
                .get(n)
                .map(|m| String::from_utf8_lossy(m.as_bytes()).trim().to_owned())
                .unwrap_or_default()
        };
        add_value(&mut out, &group(1), &group(2));
    }
    Ok(out)
}

/// Parses JSON. serde_json allows at most 128 levels.
fn parse_json(text: &str) -> Result<Settings, FormatError> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    flatten(&Node::from(value))
}

/// Parses YAML. serde-saphyr limits depth, aliases and the number of nodes.
fn parse_yaml(text: &str) -> Result<Settings, FormatError> {
    if text.trim().is_empty() {
        return Ok(Settings::new());
    }
    let tree: Tree =
        serde_saphyr::from_str(text).map_err(|e| FormatError::Yaml(first_line(&e.to_string())))?;
    flatten(&Node::from(tree))
}

/// Parses TOML. The toml crate limits the depth.
fn parse_toml(text: &str) -> Result<Settings, FormatError> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(0, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        FormatError::Toml {
            line,
            message: first_line(e.message()),
        }
    })?;
    flatten(&Node::from(toml::Value::Table(table)))
}

fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    truncate_for_display(line.strip_prefix("error: ").unwrap_or(line).as_bytes())
}

/// Common value type of JSON, YAML and TOML.
enum Node {
    Nothing,
    Value(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(v) => Self::Value(v.to_string()),
            Value::Number(v) => Self::Value(v.to_string()),
            Value::String(v) => Self::Value(v),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => {
                Self::Map(map.into_iter().map(|(k, v)| (k, Self::from(v))).collect())
            }
        }
    }
}

impl From<Tree> for Node {
    fn from(tree: Tree) -> Self {
        match tree {
            Tree::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Tree::Map(entries) => Self::Map(
                entries
                    .into_iter()
                    .map(|(k, v)| (k, Self::from(v)))
                    .collect(),
            ),
            plain => plain.scalar_text().map_or(Self::Nothing, Self::Value),
        }
    }
}

impl From<toml::Value> for Node {
    fn from(value: toml::Value) -> Self {
        use toml::Value;
        match value {
            Value::String(v) => Self::Value(v),
            Value::Integer(v) => Self::Value(v.to_string()),
            Value::Float(v) => Self::Value(v.to_string()),
            Value::Boolean(v) => Self::Value(v.to_string()),
            Value::Datetime(v) => Self::Value(v.to_string()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Table(table) => {
                Self::Map(table.into_iter().map(|(k, v)| (k, Self::from(v))).collect())
            }
        }
    }
}

fn flatten(node: &Node) -> Result<Settings, FormatError> {
    let (mut out, mut left) = (Settings::new(), MAX_VALUES);
    add_node(node, "", MAX_DEPTH, &mut left, &mut out)?;
    Ok(out)
}

fn add_node(
    node: &Node,
    name: &str,
    depth: usize,
    left: &mut usize,
    out: &mut Settings,
) -> Result<(), FormatError> {
    if depth == 0 {
        return Err(FormatError::TooDeep(truncate_for_display(name.as_bytes())));
    }
    *left = left.checked_sub(1).ok_or(FormatError::TooManyValues)?;
    let under = |part: &str| {
        if name.is_empty() {
            part.to_owned()
        } else {
            format!("{name}.{part}")
        }
    };
    match node {
        Node::Nothing => {}
        Node::Value(value) => add_value(out, name, value),
        Node::Map(entries) => {
            for (key, node) in entries {
                add_node(node, &under(key), depth - 1, left, out)?;
            }
        }
        Node::List(items) => {
            // An empty list is a setting without values.
            let values = out.entry(name.to_owned()).or_default();
            for item in items {
                if let Node::Value(value) = item {
                    values.push(value.clone());
                }
            }
            for (i, item) in items.iter().enumerate() {
                add_node(item, &under(&i.to_string()), depth - 1, left, out)?;
            }
        }
    }
    Ok(())
}
