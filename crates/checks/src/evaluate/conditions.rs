//! Caches the parsed `when` expressions of one evaluation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::language::error::SyntaxError;
use crate::language::expression::Expression;
use crate::language::grammar;

/// A condition, or its syntax error.
type ParsedCondition = Result<Rc<Expression>, SyntaxError>;

/// Conditions by their text.
#[derive(Default)]
pub(super) struct Conditions {
    by_text: RefCell<HashMap<String, ParsedCondition>>,
}

impl Conditions {
    /// Returns a condition; parses it at the first use.
    ///
    /// # Errors
    /// Returns the syntax error of the condition.
    pub(super) fn get(&self, text: &str) -> ParsedCondition {
        if let Some(condition) = self.by_text.borrow().get(text) {
            return condition.clone();
        }
        let condition = grammar::parse(text).map(Rc::new);
        self.by_text
            .borrow_mut()
            .insert(text.to_owned(), condition.clone());
        condition
    }
}
