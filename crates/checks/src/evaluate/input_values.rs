//! Determines the values of inputs on a target and keeps sensitive values secret.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::Conditions;
use super::observe::{observe, select_input};
use super::verdict::HIDDEN;
use crate::collect::frames::{CollectError, parse_facts};
use crate::facts::Facts;
use crate::facts::blob::Blob;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::language::control::Control;
use crate::language::error::EvaluationError;
use crate::language::expression::ConditionValues;
use crate::language::input::Input;
use crate::matcher::compare::contains;
use crate::matcher::context::MatchContext;
use crate::matcher::tree::Tree;
use crate::resource_type::ResourceRef;
use crate::text::truncate_for_display;

/// Value of an input on a target.
#[derive(Debug, Clone, PartialEq)]
pub struct InputValue {
    /// Name of the input.
    pub name: String,
    /// Value: `***` if sensitive, `None` if unknown.
    pub value: Option<Tree>,
    /// True for a sensitive input.
    pub sensitive: bool,
}

/// Returns the value of each input on the target of the facts.
#[must_use]
pub fn input_values(inputs: &BTreeMap<String, Input>, facts: &Facts) -> Vec<InputValue> {
    let evaluation = InputEvaluation {
        inputs,
        view: View::new(facts),
        conditions: Conditions::default(),
    };
    let each = |(name, input): (&String, &Input)| InputValue {
        name: name.clone(),
        value: if input.sensitive {
            Some(Tree::Text(HIDDEN.to_owned()))
        } else {
            select_input(inputs, name, &evaluation, &evaluation.conditions).ok()
        },
        sensitive: input.sensitive,
    };
    inputs.iter().map(each).collect()
}

/// Inputs that are evaluated outside of a control.
struct InputEvaluation<'a> {
    inputs: &'a BTreeMap<String, Input>,
    view: View<'a>,
    conditions: Conditions,
}

impl ConditionValues for InputEvaluation<'_> {
    fn observe(&self, target: &ResourceRef, property: &str) -> Observation {
        observe(target, property, &self.view)
    }

    fn input(&self, name: &str) -> Result<Tree, EvaluationError> {
        select_input(self.inputs, name, self, &self.conditions)
    }

    fn variable(&self, _: &str) -> Option<Tree> {
        None
    }

    fn context(&self) -> &MatchContext {
        self.view.context()
    }
}

/// Readings that stay visible even if they contain the text of a secret; evidence is compared by
/// them.
const PUBLIC_KINDS: &[&str] = &["identity", "os-release", "package_manager", "packages"];

/// Parses the output of the collector and marks the sensitive values of controls as secret.
/// `last_line` is the last line on the standard error of the target.
///
/// # Errors
/// Returns an error if the output is incomplete.
pub fn parse_and_conceal_facts(
    nonce: &str,
    output: &[u8],
    last_line: &str,
    controls: &[&Control],
) -> Result<Facts, CollectError> {
    let mut facts = parse_facts(nonce, output).map_err(|error| match error {
        CollectError::NoFacts(line) if line.is_empty() => {
            CollectError::NoFacts(truncate_for_display(last_line.as_bytes()))
        }
        error => error,
    })?;
    conceal(&mut facts, controls);
    Ok(facts)
}

/// Marks each fact that contains the value of a sensitive input as secret. Values with less than
/// four bytes are too common to be searched.
pub(crate) fn conceal(facts: &mut Facts, controls: &[&Control]) {
    let choices = controls
        .iter()
        .flat_map(|c| c.inputs.values())
        .filter(|i| i.sensitive)
        .flat_map(|i| &i.choices);
    let secrets: BTreeSet<String> = choices
        .flat_map(|(_, value)| value.items())
        .filter_map(Tree::scalar_text)
        .filter(|word| word.len() >= 4)
        .collect();
    if secrets.is_empty() {
        return;
    }
    for (_, readings) in facts
        .readings
        .iter_mut()
        .filter(|(kind, _)| !PUBLIC_KINDS.contains(&kind.as_str()))
    {
        for reading in readings.values_mut() {
            let body = &reading.body;
            if secrets
                .iter()
                .any(|secret| contains(body.bytes(), secret.as_bytes()))
            {
                reading.body = Blob::new(body.bytes().to_vec(), body.truncated, true);
            }
        }
    }
}
