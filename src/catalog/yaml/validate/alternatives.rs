//! Owns the choice between several schemas: words, externally tagged variants, or plain types.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value as Json;

use super::{SchemaValidator, is_type, listed, place_of, types, words};
use crate::catalog::codes;
use crate::catalog::yaml::node::{ByteRange, Key, Node, Scalar, Value};
use crate::catalog::yaml::source::Diagnostics;
use crate::diagnostic::nearest;

/// A choice between schemas, worked out.
pub(crate) struct Choice<'a> {
    options: Vec<&'a Json>,
    /// Maps with one key that names the variant.
    variants: Vec<(&'a str, &'a Json)>,
    words: Vec<&'a str>,
    /// There is nothing but variants and words.
    tagged: bool,
    /// Those that have a key of their own to tell them by.
    leading: Vec<(&'a str, &'a Json)>,
}

/// What was worked out already, by where the choice stands in the schema: lists have the same one for each of their items.
pub(crate) type Choices<'a> = RefCell<HashMap<*const Json, Rc<Choice<'a>>>>;

impl<'a> SchemaValidator<'a, '_> {
    fn choice(&self, options: &'a [Json]) -> Rc<Choice<'a>> {
        let mut known = self.choices.borrow_mut();
        Rc::clone(known.entry(options.as_ptr()).or_insert_with(|| {
            let options: Vec<&'a Json> = options.iter().map(|o| self.resolve(o)).collect();
            let variants: Vec<_> = options.iter().filter_map(|o| variant(o)).collect();
            let tagged = variants.len() + options.iter().filter(|o| !words(o).is_empty()).count()
                == options.len();
            let all_words = options.iter().flat_map(|o| words(o)).collect();
            let leading = options
                .iter()
                .filter_map(|o| Some((leader(o)?, *o)))
                .collect();
            Rc::new(Choice {
                options,
                variants,
                words: all_words,
                tagged,
                leading,
            })
        }))
    }

    /// One of several schemas: words, maps with one key that names the variant, or plain types.
    pub(crate) fn alternatives(
        &mut self,
        options: &'a [Json],
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let choice = self.choice(options);
        let options = &choice.options;
        if choice.tagged {
            return self.tagged(&choice.variants, &choice.words, node, what, key);
        }
        if choice.leading.len() == options.len() {
            return self.led(&choice.leading, node, what, key);
        }
        let mut closest: Option<Diagnostics> = None;
        for option in options.iter().copied() {
            let fits = match option.as_object().and_then(|rules| types(rules, node)) {
                Some(types) => types.iter().any(|t| is_type(node, t)),
                None => words(option).is_empty() || matches!(node.value, Value::Scalar { .. }),
            };
            if !fits {
                continue;
            }
            let (mut trial, mut diagnostics) = (node.clone(), Diagnostics::default());
            let mut validator = SchemaValidator {
                diagnostics: &mut diagnostics,
                ..*self
            };
            if validator.node(option, &mut trial, what, key) && diagnostics.error_count() == 0 {
                *node = trial;
                return true;
            }
            closest.get_or_insert(diagnostics);
        }
        match closest {
            Some(diagnostics) => self.diagnostics.append(diagnostics),
            None => {
                let all: Vec<&str> = options
                    .iter()
                    .filter_map(|o| types(o.as_object()?, node))
                    .flatten()
                    .collect();
                self.wrong_type(&all, node, what, key);
            }
        }
        false
    }

    /// Maps of which each has one key that no other has and that it can't do without.
    fn led(
        &mut self,
        options: &[(&'a str, &'a Json)],
        node: &mut Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let names = || options.iter().map(|(name, _)| *name);
        let Value::Map(entries) = &node.value else {
            let span = place_of(node, key);
            let help = format!("begin it with one of {}", listed(names()));
            let message = format!("{what} must be a map, not {}", node.describe());
            self.error(codes::WRONG_TYPE, span, message).help(help);
            return false;
        };
        // The first of its keys that can be the one, and is not just a property of another that can.
        let option = |k: &Key| options.iter().find(|(name, _)| *name == k.text);
        let present: Vec<_> = entries
            .iter()
            .filter_map(|(k, _)| Some((k, option(k)?)))
            .collect();
        let within = |k: &Key, schema: &Json| {
            schema
                .get("properties")
                .is_some_and(|p| p.get(&k.text).is_some())
        };
        let free = |k: &Key| {
            !present
                .iter()
                .any(|(other, (_, schema))| other.text != k.text && within(k, schema))
        };
        if let Some((k, (_, schema))) = present.iter().find(|(k, _)| free(k)).or(present.first()) {
            let span = k.span.clone();
            return self.node(schema, node, what, Some(&span));
        }
        // Perhaps one of its keys was meant to be the one.
        let known = |key: &str| {
            options
                .iter()
                .any(|(_, o)| o.get("properties").is_some_and(|p| p.get(key).is_some()))
        };
        let strangers = entries.iter().filter(|(k, _)| !known(&k.text));
        let meant = strangers
            .map(|(k, _)| k)
            .find_map(|k| Some((k, nearest(&k.text, names())?)));
        let (span, message, help) = match (meant, entries.first()) {
            (Some((key, near)), _) => {
                let message = format!(
                    "the key `{}` is not known here",
                    crate::catalog::checker::shown(&key.text)
                );
                (key.span.clone(), message, format!("did you mean `{near}`?"))
            }
            (None, first) => {
                let span = first.map_or_else(|| place_of(node, key), |(k, _)| k.span.clone());
                (
                    span,
                    format!("{what} names nothing to check"),
                    format!("begin it with one of {}", listed(names())),
                )
            }
        };
        self.error(codes::UNKNOWN_KEY, span, message).help(help);
        false
    }

    fn tagged(
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
            return self.word(&names().collect::<Vec<_>>(), node, what, key);
        }
        let span = place_of(node, key);
        let Value::Map(entries) = &mut node.value else {
            let message = format!(
                "{what} must be one of {}, not {}",
                listed(names()),
                node.describe()
            );
            self.error(codes::WRONG_TYPE, span, message)
                .help("write the word, or one key with its value");
            return false;
        };
        match entries.as_mut_slice() {
            [(name, value)] => match variants.iter().find(|(v, _)| *v == name.text) {
                Some((_, schema)) => {
                    self.node(schema, value, &format!("`{}`", name.text), Some(&name.span))
                }
                None => {
                    let name = name.clone();
                    self.unknown_key(&name, variants.iter().map(|(v, _)| *v));
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
                        format!("indent what belongs to `{}` further than it", key.text)
                    }
                    None => format!("choose one of {}", listed(names())),
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

/// The key that an object can't do without, where it has others beside it.
fn leader(schema: &Json) -> Option<&str> {
    let required = schema.get("required")?.as_array()?;
    match required.as_slice() {
        [one] => one.as_str(),
        _ => None,
    }
}

/// An externally tagged variant: an object with one key, which is required.
fn variant(schema: &Json) -> Option<(&str, &Json)> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    match (properties.iter().next(), properties.len(), required.len()) {
        (Some((name, schema)), 1, 1) => Some((name, schema)),
        _ => None,
    }
}
