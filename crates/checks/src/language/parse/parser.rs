//! Defines the parser of a check. Sibling modules add the methods that parse the keys.

use std::collections::BTreeMap;

use crate::language::input::Input;
use crate::matcher::tree::Tree;
use crate::problem::Problem;

/// Parser of one check; collects its problems.
pub(super) struct CheckParser<'a> {
    pub(super) problems: Vec<Problem>,
    pub(super) inputs: &'a BTreeMap<String, Input>,
    /// Names of the loop variables.
    pub(super) variables: Vec<String>,
    /// Loop variables with their values as written.
    pub(super) for_each: Vec<(String, Tree)>,
    /// First resource, such as `file:/etc/motd`; default for the ID.
    pub(super) default_id: Option<String>,
}

impl<'a> CheckParser<'a> {
    /// Creates a parser with no recorded problems.
    pub(super) fn new(inputs: &'a BTreeMap<String, Input>) -> Self {
        Self {
            problems: Vec::new(),
            inputs,
            variables: Vec::new(),
            for_each: Vec::new(),
            default_id: None,
        }
    }

    /// Adds a problem.
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds problems of the value of a key.
    pub(super) fn report_under(&mut self, key: &str, problems: impl IntoIterator<Item = Problem>) {
        self.problems
            .extend(problems.into_iter().map(|problem| problem.under(key)));
    }
}
