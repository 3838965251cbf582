//! Resolves variables: those of the image, then those of its ancestors, then those of the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::substitute::{Budget, Substitution};
use super::text::{ARCH, is_name};
use crate::catalog::checker::quote_text;
use crate::catalog::codes;
use crate::catalog::yaml::node::{ByteRange, Node, Value};
use crate::catalog::yaml::source::{Diagnostics, Inserted, SourceFile};
use crate::diagnostic::nearest;

/// Longest chain of variables that use each other.
const MAX_CHAIN: usize = 32;

/// Variable as written.
#[derive(Debug, Clone)]
pub(crate) struct Definition<'a> {
    pub(crate) file: SourceFile<'a>,
    /// Byte range of the name, or of the value in a matrix.
    pub(crate) span: ByteRange,
    pub(crate) value: Node,
    /// True if the value contains no variables. Its texts are literal.
    pub(crate) is_literal: bool,
}

/// Variable after the replacement of the variables in its value.
#[derive(Clone)]
pub(crate) struct Variable<'a> {
    pub(crate) value: Rc<Node>,
    /// Position of the definition.
    pub(crate) file: SourceFile<'a>,
    pub(crate) span: ByteRange,
}

/// Variables that one place defines, by name.
pub(crate) type Level<'a> = BTreeMap<String, Definition<'a>>;

/// Variables of an image, nearest level first.
pub(super) struct Resolver<'l, 'a> {
    levels: Vec<&'l Level<'a>>,
    /// Resolved values. `None` for a value with an error, which is reported already.
    known: BTreeMap<String, Option<Rc<Node>>>,
    /// Names of the variables that are being resolved.
    open: Vec<String>,
    pub(super) budget: Budget,
    /// Names that only the inherited levels have, for an explanation. Empty if all levels are
    /// visible.
    pub(super) hidden: &'l [String],
    inserted: Vec<Inserted>,
}

impl<'l, 'a> Resolver<'l, 'a> {
    /// Creates a resolver without values.
    pub(super) fn new(levels: Vec<&'l Level<'a>>) -> Self {
        Self {
            levels,
            known: BTreeMap::new(),
            open: Vec::new(),
            budget: Budget::default(),
            hidden: &[],
            inserted: Vec::new(),
        }
    }

    /// Returns the nearest definition of a variable.
    pub(super) fn definition(&self, name: &str) -> Option<&'l Definition<'a>> {
        self.levels.iter().find_map(|level| level.get(name))
    }

