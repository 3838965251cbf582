//! Observes properties and selects the values of inputs on one target.

use std::collections::BTreeMap;

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::Target;
use crate::language::expression::Scope;
use crate::language::input::Input;
use crate::matcher::tree::Tree;
use crate::registry;

use super::conditions::Conditions;

/// The value of an input on this target.
pub(super) fn chosen(
    inputs: &BTreeMap<String, Input>,
    name: &str,
    scope: &dyn Scope,
    conditions: &Conditions,
) -> Result<Tree, String> {
    let input = inputs
        .get(name)
        .ok_or_else(|| format!("there is no input `{name}`"))?;
    for (condition, value) in &input.choices {
        let held = match condition {
            Some(text) => conditions
                .get(text)
                .as_ref()
                .as_ref()
                .map_err(Clone::clone)?
                .holds(scope)?,
            None => true,
        };
        if held {
            return Ok(value.clone());
        }
    }
    Err(format!("the input `{name}` has no value for this target"))
}

pub(super) fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let Some(kind) = registry::kind_of(target) else {
        return Observed::Unknown(format!("this version knows no resource `{}`", target.kind));
    };
    match kind.not_in_directory {
        Some(why) if view.identity().directory => Observed::Skipped(why.to_owned()),
        _ => (kind.observe)(target, property, view),
    }
}
