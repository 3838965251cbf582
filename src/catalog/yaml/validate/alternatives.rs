//! Validates values with alternative schemas: words, externally tagged variants, or plain types.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value as Json;

use super::{SchemaValidator, allowed_types, allowed_words, is_type, quote_list, report_range};
use crate::catalog::codes;
use crate::catalog::yaml::node::{ByteRange, Key, Node, Scalar, Value};
use crate::catalog::yaml::source::Diagnostics;
use crate::diagnostic::nearest;

/// Alternatives of a schema, prepared for validation.
pub(crate) struct Alternatives<'a> {
    options: Vec<&'a Json>,
    /// Variants: maps with one key that names the variant.
    variants: Vec<(&'a str, &'a Json)>,
    words: Vec<&'a str>,
    /// True if all alternatives are variants or words.
    tagged: bool,
    /// Alternatives with a discriminating key.
    discriminated: Vec<(&'a str, &'a Json)>,
}

/// Cache of prepared alternatives, by their position in the schema. Items of a list share one
/// entry.
pub(crate) type AlternativesCache<'a> = RefCell<HashMap<*const Json, Rc<Alternatives<'a>>>>;

impl<'a> SchemaValidator<'a, '_> {
    fn alternatives(&self, options: &'a [Json]) -> Rc<Alternatives<'a>> {
        let mut known = self.cache.borrow_mut();
        Rc::clone(known.entry(options.as_ptr()).or_insert_with(|| {
            let options: Vec<&'a Json> = options.iter().map(|o| self.resolve(o)).collect();
            let variants: Vec<_> = options.iter().filter_map(|o| tagged_variant(o)).collect();
            let tagged = variants.len()
                + options
                    .iter()
                    .filter(|o| !allowed_words(o).is_empty())
                    .count()
                == options.len();
            let all_words = options.iter().flat_map(|o| allowed_words(o)).collect();
            let discriminated = options
                .iter()
                .filter_map(|o| Some((discriminator(o)?, *o)))
                .collect();
            Rc::new(Alternatives {
                options,
                variants,
                words: all_words,
                tagged,
                discriminated,
            })
        }))
    }

    /// Validates a value with one of several schemas.
    pub(crate) fn validate_alternatives(
        &mut self,
        options: &'a [Json],
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let alternatives = self.alternatives(options);
        let options = &alternatives.options;
        if alternatives.tagged {
            return self.validate_tagged_value(
                &alternatives.variants,
                &alternatives.words,
                node,
                what,
                key,
            );
        }
        if alternatives.discriminated.len() == options.len() {
            return self.validate_discriminated_map(&alternatives.discriminated, node, what, key);
        }
        let mut first_attempt: Option<Diagnostics> = None;
        for option in options.iter().copied() {
            let fits = match option
                .as_object()
                .and_then(|rules| allowed_types(rules, node))
            {
                Some(types) => types.iter().any(|t| is_type(node, t)),
                None => !is_enumeration(option) || matches!(node.value, Value::Scalar { .. }),
            };
            if !fits {
                continue;
            }
            let (mut trial, mut diagnostics) = (node.clone(), Diagnostics::default());
            let mut validator = SchemaValidator {
                diagnostics: &mut diagnostics,
                ..*self
            };
            if validator.validate_node(option, &mut trial, what, key)
                && diagnostics.error_count() == 0
            {
                *node = trial;
                return true;
            }
            first_attempt.get_or_insert(diagnostics);
        }
        match first_attempt {
            Some(diagnostics) => self.diagnostics.append(diagnostics),
            None => {
                let types_of = |option: &'a Json| match option.as_object()? {
                    _ if is_enumeration(option) => Some(vec!["string"]),
                    rules => allowed_types(rules, node),
                };
                let all: Vec<&str> = options
                    .iter()
                    .copied()
                    .filter_map(types_of)
                    .flatten()
                    .collect();
                self.report_wrong_type(&all, node, what, key);
            }
        }
        false
    }

    /// Validates maps that are distinguished by a required key that only one of them has.
    fn validate_discriminated_map(
        &mut self,
        options: &[(&'a str, &'a Json)],
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let names = || options.iter().map(|(name, _)| *name);
        let Value::Map(entries) = &node.value else {
            let span = report_range(node, key);
            let help = format!("start with one of {}", quote_list(names()));
            let message = format!("{what} must be a map, not {}", node.describe());
            self.error(codes::WRONG_TYPE, span, message).help(help);
            return false;
        };
        // Use the first discriminating key that is not also a property of another candidate.
        let option = |k: &Key| options.iter().find(|(name, _)| *name == k.text);
        let present: Vec<_> = entries
            .iter()
            .filter_map(|(k, _)| Some((k, option(k)?)))
            .collect();
        let is_property_of = |k: &Key, schema: &Json| {
            schema
                .get("properties")
                .is_some_and(|p| p.get(&k.text).is_some())
        };
        let is_discriminator = |k: &Key| {
            !present
                .iter()
                .any(|(other, (_, schema))| other.text != k.text && is_property_of(k, schema))
        };
        if let Some((k, (_, schema))) = present
            .iter()
            .find(|(k, _)| is_discriminator(k))
            .or(present.first())
        {
            let span = k.span.clone();
            return self.validate_node(schema, node, what, Some(&span));
        }
        // A key may be misspelled.
        let known = |key: &str| {
            options
                .iter()
                .any(|(_, o)| o.get("properties").is_some_and(|p| p.get(key).is_some()))
        };
        let unknown_keys = entries.iter().filter(|(k, _)| !known(&k.text));
        let misspelled = unknown_keys
            .map(|(k, _)| k)
            .find_map(|k| Some((k, nearest(&k.text, names())?)));
        let (span, message, help) = match (misspelled, entries.first()) {
            (Some((key, near)), _) => {
                let message = format!(
                    "unknown key `{}`",
                    crate::catalog::checker::quote_text(&key.text)
                );
                (key.span.clone(), message, format!("did you mean `{near}`?"))
            }
            (None, first) => {
                let span = first.map_or_else(|| report_range(node, key), |(k, _)| k.span.clone());
                (
                    span,
                    format!("{what} has no resource"),
                    format!("start with one of {}", quote_list(names())),
                )
            }
        };
        self.error(codes::UNKNOWN_KEY, span, message).help(help);
        false
    }

    fn validate_tagged_value(
        &mut self,
        variants: &[(&'a str, &'a Json)],
        words: &[&str],
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let names = || {
            words
                .iter()
                .copied()
                .chain(variants.iter().map(|(name, _)| *name))
        };
        if let Value::Scalar {
            text,
            kind: Scalar::Text,
        } = &node.value
        {
            if let Some((name, _)) = variants.iter().find(|(name, _)| name == text) {
                self.error(
                    codes::WRONG_TYPE,
                    node.span.clone(),
                    format!("`{name}` needs a value"),
                )
                .help(format!("write it as `{name}: …`"));
                return false;
            }
            return self.validate_word(&names().collect::<Vec<_>>(), node, what, key);
        }
        let span = report_range(node, key);
        let Value::Map(entries) = &mut node.value else {
            let message = format!(
                "{what} must be one of {}, not {}",
                quote_list(names()),
                node.describe()
            );
            let help = if variants.is_empty() {
                "write one of these words"
            } else {
                "write one word, or a map with one key"
            };
            self.error(codes::WRONG_TYPE, span, message).help(help);
            return false;
        };
        match entries.as_mut_slice() {
            [(name, value)] => match variants.iter().find(|(v, _)| *v == name.text) {
                Some((_, schema)) => {
                    self.validate_node(schema, value, &format!("`{}`", name.text), Some(&name.span))
                }
                None => {
                    let name = name.clone();
                    self.report_unknown_key(&name, variants.iter().map(|(v, _)| *v));
                    false
                }
            },
            several => {
                let span = several.get(1).map_or(span, |(k, _)| k.span.clone());
                let unindented = several
                    .first()
                    .filter(|(k, n)| n.is_null() && names().any(|name| name == k.text));
                let help = match unindented {
                    Some((key, _)) => {
                        format!("indent the values of `{}` further", key.text)
                    }
                    None => format!("use one of {}", quote_list(names())),
                };
                self.error(
                    codes::WRONG_TYPE,
                    span,
                    format!("{what} must have exactly one key"),
                )
                .help(help);
                false
            }
        }
    }
}

/// Returns whether a schema allows certain words only.
fn is_enumeration(schema: &Json) -> bool {
    let options = schema.get("oneOf").and_then(Json::as_array);
    let has_words = |schema: &Json| !allowed_words(schema).is_empty();
    has_words(schema) || options.is_some_and(|options| options.iter().all(has_words))
}

/// Returns the single required key of a schema.
fn discriminator(schema: &Json) -> Option<&str> {
    let required = schema.get("required")?.as_array()?;
    match required.as_slice() {
        [one] => one.as_str(),
        _ => None,
    }
}

/// Returns name and schema of an externally tagged variant: an object with one required key.
fn tagged_variant(schema: &Json) -> Option<(&str, &Json)> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    match (properties.iter().next(), properties.len(), required.len()) {
        (Some((name, schema)), 1, 1) => Some((name, schema)),
        _ => None,
    }
}
