//! Owns what is told and kept of the inputs of profiles: what they came to on a target, and nothing of the sensitive ones.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::Conditions;
use super::observe::{chosen, observe};
use super::verdict::HIDDEN;
use crate::collect::frames::{CollectError, parse};
use crate::facts::Facts;
use crate::facts::blob::Blob;
use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::Target;
use crate::language::control::Control;
use crate::language::expression::Scope;
use crate::language::input::Input;
use crate::matcher::contains;
use crate::matcher::pattern::Patterns;
use crate::matcher::tree::Tree;
use crate::text::brief;

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
    let scope = Inputs {
        inputs,
        view: View::new(facts),
        conditions: Conditions::default(),
    };
    let each = |(name, input): (&String, &Input)| Given {
        name: name.clone(),
        value: match input.sensitive {
            true => Some(Tree::Text(HIDDEN.to_owned())),
            false => chosen(inputs, name, &scope, &scope.conditions).ok(),
        },
        sensitive: input.sensitive,
    };
    inputs.iter().map(each).collect()
}

struct Inputs<'a> {
    inputs: &'a BTreeMap<String, Input>,
    view: View<'a>,
    conditions: Conditions,
}

impl Scope for Inputs<'_> {
    fn observe(&self, target: &Target, property: &str) -> Observed {
        observe(target, property, &self.view)
    }

    fn input(&self, name: &str) -> Result<Tree, String> {
        chosen(self.inputs, name, self, &self.conditions)
    }

    fn variable(&self, _: &str) -> Option<Tree> {
        None
    }

    fn patterns(&self) -> &Patterns {
        self.view.patterns()
    }
}

/// Kinds of readings that evidence is compared by: a word that a secret happens to be does not hide them.
const OPEN_KINDS: &[&str] = &["identity", "os-release", "packages"];

/// The facts of a collector's answer, without what these controls keep secret; `last` is what the target said last beside it.
///
/// # Errors
/// The answer is incomplete or forged.
pub fn collected(
    nonce: &str,
    answer: &[u8],
    last: &str,
    controls: &[&Control],
) -> Result<Facts, CollectError> {
    let mut facts = parse(nonce, answer).map_err(|error| match error {
        CollectError::Silent(said) if said.is_empty() => {
            CollectError::Silent(brief(last.as_bytes()))
        }
        error => error,
    })?;
    conceal(&mut facts, controls);
    Ok(facts)
}

/// Marks every fact that holds the value of a sensitive input as a secret: it is judged, and neither shown nor kept.
/// Values of fewer than four bytes are too common to look for.
pub(crate) fn conceal(facts: &mut Facts, controls: &[&Control]) {
    let choices = controls
        .iter()
        .flat_map(|c| c.inputs.values())
        .filter(|i| i.sensitive)
        .flat_map(|i| &i.choices);
    let words: BTreeSet<String> = choices
        .flat_map(|(_, value)| value.items())
        .filter_map(Tree::spelled)
        .filter(|word| word.len() >= 4)
        .collect();
    if words.is_empty() {
        return;
    }
    for (_, readings) in facts
        .readings
        .iter_mut()
        .filter(|(kind, _)| !OPEN_KINDS.contains(&kind.as_str()))
    {
        for reading in readings.values_mut() {
            let body = &reading.body;
            if words
                .iter()
                .any(|word| contains(body.bytes(), word.as_bytes()))
            {
                reading.body = Blob::new(body.bytes().to_vec(), body.truncated, true);
            }
        }
    }
}
