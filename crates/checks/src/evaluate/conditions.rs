//! Caches the parsed `when` expressions of one evaluation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::language::expression::Expression;
use crate::language::grammar;

/// A parsed condition, or the parse error.
type Parsed = Rc<Result<Expression, String>>;

/// Conditions by their text.
#[derive(Default)]
pub(super) struct Conditions {
    parsed: RefCell<HashMap<String, Parsed>>,
}

impl Conditions {
    /// Returns the parsed condition; parses it at the first use.
    pub(super) fn get(&self, text: &str) -> Parsed {
        if let Some(parsed) = self.parsed.borrow().get(text) {
            return Rc::clone(parsed);
        }
        let parsed = Rc::new(grammar::parse(text));
        self.parsed
            .borrow_mut()
            .insert(text.to_owned(), Rc::clone(&parsed));
        parsed
    }
}
