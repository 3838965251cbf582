//! Judges controls by facts.

use std::collections::BTreeMap;

use super::conditions::Conditions;
use super::observe::{observe, select_input};
use crate::evaluate::finding::{
    absent_finding, add_details, add_remark, boxed_control_finding, combine_findings, compare,
    control_finding, mask_actual, mask_all,
};
use crate::evaluate::verdict::{Finding, Outcome, Verdict};
use crate::facts::Facts;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::language::control::{Control, Expectation, Expected, Group, IfAbsent, Item, Mode};
use crate::language::error::EvaluationError;
use crate::language::expression::ConditionValues;
use crate::language::{interpolate, placeholder};
use crate::matcher::Matcher;
use crate::matcher::context::MatchContext;
use crate::matcher::tree::Tree;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::registry;
use crate::resource_type::{ResourceRef, ResourceType, ValueType};

/// Judges the controls of a phase in order. Controls of the other phase have no verdict.
#[must_use]
pub fn judge(controls: &[&Control], facts: &Facts, phase: Phase) -> Vec<Verdict> {
    let (view, conditions) = (View::new(facts), Conditions::default());
    controls
        .iter()
        .filter(|c| c.phases.contains(&phase))
        .map(|c| judge_control(c, &view, &conditions))
        .collect()
}

fn judge_control(control: &Control, view: &View<'_>, conditions: &Conditions) -> Verdict {
    let findings =
        control_findings(control, view, conditions).unwrap_or_else(|finding| vec![*finding]);
    // A control without findings is an error. The parser never creates one.
    let outcome = findings
        .iter()
        .map(|f| f.outcome)
        .max()
        .unwrap_or(Outcome::Error);
    let Control {
        id,
        title,
        impact,
        waiver,
        ..
    } = control;
    Verdict {
        control: id.clone(),
        title: title.clone(),
        impact: *impact,
        outcome,
        findings,
        waiver: waiver.clone(),
    }
}

/// Returns a finding for each expectation. If the control is disabled or manual, or its condition
/// does not hold, returns that finding as the error.
fn control_findings(
    control: &Control,
    view: &View<'_>,
    conditions: &Conditions,
) -> Result<Vec<Finding>, Box<Finding>> {
    if let Some(reason) = &control.disabled {
        return Err(boxed_control_finding(
            Outcome::Skipped,
            "disable",
            format!("disabled: {reason}"),
        ));
    }
    if let Some(reason) = &control.manual {
        return Err(boxed_control_finding(
            Outcome::Skipped,
            "manual",
            format!("manual review required: {reason}"),
        ));
    }
    let mut evaluation = ControlEvaluation {
        control,
        view,
        conditions,
        variables: BTreeMap::new(),
    };
    if let Some(text) = &control.when {
        evaluation.require_condition(text)?;
    }
    let mut out = Vec::new();
    for variables in evaluation.combinations()? {
        evaluation.variables = variables;
        out.extend(evaluation.group_findings(&control.body));
    }
    Ok(out)
}

/// Control with one combination of loop values.
struct ControlEvaluation<'a> {
    control: &'a Control,
    view: &'a View<'a>,
    conditions: &'a Conditions,
    variables: BTreeMap<String, Tree>,
}

impl ConditionValues for ControlEvaluation<'_> {
    fn observe(&self, target: &ResourceRef, property: &str) -> Observation {
        observe(target, property, self.view)
    }

    fn input(&self, name: &str) -> Result<Tree, EvaluationError> {
        select_input(&self.control.inputs, name, self, self.conditions)
    }

    fn variable(&self, name: &str) -> Option<Tree> {
        self.variables.get(name).cloned()
    }

    fn context(&self) -> &MatchContext {
        self.view.context()
    }
}

