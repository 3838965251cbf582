//! Reads configuration files in the usual formats into settings by name, bounded in depth and number.

use std::collections::BTreeMap;

use crate::matcher::pattern;
use crate::matcher::tree::Tree;
use crate::text::brief;

/// The formats, in the words of the `format` parameter.
pub(crate) const FORMATS: &[&str] = &["key_value", "space", "ini", "json", "yaml", "toml"];

/// Values by name: several where a name is there several times, or a list of plain values.
pub(crate) type Settings = BTreeMap<String, Vec<String>>;

/// How deep maps and lists may be within each other.
const DEEPEST: usize = 64;
/// How many values a file may have.
const MOST: usize = 100_000;

/// The settings of a text.
///
/// # Errors
/// The line where it is not in its format.
pub(crate) fn parse(
    format: &str,
    comment: &str,
    assignment: &str,
    text: &str,
) -> Result<Settings, String> {
    match format {
        "json" => json(text),
        "yaml" => yaml(text),
        "toml" => toml(text),
        _ if !assignment.is_empty() => matching(comment, assignment, text),
        _ => lines(format, comment, text),
    }
}

fn put(out: &mut Settings, name: &str, value: &str) {
    out.entry(name.to_owned())
        .or_default()
        .push(value.to_owned());
}

/// The lines that say something, trimmed, with their numbers.
fn telling<'t>(comment: &str, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let all = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()));
    all.filter(move |(_, line)| !line.is_empty() && !line.starts_with(|c| comment.contains(c)))
}

fn lines(format: &str, comment: &str, text: &str) -> Result<Settings, String> {
    let (mut out, mut section) = (Settings::new(), String::new());
    for (number, line) in telling(comment, text) {
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
                plain.split_once('=').ok_or_else(|| {
                    format!("line {number}: there is no `=`: {}", brief(line.as_bytes()))
                })?
            }
        };
        if name.trim().is_empty() {
            return Err(format!(
                "line {number}: there is no name: {}",
                brief(line.as_bytes())
            ));
        }
        put(
            &mut out,
            &format!("{section}{}", name.trim()),
            unquoted(value.trim(), comment),
        );
    }
    Ok(out)
}

/// What is in quotes, where nothing but a comment follows them; else all of it.
fn unquoted<'t>(value: &'t str, comment: &str) -> &'t str {
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

fn matching(comment: &str, assignment: &str, text: &str) -> Result<Settings, String> {
    let (regex, mut out) = (pattern::plain(assignment)?, Settings::new());
    for (_, line) in telling(comment, text) {
        let Some(found) = regex.captures(line.as_bytes()) else {
            continue;
        };
        let group = |n| {
            found
                .get(n)
                .map(|m| String::from_utf8_lossy(m.as_bytes()).trim().to_owned())
                .unwrap_or_default()
        };
        put(&mut out, &group(1), &group(2));
    }
    Ok(out)
}

/// serde_json itself goes no deeper than 128.
fn json(text: &str) -> Result<Settings, String> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))?;
    flat(&Node::from(value))
}

/// serde-saphyr bounds depth, aliases and the number of nodes.
fn yaml(text: &str) -> Result<Settings, String> {
    if text.trim().is_empty() {
        return Ok(Settings::new());
    }
    let tree: Tree = serde_saphyr::from_str(text)
        .map_err(|e| format!("it is no YAML: {}", first_line(&e.to_string())))?;
    flat(&Node::from(tree))
}

/// toml itself bounds depth.
fn toml(text: &str) -> Result<Settings, String> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(0, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        format!("it is no TOML: line {line}: {}", first_line(e.message()))
    })?;
    flat(&Node::from(toml::Value::Table(table)))
}

fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    brief(line.strip_prefix("error: ").unwrap_or(line).as_bytes())
}

/// What the three formats have in common.
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

fn flat(node: &Node) -> Result<Settings, String> {
    let (mut out, mut left) = (Settings::new(), MOST);
    spread(node, "", DEEPEST, &mut left, &mut out)?;
    Ok(out)
}

fn spread(
    node: &Node,
    name: &str,
    depth: usize,
    left: &mut usize,
    out: &mut Settings,
) -> Result<(), String> {
    if depth == 0 {
        return Err(format!(
            "{}: it is more than {DEEPEST} levels deep",
            brief(name.as_bytes())
        ));
    }
    *left = left
        .checked_sub(1)
        .ok_or_else(|| format!("it has more than {MOST} values"))?;
    let under = |part: &str| {
        if name.is_empty() {
            part.to_owned()
        } else {
            format!("{name}.{part}")
        }
    };
    match node {
        Node::Nothing => {}
        Node::Value(value) => put(out, name, value),
        Node::Map(entries) => {
            for (key, node) in entries {
                spread(node, &under(key), depth - 1, left, out)?;
            }
        }
        Node::List(items) => {
            // Also of an empty list it is known that there is nothing in it.
            let values = out.entry(name.to_owned()).or_default();
            for item in items {
                if let Node::Value(value) = item {
                    values.push(value.clone());
                }
            }
            for (i, item) in items.iter().enumerate() {
                spread(item, &under(&i.to_string()), depth - 1, left, out)?;
            }
        }
    }
    Ok(())
}
