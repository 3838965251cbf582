//! Owns what the inputs of a profile came to on a target, for reports.

use std::collections::BTreeMap;

use super::control::Input;
use super::expression::Scope;
use super::facts::Facts;
use super::judge::{chosen, observe};
use super::kind::Target;
use super::observed::Observed;
use super::tree::Tree;
use super::view::View;

/// What stands for a sensitive value.
pub(super) const HIDDEN: &str = "***";

/// An input and what it came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// Its value; `***` of a sensitive one, and none where it could not be determined.
    pub value: Option<Tree>,
    /// Whether the value is kept to itself.
    pub sensitive: bool,
}

/// What each input came to on the target that facts are of.
#[must_use]
pub fn given(inputs: &BTreeMap<String, Input>, facts: &Facts) -> Vec<Given> {
    let scope = Inputs { inputs, view: View::new(facts) };
    let each = |(name, input): (&String, &Input)| Given {
        name: name.clone(),
        value: match input.sensitive {
            true => Some(Tree::Text(HIDDEN.to_owned())),
            false => chosen(inputs, name, &scope).ok(),
        },
        sensitive: input.sensitive,
    };
    inputs.iter().map(each).collect()
}

struct Inputs<'a> {
    inputs: &'a BTreeMap<String, Input>,
    view: View<'a>,
}

impl Scope for Inputs<'_> {
    fn observe(&self, target: &Target, property: &str) -> Observed {
        observe(target, property, &self.view)
    }

    fn input(&self, name: &str) -> Result<Tree, String> {
        chosen(self.inputs, name, self)
    }

    fn variable(&self, _: &str) -> Option<Tree> {
        None
    }
}