    /// Returns the names of all variables, sorted.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.levels
            .iter()
            .flat_map(|level| level.keys().cloned())
            .collect()
    }

    /// Returns the names of all variables that were used, directly or in other variables.
    pub(super) fn used(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Returns the variables that were used, with their values and definitions.
    pub(super) fn used_variables(&self) -> BTreeMap<String, Variable<'a>> {
        let variable = |name: &str, value: &Rc<Node>| {
            let definition = self.definition(name)?;
            Some(Variable {
                value: Rc::clone(value),
                file: definition.file,
                span: definition.span.clone(),
            })
        };
        self.known
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), variable(name, value.as_ref()?)?)))
            .collect()
    }

    /// Returns the variables that were used, with their values.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.known
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), &**value.as_ref()?)))
    }

    /// Records where a value was inserted in an image file.
    pub(super) fn record_insertion(&mut self, name: &str, range: &ByteRange) {
        // Insertions into values of variables are not at a position of the image file.
        let Some(definition) = self.definition(name).filter(|_| self.open.is_empty()) else {
            return;
        };
        self.inserted.push(Inserted {
            range: range.clone(),
            name: name.to_owned(),
            definition: definition.file.span(definition.span.clone()),
        });
    }

    /// Returns the positions of all inserted values.
    pub(super) fn into_inserted(self) -> Vec<Inserted> {
        self.inserted
    }

    /// Returns the value of a variable. `place` is where it is used. Reports an unknown variable
    /// and a cycle.
    pub(super) fn resolve(
        &mut self,
        name: &str,
        place: &(SourceFile<'a>, ByteRange),
        diagnostics: &mut Diagnostics,
    ) -> Option<Rc<Node>> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let Some(definition) = self.definition(name) else {
            self.report_unknown(name, place, diagnostics);
            return None;
        };
        if let Some(at) = self.open.iter().position(|open| open == name) {
            let mut cycle: Vec<&str> = self.open[at..].iter().map(String::as_str).collect();
            cycle.push(name);
            diagnostics
                .error(
                    codes::VARIABLE_CYCLE,
                    definition.file.span(definition.span.clone()),
                    format!("cycle of variables: {}", cycle.join(" -> ")),
                )
                .help("give one of them a value without the others");
            self.known.insert(name.to_owned(), None);
            return None;
        }
        if self.open.len() == MAX_CHAIN {
            let message = format!("a chain of more than {MAX_CHAIN} variables");
            diagnostics
                .error(codes::LIMIT, place.0.span(place.1.clone()), message)
                .help("use fewer variables inside each other");
            return None;
        }
        self.open.push(name.to_owned());
        let value = if definition.is_literal {
            Some(Rc::new(definition.value.clone()))
        } else {
            Substitution::new(definition.file, self, diagnostics)
                .node(&definition.value)
                .map(Rc::new)
        };
        self.open.pop();
        // A cycle has stored its own result.
        self.known.entry(name.to_owned()).or_insert(value).clone()
    }

    fn report_unknown(
        &self,
        name: &str,
        place: &(SourceFile<'a>, ByteRange),
        diagnostics: &mut Diagnostics,
    ) {
        let names = self.levels.iter().flat_map(|level| level.keys());
        let near = nearest(name, names.map(String::as_str));
        let help = if name == ARCH {
            "the architecture is not known here; `name`, `parent`, `arch` and `matrix` cannot use it"
                .to_owned()
        } else if self.hidden.iter().any(|hidden| hidden == name) {
            "`name`, `parent`, `arch` and `matrix` cannot use variables of a parent".to_owned()
        } else if let Some(near) = near {
            format!("did you mean `{near}`?")
        } else {
            format!("add it to `variables`, or write `$${{{name}}}` for literal text")
        };
        let span = place.0.span(place.1.clone());
        diagnostics
            .error(
                codes::UNKNOWN_VARIABLE,
                span,
                format!("the variable `{}` does not exist", quote_text(name)),
            )
            .help(help);
    }
}

/// Reads a map of variables and reports invalid names and missing values.
pub(crate) fn read_level<'a>(
    node: Option<Node>,
    file: SourceFile<'a>,
    diagnostics: &mut Diagnostics,
) -> Level<'a> {
    let Some(node) = node else {
        return Level::new();
    };
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("`variables` must be a map, not {}", node.describe());
        diagnostics
            .error(codes::WRONG_TYPE, file.span(node.span.clone()), message)
            .help("write `variables: {NAME: VALUE}`");
    }
    let mut level = Level::new();
    for (key, value) in node.into_entries() {
        if !check_variable_name(&key.text, file, &key.span, diagnostics) {
            continue;
        }
        if value.is_null() {
            let message = format!("the variable `{}` has no value", key.text);
            diagnostics
                .error(codes::WRONG_TYPE, file.span(key.span.clone()), message)
                .help("add a value; `\"\"` is an empty text");
            continue;
        }
        let span = key.span;
        let definition = Definition {
            file,
            span,
            value,
            is_literal: false,
        };
        level.insert(key.text, definition);
    }
    level
}

/// Returns true if the name of a variable is valid, and reports it otherwise.
pub(super) fn check_variable_name(
    name: &str,
    file: SourceFile<'_>,
    span: &ByteRange,
    diagnostics: &mut Diagnostics,
) -> bool {
    if is_name(name) && name != "inputs" {
        return true;
    }
    let message = format!("`{}` is not a valid name of a variable", quote_text(name));
    diagnostics
        .error(codes::VARIABLE, file.span(span.clone()), message)
        .help("use letters, digits and `_`, and start with a letter; `inputs` is reserved");
    false
}
