//! Replaces placeholders in values and targets, and lists the values that can result.

use std::collections::{BTreeMap, BTreeSet};

use crate::exclusion::parse_exclusion;
use crate::language::control::{Control, Expected};
use crate::language::error::EvaluationError;
use crate::language::grammar;
use crate::language::input::{Input, InputRules};
use crate::language::placeholder::{Piece, WHOLE_VALUE, input_names, split_placeholders};
use crate::matcher::tree::Tree;
use crate::resource_type::ResourceRef;

/// Maximum number of combinations of loop values.
pub(crate) const MAX_COMBINATIONS: usize = 10_000;

/// Replaces the placeholders of a value.
///
/// # Errors
/// Returns an error for a name without a value, and for a list within text.
pub(crate) fn interpolate(
    tree: &Tree,
    inputs: &dyn Fn(&str) -> Result<Tree, EvaluationError>,
    variables: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Tree, EvaluationError> {
    tree.map_texts(&mut |text| interpolate_text(text, inputs, variables))
}

fn interpolate_text(
    text: &str,
    inputs: &dyn Fn(&str) -> Result<Tree, EvaluationError>,
    variables: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Tree, EvaluationError> {
    let pieces = split_placeholders(text, &|name| variables(name).is_some());
    let value = |piece: &Piece<'_>| match piece {
        Piece::Literal(text) => Ok(Tree::Text((*text).to_owned())),
        Piece::Input(name) => inputs(name),
        Piece::Variable(name) => {
            variables(name).ok_or_else(|| EvaluationError::UnknownName((*name).to_owned()))
        }
    };
    // A placeholder without text around it keeps the type of its value.
    let filled: Vec<&Piece<'_>> = pieces
        .iter()
        .filter(|p| !matches!(p, Piece::Literal("")))
        .collect();
    if let [one] = filled.as_slice() {
        return value(one);
    }
    let mut out = String::new();
    for piece in &pieces {
        let part = value(piece)?;
        out += &part
            .scalar_text()
            .ok_or_else(|| EvaluationError::NotPartOfText(part.describe()))?;
    }
    Ok(Tree::Text(out))
}

/// Replaces the placeholders of a target.
///
/// # Errors
/// Returns an error for a name without a value, and for a list in the subject.
pub(crate) fn interpolate_target(
    target: &ResourceRef,
    inputs: &dyn Fn(&str) -> Result<Tree, EvaluationError>,
    variables: &dyn Fn(&str) -> Option<Tree>,
) -> Result<ResourceRef, EvaluationError> {
    let spelled = |tree: &Tree| tree.scalar_text().ok_or(EvaluationError::ListAsSubject);
    let item_text = |tree: &Tree| match tree {
        Tree::Map(_) => parse_exclusion(tree)
            .map(|exclusion| exclusion.as_line())
            .map_err(EvaluationError::InvalidMatcher),
        scalar => spelled(scalar),
    };
    let mut parameters = BTreeMap::new();
    for (name, value) in &target.parameters {
        // A parameter that is a list has one item per line.
        let mut lines = Vec::new();
        for line in value.split('\n') {
            for item in interpolate_text(line, inputs, variables)?.items() {
                lines.push(item_text(item)?);
            }
        }
        parameters.insert(name.clone(), lines.join("\n"));
    }
    let subject = spelled(&interpolate_text(&target.subject, inputs, variables)?)?;
    Ok(ResourceRef {
        kind: target.kind.clone(),
        subject,
        parameters,
    })
}

/// Returns all targets that result from the possible values of loops and inputs.
pub(crate) fn possible_targets(
    target: &ResourceRef,
    loops: &[(String, Tree)],
    inputs: &BTreeMap<String, Input>,
) -> BTreeSet<ResourceRef> {
    let texts = Tree::List(
        target_texts(target)
            .map(|text| Tree::Text(text.to_owned()))
            .collect(),
    );
    let mut values: Vec<(String, Tree)> = loops
        .iter()
        .map(|(name, tree)| (name.clone(), Tree::List(possible_items(tree, inputs))))
        .collect();
    for (name, input) in input_names(&texts)
        .into_iter()
        .filter_map(|name| inputs.get_key_value(name))
    {
        let choices = input
            .choices
            .iter()
            .map(|(_, value)| value.clone())
            .collect();
        // Names of loop variables have no dot.
        values.push((format!("inputs.{name}"), Tree::List(choices)));
    }
    let unknown_input = |name: &str| EvaluationError::UnknownInput(name.to_owned());
    let input =
        |row: &BTreeMap<String, Tree>, name: &str| row.get(&format!("inputs.{name}")).cloned();
    combinations(&values, &|tree| tree.items().to_vec())
        .iter()
        .filter_map(|row| {
            let input_value = |name: &str| input(row, name).ok_or_else(|| unknown_input(name));
            interpolate_target(target, &input_value, &|name| row.get(name).cloned()).ok()
        })
        .collect()
}

/// Returns the texts of a target that can contain placeholders.
fn target_texts(target: &ResourceRef) -> impl Iterator<Item = &str> {
    std::iter::once(target.subject.as_str()).chain(
        target
            .parameters
            .values()
            .flat_map(|value| value.split('\n')),
    )
}

/// Returns sample values: the n-th uses the n-th choice of every input. Returns none for a value
/// with loop variables.
pub(crate) fn sample_values(
    tree: &Tree,
    variables: &[String],
    inputs: &BTreeMap<String, Input>,
) -> Vec<Tree> {
    let mut has_variables = false;
    tree.visit_texts(&mut |text| {
        let pieces = split_placeholders(text, &|name| variables.iter().any(|v| v == name));
        has_variables |= pieces.iter().any(|p| matches!(p, Piece::Variable(_)));
    });
    if has_variables {
        return Vec::new();
    }
    let max_choices = inputs.values().map(|i| i.choices.len()).max().unwrap_or(1);
    (0..max_choices)
        .filter_map(|n| {
            let choice = |name: &str| {
                inputs
                    .get(name)
                    .and_then(|input| {
                        let last = input.choices.len().checked_sub(1)?;
                        input.choices.get(n.min(last))
                    })
                    .map(|(_, value)| value.clone())
                    .ok_or_else(|| EvaluationError::UnknownInput(name.to_owned()))
            };
            interpolate(tree, &choice, &|_| None).ok()
        })
        .collect()
}

/// Returns the combinations of the values of loop variables, at most `MAX_COMBINATIONS + 1`.
pub(crate) fn combinations(
    loops: &[(String, Tree)],
    values: &dyn Fn(&Tree) -> Vec<Tree>,
) -> Vec<BTreeMap<String, Tree>> {
    let mut out = vec![BTreeMap::new()];
    for (name, tree) in loops {
        let items = values(tree);
        out = out
            .iter()
            .flat_map(|row| {
                items.iter().map(move |item| {
                    let mut row = row.clone();
                    row.insert(name.clone(), item.clone());
                    row
                })
            })
            .take(MAX_COMBINATIONS + 1)
            .collect();
    }
    out
}

/// Returns all items that a loop can have, for any choice of its input.
pub(crate) fn possible_items(tree: &Tree, inputs: &BTreeMap<String, Input>) -> Vec<Tree> {
    let input = tree
        .text()
        .and_then(|t| t.strip_prefix(WHOLE_VALUE))
        .and_then(|name| inputs.get(name));
    match input {
        Some(input) => {
            let mut out: Vec<Tree> = Vec::new();
            for item in input.choices.iter().flat_map(|(_, value)| value.items()) {
                if !out.contains(item) {
                    out.push(item.clone());
                }
            }
            out
        }
        None => tree.items().to_vec(),
    }
}

/// Returns the inputs that a control uses.
pub(crate) fn used_inputs(
    control: &Control,
    inputs: &BTreeMap<String, Input>,
) -> BTreeMap<String, Input> {
    let mut names = BTreeSet::new();
    let mut add = |tree: &Tree| names.extend(input_names(tree).into_iter().map(str::to_owned));
    control.for_each.iter().for_each(|(_, tree)| add(tree));
    for expectation in control.expectations() {
        target_texts(&expectation.target).for_each(|text| add(&Tree::Text(text.to_owned())));
        for expected in expectation.expect.values() {
            if let Expected::Open(tree) = expected {
                add(tree);
            }
        }
    }
    if let Some(Ok(condition)) = control.when.as_deref().map(grammar::parse) {
        let mut inputs = Vec::new();
        condition.collect_names(&mut inputs, &mut Vec::new());
        names.extend(inputs.into_iter().map(str::to_owned));
    }
    let kept = |(name, input): (&String, &Input)| {
        let input = || Input {
            rules: InputRules::default(),
            ..input.clone()
        };
        names.contains(name).then(|| (name.clone(), input()))
    };
    inputs.iter().filter_map(kept).collect()
}
