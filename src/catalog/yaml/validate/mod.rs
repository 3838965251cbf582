//! Validates a tree against a JSON Schema. Reports all wrong keys and types, and removes invalid
//! values.
//!
//! The schemas are derived from the types in `raw`, so that editors, this validation and the
//! deserialization agree. Patterns and lengths are not checked here, because the later checks
//! report them with more detail.

mod alternatives;
pub(crate) mod helps;
mod limits;

use serde_json::{Map, Value as Json};

use crate::catalog::codes;
use crate::catalog::yaml::node::{ByteRange, Key, Node, Scalar, Value};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::diagnostic::nearest;
use alternatives::AlternativesCache;

/// Reports and removes everything in `node` that does not conform to `schema`. Returns false if no
/// usable value is left.
pub(crate) fn validate(
    schema: &Json,
    node: &mut Node,
    source: &SourceFile<'_>,
    diagnostics: &mut Diagnostics,
) -> bool {
    SchemaValidator {
        root: schema,
        source,
        diagnostics,
        cache: &AlternativesCache::default(),
    }
    .validate_node(schema, node, "the file", None)
}

/// Returns true if an unknown key of the map probably means `key`. Its own error is enough.
fn is_misspelled(key: &str, node: &Node, known: Option<&Map<String, Json>>) -> bool {
    let Some(known) = known else { return false };
    let words = || current_keys(known);
    let mut unknown = node
        .entries()
        .iter()
        .filter(|(one, _)| known.get(&one.text).is_none());
    unknown.any(|(one, _)| helps::suggested_key(&one.text, words()) == Some(key))
}

struct SchemaValidator<'a, 'b> {
    root: &'a Json,
    source: &'a SourceFile<'a>,
    diagnostics: &'b mut Diagnostics,
    cache: &'b AlternativesCache<'a>,
}

impl<'a> SchemaValidator<'a, '_> {
    /// Resolves references to a schema.
    fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        for _ in 0..16 {
            let next = match (
                schema.get("$ref").and_then(Json::as_str),
                schema.get("allOf").and_then(Json::as_array),
            ) {
                (Some(path), _) => path.strip_prefix('#').and_then(|p| self.root.pointer(p)),
                (None, Some(all)) if all.len() == 1 => all.first(),
                _ => None,
            };
            match next {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn error(
        &mut self,
        code: &'static str,
        span: ByteRange,
        message: impl Into<String>,
    ) -> crate::catalog::yaml::source::DiagnosticBuilder<'_> {
        self.diagnostics
            .error(code, self.source.span(span), message)
    }

    /// Validates a value. `what` describes it in messages, and `key` is the range of its key.
    fn validate_node(
        &mut self,
        schema: &'a Json,
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let schema = self.resolve(schema);
        let Some(rules) = schema.as_object() else {
            return true;
        };
        if !rules.contains_key("properties") {
            for word in ["oneOf", "anyOf"] {
                if let Some(options) = rules.get(word).and_then(Json::as_array) {
                    return self.validate_alternatives(options, node, what, key);
                }
            }
        }
        if rules.contains_key("enum") || rules.contains_key("const") {
            return self.validate_word(&allowed_words(schema), node, what, key);
        }
        let Some(types) = allowed_types(rules, node) else {
            return true;
        };
        if !types.iter().any(|t| is_type(node, t)) {
            let help = helps::help_for_wrong_type(rules, &types, node, what);
            self.report_wrong_type(&types, node, what, key)
                .help_if_known(help);
            return false;
        }
        match &mut node.value {
            Value::Map(_) => {
                self.validate_key_count(rules, node, what, key) && self.validate_map(rules, node)
            }
            Value::List(_) => self.validate_list(rules, node, what, key),
            Value::Scalar {
                text,
                kind: Scalar::Integer,
            } if types.contains(&"integer") => self.validate_integer(rules, text, &node.span, what),
            Value::Scalar {
                text,
                kind: Scalar::Integer | Scalar::Float,
            } if types.contains(&"number") => self.validate_number(rules, text, &node.span, what),
            Value::Scalar { .. } => true,
        }
    }

    fn validate_map(&mut self, rules: &'a Map<String, Json>, node: &mut Node) -> bool {
        let none = Map::new();
        let known = rules.get("properties").and_then(Json::as_object);
        let start = node.span.start;
        for key in required_keys(rules)
            .into_iter()
            .filter(|key| node.get(key).is_none() && !is_misspelled(key, node, known))
        {
            self.error(
                codes::MISSING_KEY,
                start..start,
                format!("the key `{key}` is missing"),
            )
            .help(format!("add `{key}: …`"));
        }
        let Value::Map(entries) = &mut node.value else {
            return true;
        };
        entries.retain_mut(|(key, value)| {
            let property = known
                .and_then(|k| k.get(&key.text))
                .or_else(|| rules.get("additionalProperties"));
            match property {
                None | Some(Json::Bool(true)) => true,
                Some(Json::Bool(false)) => {
                    self.report_unknown_key(key, current_keys(known.unwrap_or(&none)));
                    false
                }
                Some(schema) => self.validate_node(
                    schema,
                    value,
                    &format!("`{}`", crate::catalog::checker::quote_text(&key.text)),
                    Some(&key.span),
                ),
            }
        });
        true
    }

    fn report_unknown_key<'k>(&mut self, key: &Key, known: impl Iterator<Item = &'k str> + Clone) {
        let help = helps::help_for_key(&key.text, known.clone())
            .unwrap_or_else(|| format!("known keys: {}", quote_list(known)));
        let name = crate::catalog::checker::quote_text(&key.text);
        let message = format!("unknown key `{name}`");
        self.error(codes::UNKNOWN_KEY, key.span.clone(), message)
            .help(help);
    }

    fn validate_list(
        &mut self,
        rules: &'a Map<String, Json>,
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let Value::List(items) = &mut node.value else {
            return true;
        };
        if items.is_empty()
            && rules
                .get("minItems")
                .and_then(Json::as_u64)
                .is_some_and(|n| n > 0)
        {
            let span = key.unwrap_or(&node.span).clone();
            self.error(codes::WRONG_TYPE, span, format!("{what} is empty"))
                .help("add at least one entry");
            return false;
        }
        if let Some(schema) = rules.get("items") {
            let what = format!("an entry of {what}");
            items.retain_mut(|item| self.validate_node(schema, item, &what, None));
        }
        true
    }

    fn report_wrong_type(
        &mut self,
        types: &[&str],
        node: &Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> crate::catalog::yaml::source::DiagnosticBuilder<'_> {
        let span = report_range(node, key);
        let expected = types
            .iter()
            .map(|t| type_name(t))
            .collect::<Vec<_>>()
            .join(" or ");
        if matches!(
            node.value,
            Value::Scalar {
                kind: Scalar::Null,
                ..
            }
        ) {
            return self
                .error(codes::WRONG_TYPE, span, format!("{what} has no value"))
                .help(format!("set {expected}, or remove the key"));
        }
        let help = match &node.value {
            Value::Scalar {
                text,
                kind: Scalar::Bool(_) | Scalar::Integer | Scalar::Float,
            } if types.contains(&"string") => {
                format!("quote it: \"{text}\"")
            }
            Value::Scalar {
                text,
                kind: Scalar::Text,
            } if types.contains(&"boolean") && yes_or_no(text).is_some() => {
                format!("write {}", yes_or_no(text).unwrap_or(true))
            }
            Value::Scalar { .. } if types.contains(&"array") => {
                "write it as a list: `- …`".to_owned()
            }
            _ => format!("write {expected}"),
        };
        self.error(
            codes::WRONG_TYPE,
            span,
            format!("{what} must be {expected}, not {}", node.describe()),
        )
        .help(help)
    }

    fn validate_word(
        &mut self,
        words: &[&str],
        node: &Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let Value::Scalar {
            text,
            kind: Scalar::Text,
        } = &node.value
        else {
            self.report_wrong_type(&["string"], node, what, key);
            return false;
        };
        if words.contains(&text.as_str()) {
            return true;
        }
        let near = nearest(text, words.iter().copied());
        let help = match (helps::help_for_synonym(text, words), near) {
            (Some(help), _) => help,
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("use {}", quote_list(words.iter().copied())),
        };
        let message = format!(
            "{what} cannot be `{}`",
            crate::catalog::checker::quote_text(text)
        );
        self.error(codes::UNKNOWN_VALUE, node.span.clone(), message)
            .help(help);
        false
    }
}

