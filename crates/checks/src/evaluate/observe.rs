//! Observes properties and selects the values of inputs on one target.

use std::collections::BTreeMap;

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::language::error::EvaluationError;
use crate::language::expression::ConditionValues;
use crate::language::input::Input;
use crate::matcher::tree::Tree;
use crate::registry;
use crate::resource_type::ResourceRef;

use super::conditions::Conditions;

/// Selects the value of an input for the target.
pub(super) fn select_input(
    inputs: &BTreeMap<String, Input>,
    name: &str,
    values: &dyn ConditionValues,
    conditions: &Conditions,
) -> Result<Tree, EvaluationError> {
    let input = inputs
        .get(name)
        .ok_or_else(|| EvaluationError::UnknownInput(name.to_owned()))?;
    for (condition, value) in &input.choices {
        let holds = match condition {
            Some(text) => conditions.get(text)?.holds(values)?,
            None => true,
        };
        if holds {
            return Ok(value.clone());
        }
    }
    Err(EvaluationError::InputWithoutValue(name.to_owned()))
}

/// Observes a property of a resource.
pub(super) fn observe(resource: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let Some(kind) = registry::resource_type_of(resource) else {
        return Observation::Unknown(format!(
            "this version of bakeline has no resource `{}`",
            resource.kind
        ));
    };
    match kind.not_in_directory {
        Some(why) if view.identity().directory => Observation::Skipped(why.to_owned()),
        _ => (kind.observe)(resource, property, view),
    }
}
