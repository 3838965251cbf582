//! Defines the tree of a YAML text: keys and values with their byte ranges.

use std::ops::Range;

/// Byte range of a text.
pub(crate) type ByteRange = Range<usize>;

/// Value with its byte range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: ByteRange,
    pub(crate) value: Value,
    /// Number of nodes, including this one.
    pub(crate) size: usize,
    /// Depth of the tree. 1 for a scalar.
    pub(crate) depth: usize,
}

/// Key of a map with its byte range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: ByteRange,
}

/// Value of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Scalar { text: String, kind: Scalar },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// Type of a scalar in the core schema of YAML 1.2. Quoted and block scalars are always text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    /// Digits, also if they are out of range or have a leading zero. YAML 1.1 would read those as
    /// octal.
    Integer,
    Float,
    Text,
}

impl Node {
    /// Creates a node and computes its size and depth.
    pub(crate) fn new(span: ByteRange, value: Value) -> Self {
        let (size, depth) = match &value {
            Value::Scalar { .. } => (1, 1),
            Value::List(items) => total_size_and_depth(items.iter()),
            Value::Map(entries) => total_size_and_depth(entries.iter().map(|(_, node)| node)),
        };
        Self {
            span,
            value,
            size,
            depth,
        }
    }

    /// Returns the entries of a map. Empty for other values.
    pub(crate) fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the entries of a map by value. Empty for other values.
    pub(crate) fn into_entries(self) -> Vec<(Key, Self)> {
        match self.value {
            Value::Map(entries) => entries,
            _ => Vec::new(),
        }
    }

    /// Returns a copy in which all nodes and keys have one byte range.
    pub(crate) fn moved_to(&self, span: &ByteRange) -> Self {
        let value = match &self.value {
            Value::Scalar { text, kind } => Value::Scalar {
                text: text.clone(),
                kind: *kind,
            },
            Value::List(items) => Value::List(items.iter().map(|n| n.moved_to(span)).collect()),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, node)| {
                        let (text, span_of_key) = (key.text.clone(), span.clone());
                        let key = Key {
                            text,
                            span: span_of_key,
                        };
                        (key, node.moved_to(span))
                    })
                    .collect(),
            ),
        };
        Self {
            span: span.clone(),
            value,
            ..*self
        }
    }

    /// Returns true if the value is empty or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(
            self.value,
            Value::Scalar {
                kind: Scalar::Null,
                ..
            }
        )
    }

    /// Returns the value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|(k, _)| k.text == key)
            .map(|(_, node)| node)
    }

    /// Removes a key of a map and returns its value.
    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        let at = entries.iter().position(|(k, _)| k.text == key)?;
        Some(entries.remove(at).1)
    }

    /// Calls `visit` for each scalar below, including keys.
    pub(crate) fn visit_scalars(&self, visit: &mut dyn FnMut(&str, &ByteRange)) {
        match &self.value {
            Value::Scalar { text, .. } => visit(text, &self.span),
            Value::List(items) => items.iter().for_each(|n| n.visit_scalars(visit)),
            Value::Map(entries) => {
                for (key, node) in entries {
                    visit(&key.text, &key.span);
                    node.visit_scalars(visit);
                }
            }
        }
    }

    /// Describes the value for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Scalar { text, kind } => match kind {
                Scalar::Null => "nothing".to_owned(),
                Scalar::Bool(_) => format!("the boolean `{text}`"),
                Scalar::Integer | Scalar::Float => format!("the number `{text}`"),
                Scalar::Text => "text".to_owned(),
            },
        }
    }
}

fn total_size_and_depth<'a>(children: impl Iterator<Item = &'a Node>) -> (usize, usize) {
    children.fold((1, 1), |(size, depth), n| {
        (size + n.size, depth.max(n.depth + 1))
    })
}

/// Returns the type of a plain scalar: YAML 1.2.2, section 10.3.2, with leading zeros kept as
/// integers.
pub(crate) fn scalar_kind(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let radix = |prefix: &str, is_digit: fn(u8) -> bool| {
        text.strip_prefix(prefix)
            .is_some_and(|d| !d.is_empty() && d.bytes().all(is_digit))
    };
    if digits(unsigned)
        || radix("0x", |b| b.is_ascii_hexdigit())
        || radix("0o", |b| (b'0'..=b'7').contains(&b))
    {
        return Scalar::Integer;
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Scalar::Float;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa
        .split_once('.')
        .map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let is_number = match fraction {
        None => digits(whole),
        Some("") => digits(whole),
        Some(f) => digits(f) && (whole.is_empty() || digits(whole)),
    };
    if is_number && exponent.is_none_or(digits) {
        Scalar::Float
    } else {
        Scalar::Text
    }
}

#[cfg(test)]
mod tests {
    use super::{Scalar, scalar_kind};

    #[test]
    fn plain_scalars_follow_core_schema() {
        for (text, kind) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("true", Scalar::Bool(true)),
            ("no", Scalar::Text),
            ("on", Scalar::Text),
            ("12", Scalar::Integer),
            ("0644", Scalar::Integer),
            ("0x1F", Scalar::Integer),
            ("0o17", Scalar::Integer),
            ("-3", Scalar::Integer),
            ("1_000", Scalar::Text),
            ("1.", Scalar::Float),
            (".5", Scalar::Float),
            ("1.10", Scalar::Float),
            ("1e3", Scalar::Float),
            ("-.inf", Scalar::Float),
            (".", Scalar::Text),
            ("e3", Scalar::Text),
            ("1.2.3", Scalar::Text),
            ("12:30", Scalar::Text),
            ("debian", Scalar::Text),
        ] {
            assert_eq!(scalar_kind(text), kind, "{text}");
        }
    }
}