/// Returns the range to report for a value: that of a scalar, or that of the key for a collection
/// or an empty value.
fn report_range(node: &Node, key: Option<&ByteRange>) -> ByteRange {
    match (&node.value, key) {
        (Value::Scalar { .. }, _) if !node.span.is_empty() => node.span.clone(),
        (_, Some(key)) => key.clone(),
        (Value::Scalar { .. }, None) => node.span.clone(),
        _ => node.span.start..node.span.start,
    }
}

fn required_keys(rules: &Map<String, Json>) -> Vec<&str> {
    rules
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

fn allowed_words(schema: &Json) -> Vec<&str> {
    let one = schema.get("const").and_then(Json::as_str);
    let many = schema
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str);
    one.into_iter().chain(many).collect()
}

/// Returns the types that a value may have. A text with a placeholder is valid for any type.
fn allowed_types<'r>(rules: &'r Map<String, Json>, node: &Node) -> Option<Vec<&'r str>> {
    let mut types: Vec<&str> = match rules.get("type")? {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => return None,
    };
    if rules.get("pattern").and_then(Json::as_str)
        == Some(crate::catalog::schema::PLACEHOLDER_PATTERN)
    {
        let is_placeholder = match &node.value {
            Value::Scalar {
                text,
                kind: Scalar::Text,
            } => text.starts_with('$'),
            _ => false,
        };
        types.retain(|t| is_placeholder || *t != "string");
    }
    Some(types)
}

fn is_type(node: &Node, wanted: &str) -> bool {
    match (&node.value, wanted) {
        (Value::Map(_), "object") | (Value::List(_), "array") => true,
        (Value::Scalar { kind, .. }, _) => matches!(
            (kind, wanted),
            (Scalar::Text, "string")
                | (Scalar::Bool(_), "boolean")
                | (Scalar::Null, "null")
                | (Scalar::Integer, "integer" | "number")
                | (Scalar::Float, "number")
        ),
        _ => false,
    }
}

fn type_name(name: &str) -> &'static str {
    match name {
        "object" => "a map",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "nothing",
    }
}

/// Returns the boolean that YAML 1.1 would read.
fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "true" => Some(true),
        "no" | "off" | "n" | "false" => Some(false),
        _ => None,
    }
}

/// Returns the keys for messages: all except deprecated synonyms.
fn current_keys(known: &Map<String, Json>) -> impl Iterator<Item = &str> + Clone {
    known
        .iter()
        .filter(|(_, rule)| rule.get("deprecated").is_none())
        .map(|(key, _)| key.as_str())
}

fn quote_list<'k>(words: impl Iterator<Item = &'k str>) -> String {
    words
        .map(|w| format!("`{w}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
