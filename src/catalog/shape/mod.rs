//! Owns the check of a tree against a JSON Schema: every wrong key and type at once, and the rest of the tree kept usable.
//!
//! The schemas come from the raw types, so that what editors accept, what this accepts and what is read are one thing.
//! Patterns and lengths are not looked at here: the typed checks say more about them.

mod alternatives;
mod limits;

use serde_json::{Map, Value as Json};

use super::codes;
use super::node::{Key, Node, Scalar, Span, Value};
use super::source::{Sink, Source};
use crate::diagnostic::nearest;
use alternatives::Choices;

/// Reports everything in `node` that does not fit `schema` and takes it out; false when nothing usable is left.
pub(crate) fn fit(schema: &Json, node: &mut Node, source: &Source<'_>, sink: &mut Sink) -> bool {
    Fitter {
        root: schema,
        source,
        sink,
        choices: &Choices::default(),
    }
    .node(schema, node, "the file", None)
}

struct Fitter<'a, 'b> {
    root: &'a Json,
    source: &'a Source<'a>,
    sink: &'b mut Sink,
    choices: &'b Choices<'a>,
}

impl<'a> Fitter<'a, '_> {
    /// Follows references to the schema that says something.
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
        span: Span,
        message: impl Into<String>,
    ) -> super::source::Last<'_> {
        self.sink.error(code, self.source.place(span), message)
    }

    /// `what` names the value in messages; `key` is where its key is written.
    fn node(&mut self, schema: &'a Json, node: &mut Node, what: &str, key: Option<&Span>) -> bool {
        let schema = self.resolve(schema);
        let Some(rules) = schema.as_object() else {
            return true;
        };
        if !rules.contains_key("properties") {
            for word in ["oneOf", "anyOf"] {
                if let Some(options) = rules.get(word).and_then(Json::as_array) {
                    return self.alternatives(options, node, what, key);
                }
            }
        }
        if rules.contains_key("enum") || rules.contains_key("const") {
            return self.word(&words(schema), node, what, key);
        }
        let Some(types) = types(rules, node) else {
            return true;
        };
        if !types.iter().any(|t| is_type(node, t)) {
            let last = self.wrong_type(&types, node, what, key);
            if let (["object"], Value::Scalar { .. }, [needed, ..]) =
                (&*types, &node.value, &*required(rules))
            {
                last.help(format!("give it a map, such as `{{{needed}: …}}`"));
            }
            return false;
        }
        match &mut node.value {
            Value::Map(_) => self.count(rules, node, what, key) && self.map(rules, node),
            Value::List(_) => self.list(rules, node, what, key),
            Value::Scalar {
                text,
                kind: Scalar::Integer,
            } if types.contains(&"integer") => self.range(rules, text, &node.span, what),
            Value::Scalar {
                text,
                kind: Scalar::Integer | Scalar::Float,
            } if types.contains(&"number") => self.fraction(rules, text, &node.span, what),
            Value::Scalar { .. } => true,
        }
    }

    fn map(&mut self, rules: &'a Map<String, Json>, node: &mut Node) -> bool {
        let none = Map::new();
        let known = rules.get("properties").and_then(Json::as_object);
        let start = node.span.start;
        for key in required(rules)
            .into_iter()
            .filter(|key| node.get(key).is_none())
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
                    self.unknown_key(key, named(known.unwrap_or(&none)));
                    false
                }
                Some(schema) => self.node(
                    schema,
                    value,
                    &format!("`{}`", super::text::shown(&key.text)),
                    Some(&key.span),
                ),
            }
        });
        true
    }

    fn unknown_key<'k>(&mut self, key: &Key, known: impl Iterator<Item = &'k str> + Clone) {
        let help = match nearest(&key.text, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", listed(known)),
        };
        let message = format!(
            "the key `{}` is not known here",
            super::text::shown(&key.text)
        );
        self.error(codes::UNKNOWN_KEY, key.span.clone(), message)
            .help(help);
    }

    fn list(
        &mut self,
        rules: &'a Map<String, Json>,
        node: &mut Node,
        what: &str,
        key: Option<&Span>,
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
                .help("give it at least one entry");
            return false;
        }
        if let Some(schema) = rules.get("items") {
            let what = format!("an entry of {what}");
            items.retain_mut(|item| self.node(schema, item, &what, None));
        }
        true
    }

    fn wrong_type(
        &mut self,
        types: &[&str],
        node: &Node,
        what: &str,
        key: Option<&Span>,
    ) -> super::source::Last<'_> {
        let span = place_of(node, key);
        let wanted = types
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
                .help(format!("give it {wanted}, or remove the key"));
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
            _ => format!("give it {wanted}"),
        };
        self.error(
            codes::WRONG_TYPE,
            span,
            format!("{what} must be {wanted}, not {}", node.describe()),
        )
        .help(help)
    }

    fn word(&mut self, words: &[&str], node: &Node, what: &str, key: Option<&Span>) -> bool {
        let Value::Scalar {
            text,
            kind: Scalar::Text,
        } = &node.value
        else {
            self.wrong_type(&["string"], node, what, key);
            return false;
        };
        if words.contains(&text.as_str()) {
            return true;
        }
        let help = match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use {}", listed(words.iter().copied())),
        };
        let message = format!("{what} can't be `{}`", super::text::shown(text));
        self.error(codes::UNKNOWN_VALUE, node.span.clone(), message)
            .help(help);
        false
    }
}

/// Where a value is, or its key when there is nothing to see of the value; a collection is pointed at by its key.
fn place_of(node: &Node, key: Option<&Span>) -> Span {
    match (&node.value, key) {
        (Value::Scalar { .. }, _) if !node.span.is_empty() => node.span.clone(),
        (_, Some(key)) => key.clone(),
        (Value::Scalar { .. }, None) => node.span.clone(),
        _ => node.span.start..node.span.start,
    }
}

fn required(rules: &Map<String, Json>) -> Vec<&str> {
    rules
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

fn words(schema: &Json) -> Vec<&str> {
    let one = schema.get("const").and_then(Json::as_str);
    let many = schema
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str);
    one.into_iter().chain(many).collect()
}

/// The types that a node may have. A text in place of another value is one that stands for what is known later.
fn types<'r>(rules: &'r Map<String, Json>, node: &Node) -> Option<Vec<&'r str>> {
    let mut types: Vec<&str> = match rules.get("type")? {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => return None,
    };
    if rules.get("pattern").and_then(Json::as_str) == Some(super::schema::OPEN) {
        let open = matches!(&node.value, Value::Scalar { text, kind: Scalar::Text } if text.starts_with('$'));
        types.retain(|t| open || *t != "string");
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

/// What YAML 1.1 would have read.
fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "true" => Some(true),
        "no" | "off" | "n" | "false" => Some(false),
        _ => None,
    }
}

/// The keys that are told of: all but those that are there for readers of another language.
fn named(known: &Map<String, Json>) -> impl Iterator<Item = &str> + Clone {
    known
        .iter()
        .filter(|(_, rule)| rule.get("deprecated").is_none())
        .map(|(key, _)| key.as_str())
}

fn listed<'k>(words: impl Iterator<Item = &'k str>) -> String {
    words
        .map(|w| format!("`{w}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