impl ControlEvaluation<'_> {
    /// Returns the finding of the control if its condition does not hold.
    fn require_condition(&self, text: &str) -> Result<(), Box<Finding>> {
        let (outcome, message) = match self.holds(text) {
            Ok(true) => return Ok(()),
            Ok(false) => (
                Outcome::Skipped,
                format!("the condition does not hold: {text}"),
            ),
            Err(error) => (
                Outcome::Error,
                format!("the condition could not be evaluated: {error}"),
            ),
        };
        Err(boxed_control_finding(outcome, "when", message))
    }

    fn holds(&self, text: &str) -> Result<bool, EvaluationError> {
        self.conditions.get(text)?.holds(self)
    }

    /// Returns the combinations of loop values, at least one.
    fn combinations(&self) -> Result<Vec<BTreeMap<String, Tree>>, Box<Finding>> {
        let mut loops = Vec::new();
        for (name, tree) in &self.control.for_each {
            let values = interpolate::interpolate(tree, &|name| self.input(name), &|_| None)
                .map_err(|error| {
                    boxed_control_finding(Outcome::Error, "for_each", error.to_string())
                })?;
            loops.push((name.clone(), values));
        }
        let combinations = interpolate::combinations(&loops, &|tree| tree.items().to_vec());
        if combinations.len() > interpolate::MAX_COMBINATIONS {
            let why = format!(
                "the loops have more than {} combinations",
                interpolate::MAX_COMBINATIONS
            );
            return Err(boxed_control_finding(Outcome::Error, "for_each", why));
        }
        if combinations.is_empty() {
            return Err(boxed_control_finding(
                Outcome::Skipped,
                "for_each",
                "nothing to check: the list is empty".to_owned(),
            ));
        }
        Ok(combinations)
    }

    fn interpolate(&self, tree: &Tree) -> Result<Tree, EvaluationError> {
        interpolate::interpolate(tree, &|name| self.input(name), &|name| {
            self.variables.get(name).cloned()
        })
    }

    /// Parses a matcher after its placeholders have been replaced.
    fn parse_open(&self, tree: &Tree, value_type: ValueType) -> Result<Matcher, EvaluationError> {
        let tree = self.interpolate(tree)?;
        Matcher::parse(&tree, value_type).map_err(EvaluationError::InvalidMatcher)
    }

    fn group_findings(&self, group: &Group) -> Vec<Finding> {
        let parts = || group.items.iter().map(|item| self.item_findings(item));
        match group.mode {
            Mode::All => parts().flatten().collect(),
            Mode::Any => vec![combine_findings(parts().collect(), true)],
            Mode::None => vec![combine_findings(parts().collect(), false)],
        }
    }

    fn item_findings(&self, item: &Item) -> Vec<Finding> {
        match item {
            Item::Expect(expectation) => self.expectation_findings(expectation),
            Item::Group(group) => self.group_findings(group),
        }
    }

    fn expectation_findings(&self, expectation: &Expectation) -> Vec<Finding> {
        let (input, value) = (
            |name: &str| self.input(name),
            |name: &str| self.variables.get(name).cloned(),
        );
        let target = match interpolate::interpolate_target(&expectation.target, &input, &value) {
            Ok(target) => target,
            Err(error) => {
                return vec![control_finding(
                    Outcome::Error,
                    "resource",
                    error.to_string(),
                )];
            }
        };
        let Some(kind) = registry::resource_type_of(&target) else {
            let why = format!("this version of bakeline has no resource `{}`", target.kind);
            return vec![control_finding(Outcome::Error, "resource", why)];
        };
        if let Some(finding) = self.absent_finding(expectation, kind, &target) {
            return vec![finding];
        }
        expectation
            .expect
            .iter()
            .map(|(name, expected)| {
                self.property_finding(&target, kind, name, expected, expectation)
            })
            .collect()
    }

    /// Returns the finding of `if_absent` if the resource does not exist.
    fn absent_finding(
        &self,
        expectation: &Expectation,
        kind: &ResourceType,
        target: &ResourceRef,
    ) -> Option<Finding> {
        let (meaning, presence) = (expectation.if_absent?, kind.presence?);
        let absent = matches!(
            observe(target, presence, self.view),
            Observation::Value(Value::Bool(false, _))
        );
        (absent && meaning != IfAbsent::Fail).then(|| absent_finding(meaning, target, presence))
    }

    fn property_finding(
        &self,
        target: &ResourceRef,
        kind: &ResourceType,
        name: &str,
        expected: &Expected,
        of: &Expectation,
    ) -> Finding {
        let value_type = kind.property(name).map_or(ValueType::Text, |p| p.of);
        let open;
        let matcher = match expected {
            Expected::Fixed(matcher) => Ok(matcher),
            Expected::Open(tree) => {
                open = self.parse_open(tree, value_type);
                open.as_ref()
            }
        };
        self.view.reset_secret_flag();
        let observed = observe(target, name, self.view);
        let secret = self.view.has_read_secret();
        let finding = match (matcher, observed, of.if_absent) {
            (Err(error), ..) => Finding {
                resource: target.display_name(),
                ..control_finding(Outcome::Error, name, format!("{name}: {error}"))
            },
            (Ok(_), Observation::Missing(_), Some(meaning @ (IfAbsent::Skip | IfAbsent::Pass))) => {
                absent_finding(meaning, target, name)
            }
            (Ok(matcher), observed, _) => compare(
                target,
                name,
                matcher,
                matcher.describe(value_type),
                observed,
                self.view.context(),
            ),
        };
        let details = || {
            self.view.reset_secret_flag();
            let details = (kind.details)(target, name, self.view)?;
            (!self.view.has_read_secret()).then_some(details)
        };
        let finding = add_details(finding, details);
        let finding = add_remark(finding, (kind.remark)(target, self.view));
        match (self.is_sensitive(expected), secret) {
            (true, _) => mask_all(finding),
            (false, true) => mask_actual(finding),
            (false, false) => finding,
        }
    }

    /// Returns whether the expected value uses a sensitive input.
    fn is_sensitive(&self, expected: &Expected) -> bool {
        let Expected::Open(tree) = expected else {
            return false;
        };
        placeholder::input_names(tree).iter().any(|name| {
            self.control
                .inputs
                .get(*name)
                .is_some_and(|input| input.sensitive)
        })
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod secret_tests;
