//! Replaces the variables in a tree.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::describe::text_placeholder;
use super::scope::Resolver;
use super::text::{Piece, TextError, has_placeholder, split_text, variable_in_key};
use crate::catalog::checker::quote_text;
use crate::catalog::codes;
use crate::catalog::yaml::node::{ByteRange, Key, Node, Scalar, Value};
use crate::catalog::yaml::source::{DiagnosticBuilder, Diagnostics, SourceFile};

/// Largest number of values that the variables of one image may insert.
const MAX_VALUES: usize = 20_000;
/// Largest number of bytes that the variables of one image may insert.
const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of an inserted value.
const MAX_DEPTH: usize = 24;
/// Start of a placeholder of a check that is the whole value.
const INPUT: &str = "$inputs.";

/// Values and bytes that the variables of an image may still insert.
#[derive(Debug)]
pub(super) struct Budget {
    values: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            values: MAX_VALUES,
            bytes: MAX_BYTES,
        }
    }
}

impl Budget {
    /// Returns false if the limit is exceeded.
    fn spend(&mut self, node: &Node) -> bool {
        let mut bytes = 0;
        node.visit_scalars(&mut |text, _| bytes += text.len());
        let is_enough = node.size <= self.values && bytes <= self.bytes && node.depth <= MAX_DEPTH;
        self.values = self.values.saturating_sub(node.size);
        self.bytes = self.bytes.saturating_sub(bytes);
        is_enough
    }
}

/// Replaces the variables below one place of a file.
pub(super) struct Substitution<'s, 'l, 'a> {
    file: SourceFile<'a>,
    /// True in checks, which have placeholders of their own.
    is_check: bool,
    /// Loop variables of the check.
    loops: Vec<String>,
    resolver: &'s mut Resolver<'l, 'a>,
    diagnostics: &'s mut Diagnostics,
}

impl<'s, 'l, 'a> Substitution<'s, 'l, 'a> {
    /// Creates the substitution for the value of a variable.
    pub(super) fn new(
        file: SourceFile<'a>,
        resolver: &'s mut Resolver<'l, 'a>,
        diagnostics: &'s mut Diagnostics,
    ) -> Self {
        Self {
            file,
            is_check: false,
            loops: Vec::new(),
            resolver,
            diagnostics,
        }
    }

    /// Sets the top-level key of the image file that contains the values.
    pub(super) fn below_key(mut self, key: &str) -> Self {
        self.is_check = matches!(key, "checks" | "profiles" | "override");
        self
    }

    /// Returns the tree with the values of its variables, or `None` after an error. An inserted
    /// value gets the byte range of its placeholder.
    pub(super) fn node(&mut self, node: &Node) -> Option<Node> {
        match &node.value {
            Value::Scalar {
                text,
                kind: Scalar::Text,
            } if has_placeholder(text) => self.text(text, &node.span),
            Value::Scalar { .. } => Some(node.clone()),
            Value::List(items) => {
                let items: Vec<Option<Node>> = items.iter().map(|item| self.node(item)).collect();
                let items = items.into_iter().collect::<Option<Vec<Node>>>()?;
                Some(Node::new(node.span.clone(), Value::List(items)))
            }
            Value::Map(entries) => {
                let outer = self.loops.len();
                if let Some(loops) = node.get("for_each").filter(|_| self.is_check) {
                    let names = loops.entries().iter().map(|(key, _)| key.text.clone());
                    self.loops.extend(names);
                }
                let entries: Vec<Option<_>> = entries
                    .iter()
                    .map(|(key, value)| {
                        let (key, value) = (self.key(key), self.node(value));
                        Some((key?, value?))
                    })
                    .collect();
                self.loops.truncate(outer);
                let entries = entries.into_iter().collect::<Option<Vec<_>>>()?;
                self.check_unique_keys(&entries);
                Some(Node::new(node.span.clone(), Value::Map(entries)))
            }
        }
    }

    /// Returns a key with the values of its variables, which must be text.
    fn key(&mut self, key: &Key) -> Option<Key> {
        if !has_placeholder(&key.text) {
            return Some(key.clone());
        }
        let node = self.text(&key.text, &key.span)?;
        let Value::Scalar { text, .. } = node.value else {
            let message = format!("a key cannot be {}", node.describe());
            self.error(codes::VARIABLE_TYPE, key.span.clone(), message)
                .help("use a variable with a text");
            return None;
        };
        let span = key.span.clone();
        Some(Key { text, span })
    }

    /// Reports keys that are equal after the replacement of their variables.
    fn check_unique_keys(&mut self, entries: &[(Key, Node)]) {
        let mut seen = BTreeSet::new();
        for (key, _) in entries {
            if !seen.insert(key.text.as_str()) {
                let message = format!("duplicate key `{}`", quote_text(&key.text));
                self.error(codes::DUPLICATE_KEY, key.span.clone(), message)
                    .help("remove one of them");
            }
        }
    }

