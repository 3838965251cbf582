//! Describes values and their placeholders in messages.

use crate::catalog::checker::quote_text;
use crate::catalog::yaml::node::{Key, Node, Value};

/// Largest number of characters of a described value.
const MAX_LENGTH: usize = 60;

/// Returns a value as YAML in one line, cut after 60 characters.
pub(super) fn describe_value(node: &Node) -> String {
    let text = flow(node);
    match text.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn flow(node: &Node) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match &node.value {
        Value::Scalar { text, .. } => quote_text(text),
        Value::List(items) => format!("[{}]", join(items.iter().map(flow).collect())),
        Value::Map(entries) => {
            let entry =
                |(key, value): &(Key, Node)| format!("{}: {}", quote_text(&key.text), flow(value));
            format!("{{{}}}", join(entries.iter().map(entry).collect()))
        }
    }
}

/// Returns the placeholder of the first scalar value: `${NAME}`, or `${NAME.KEY}` in a map.
pub(super) fn text_placeholder(path: &str, node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { .. } => Some(format!("${{{path}}}")),
        Value::Map(entries) => entries
            .iter()
            .find_map(|(key, value)| text_placeholder(&format!("{path}.{}", key.text), value)),
        Value::List(_) => None,
    }
}

/// Returns the placeholder of the first scalar value in which two values differ.
pub(super) fn different_value(path: &str, a: &Node, b: &Node) -> Option<String> {
    match (&a.value, &b.value) {
        (Value::Map(entries), Value::Map(_)) => entries.iter().find_map(|(key, a)| {
            different_value(&format!("{path}.{}", key.text), a, b.get(&key.text)?)
        }),
        (Value::Scalar { text: a, .. }, Value::Scalar { text: b, .. }) => {
            (a != b).then(|| format!("${{{path}}}"))
        }
        _ => None,
    }
}