    fn error(
        &mut self,
        code: &'static str,
        range: ByteRange,
        message: impl Into<String>,
    ) -> DiagnosticBuilder<'_> {
        self.diagnostics.error(code, self.file.span(range), message)
    }

    fn text(&mut self, text: &str, span: &ByteRange) -> Option<Node> {
        let (is_check, loops) = (self.is_check, &self.loops);
        let is_kept = |name: &str| {
            is_check && (name.starts_with("inputs.") || loops.iter().any(|l| l == name))
        };
        let pieces = match split_text(text, &is_kept) {
            Ok(pieces) => pieces,
            Err(error) => {
                let range = self.file.find_range(span, &text[error.range()]);
                let help = match error {
                    TextError::Nested { .. } => {
                        "only a key of a map can be a variable, as in `${MAP.${NAME}}`; or put both \
                         values into one map: `matrix: {NAME: [{KEY: VALUE, OTHER: VALUE}]}`"
                    }
                    _ => "write `${NAME}` for a variable, or `$${` for a literal `${`",
                };
                self.error(codes::PLACEHOLDER, range, error.to_string())
                    .help(help);
                return None;
            }
        };
        match pieces.as_slice() {
            [Piece::Variable(path)] => {
                let value = self.value(path, span)?.moved_to(span);
                self.check_inserted(value, path)
            }
            pieces => self.joined_text(pieces, span),
        }
    }

    /// Joins literals and values to one text.
    fn joined_text(&mut self, pieces: &[Piece<'_>], span: &ByteRange) -> Option<Node> {
        let mut out = Some(String::new());
        let (mut last, mut own_placeholders) = (None, 0);
        for piece in pieces {
            let part = match piece {
                Piece::Literal(text) => {
                    own_placeholders += text.matches("${").count();
                    Some((*text).to_owned())
                }
                Piece::Variable(path) => {
                    last = Some(*path);
                    self.text_value(path, span)
                }
            };
            match (&mut out, part) {
                (Some(out), Some(part)) => out.push_str(&part),
                _ => out = None,
            }
        }
        let text = out?;
        let is_placeholder = self.is_check
            && (text.matches("${").count() > own_placeholders || text.starts_with(INPUT));
        let kind = Scalar::Text;
        let node = Node::new(span.clone(), Value::Scalar { text, kind });
        match last {
            None => Some(node),
            Some(path) if is_placeholder => self.report_placeholder(path, span),
            Some(path) => self.check_limit(node, path),
        }
    }

    /// Returns a value that is part of a text, and reports a list or map.
    fn text_value(&mut self, path: &str, span: &ByteRange) -> Option<String> {
        let value = self.value(path, span)?;
        if let Value::Scalar { text, .. } = &value.value {
            return Some(text.clone());
        }
        let range = self.file.find_range(span, &format!("${{{path}}}"));
        let message = format!(
            "`{path}` is {}, which cannot be part of a text",
            value.describe()
        );
        let help = match text_placeholder(path, &value) {
            Some(inner) => format!("use one of its values, such as `{inner}`"),
            None => format!("use `${{{path}}}` as the whole value, or use a text"),
        };
        self.error(codes::VARIABLE_TYPE, range, message).help(help);
        None
    }

    /// Returns the value at a path, and reports a missing variable or key.
    fn value(&mut self, path: &str, span: &ByteRange) -> Option<Rc<Node>> {
        let range = self.file.find_range(span, &format!("${{{path}}}"));
        let (name, keys) = path
            .split_once('.')
            .map_or((path, None), |(name, keys)| (name, Some(keys)));
        let place = (self.file, range.clone());
        let value = self.resolver.resolve(name, &place, self.diagnostics)?;
        self.resolver.record_insertion(name, span);
        let Some(keys) = keys else {
            return Some(value);
        };
        let (mut node, mut known) = (&*value, name.to_owned());
        for key in keys.split('.') {
            let key = &*match variable_in_key(key) {
                Some(name) => self.text_value(name, span)?,
                None => key.to_owned(),
            };
            let Some(next) = node.get(key) else {
                let names = node.entries().iter().map(|(key, _)| key.text.as_str());
                let help = match crate::diagnostic::nearest(key, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("`{known}` is {}", node.describe()),
                };
                let message = format!("`{known}` has no key `{key}`");
                self.error(codes::UNKNOWN_VARIABLE, range, message)
                    .help(help);
                return None;
            };
            known = format!("{known}.{key}");
            node = next;
        }
        Some(Rc::new(node.clone()))
    }

    fn check_inserted(&mut self, node: Node, path: &str) -> Option<Node> {
        let mut is_placeholder = false;
        if self.is_check {
            node.visit_scalars(&mut |text, _| {
                is_placeholder |= has_placeholder(text) || text.starts_with(INPUT);
            });
        }
        if is_placeholder {
            return self.report_placeholder(path, &node.span);
        }
        self.check_limit(node, path)
    }

    fn report_placeholder(&mut self, path: &str, span: &ByteRange) -> Option<Node> {
        let message = format!(
            "the value of `{}` would be read as a placeholder of the check",
            quote_text(path)
        );
        self.error(codes::PLACEHOLDER, span.clone(), message)
            .help("use a value without `${` and `$inputs.`");
        None
    }

    fn check_limit(&mut self, node: Node, path: &str) -> Option<Node> {
        if self.resolver.budget.spend(&node) {
            return Some(node);
        }
        let message = format!(
            "the variables of an image insert more than {MAX_VALUES} values, 1 MiB, or {MAX_DEPTH} \
             levels; the limit was reached at `{}`",
            quote_text(path)
        );
        self.error(codes::LIMIT, node.span.clone(), message)
            .help("use shorter values, or fewer of them");
        None
    }
}
