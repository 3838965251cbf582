//! Replaces placeholders: `$inputs.NAME` is a whole value, `${NAME}` a loop variable, and
//! `${inputs.NAME}` an input within text.

use std::collections::{BTreeMap, BTreeSet};

use crate::kind::Target;
use crate::language::control::{Control, Expected};
use crate::language::grammar;
use crate::language::input::{Input, InputRules, unknown_input};
use crate::matcher::tree::Tree;
use crate::problem::Problem;

const WHOLE_VALUE: &str = "$inputs.";
/// Maximum number of combinations of loop values.
pub(crate) const MAX_COMBINATIONS: usize = 10_000;

/// Part of a text: literal text or a placeholder.
enum Piece<'t> {
    Literal(&'t str),
    Input(&'t str),
    Variable(&'t str),
}

/// Splits a text at its placeholders. `${…}` without the name of an input or loop variable is
/// literal text.
fn split_placeholders<'t>(text: &'t str, is_variable: &dyn Fn(&str) -> bool) -> Vec<Piece<'t>> {
    if let Some(name) = text.strip_prefix(WHOLE_VALUE).filter(|n| is_name(n)) {
        return vec![Piece::Input(name)];
    }
    let (mut out, mut rest, mut from) = (Vec::new(), text, 0);
    while let Some(at) = rest[from..].find("${").map(|at| at + from) {
        let Some(end) = rest[at..].find('}').map(|end| end + at) else {
            break;
        };
        let name = &rest[at + 2..end];
        let piece = match name.strip_prefix("inputs.") {
            Some(input) if is_name(input) => Piece::Input(input),
            _ if is_name(name) && is_variable(name) => Piece::Variable(name),
            _ => {
                from = at + 2;
                continue;
            }
        };
        out.push(Piece::Literal(&rest[..at]));
        out.push(piece);
        (rest, from) = (&rest[end + 1..], 0);
    }
    out.push(Piece::Literal(rest));
    out
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns whether a value contains placeholders.
pub(crate) fn has_placeholders(tree: &Tree, variables: &[String]) -> bool {
    let mut found = false;
    tree.visit_texts(&mut |text| {
        let pieces = split_placeholders(text, &|name| variables.iter().any(|v| v == name));
        found |= pieces.iter().any(|p| !matches!(p, Piece::Literal(_)));
    });
    found
}

/// Returns a problem for each unknown name in the placeholders of a value.
pub(crate) fn find_unknown_names(
    tree: &Tree,
    variables: &[String],
    inputs: &BTreeMap<String, Input>,
) -> Vec<Problem> {
    let mut out = Vec::new();
    tree.visit_texts(&mut |text| {
        for piece in split_placeholders(text, &|_| true) {
            match piece {
                Piece::Input(name) if !inputs.contains_key(name) => {
                    out.push(unknown_input(name, inputs))
                }
                Piece::Variable(name)
                    if !variables.is_empty() && !variables.iter().any(|v| v == name) =>
                {
                    out.push(Problem::new(
                        format!("`${{{name}}}` is not a variable of `for_each`"),
                        format!("use one of {}", variables.join(", ")),
                    ))
                }
                _ => {}
            }
        }
    });
    out
}

/// Replaces the placeholders of a value.
///
/// # Errors
/// Returns an error for a name without a value, and for a list within text.
pub(crate) fn interpolate(
    tree: &Tree,
    inputs: &dyn Fn(&str) -> Result<Tree, String>,
    variables: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Tree, String> {
    tree.map_texts(&mut |text| interpolate_text(text, inputs, variables))
}

fn interpolate_text(
    text: &str,
    inputs: &dyn Fn(&str) -> Result<Tree, String>,
    variables: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Tree, String> {
    let pieces = split_placeholders(text, &|name| variables(name).is_some());
    let value = |piece: &Piece<'_>| match piece {
        Piece::Literal(text) => Ok(Tree::Text((*text).to_owned())),
        Piece::Input(name) => inputs(name),
        Piece::Variable(name) => variables(name).ok_or_else(|| format!("unknown name `{name}`")),
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
            .ok_or_else(|| format!("{} cannot be part of a text", part.describe()))?;
    }
    Ok(Tree::Text(out))
}

/// Replaces the placeholders of a target.
///
/// # Errors
/// Returns an error for a name without a value, and for a list in the subject.
pub(crate) fn interpolate_target(
    target: &Target,
    inputs: &dyn Fn(&str) -> Result<Tree, String>,
    variables: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Target, String> {
    let spelled = |tree: &Tree| {
        tree.scalar_text()
            .ok_or_else(|| "a list cannot be the subject of a resource".to_owned())
    };
    let mut parameters = BTreeMap::new();
    for (name, value) in &target.parameters {
        // A parameter that is a list has one item per line.
        let mut lines = Vec::new();
        for line in value.split('\n') {
            for item in interpolate_text(line, inputs, variables)?.items() {
                lines.push(spelled(item)?);
            }
        }
        parameters.insert(name.clone(), lines.join("\n"));
    }
    let subject = spelled(&interpolate_text(&target.subject, inputs, variables)?)?;
    Ok(Target {
        kind: target.kind.clone(),
        subject,
        parameters,
    })
}

/// Returns all targets that result from the possible values of loops and inputs.
pub(crate) fn possible_targets(
    target: &Target,
    loops: &[(String, Tree)],
    inputs: &BTreeMap<String, Input>,
) -> BTreeSet<Target> {
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
    let input =
        |row: &BTreeMap<String, Tree>, name: &str| row.get(&format!("inputs.{name}")).cloned();
    combinations(&values, &|tree| tree.items().to_vec())
        .iter()
        .filter_map(|row| {
            let input_value =
                |name: &str| input(row, name).ok_or_else(|| format!("unknown input `{name}`"));
            interpolate_target(target, &input_value, &|name| row.get(name).cloned()).ok()
        })
        .collect()
}

/// Returns the texts of a target that can contain placeholders.
fn target_texts(target: &Target) -> impl Iterator<Item = &str> {
    std::iter::once(target.subject.as_str()).chain(
        target
            .parameters
            .values()
            .flat_map(|value| value.split('\n')),
    )
}

/// Returns the value for each choice of its inputs; nothing for a value with loop variables.
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
                let choices = &inputs.get(name).ok_or_else(String::new)?.choices;
                choices
                    .get(n.min(choices.len().saturating_sub(1)))
                    .map(|(_, v)| v.clone())
                    .ok_or_else(String::new)
            };
            interpolate(tree, &choice, &|_| None).ok()
        })
        .collect()
}

/// Returns the names of the inputs in a value.
pub(crate) fn input_names(tree: &Tree) -> Vec<&str> {
    let mut out = Vec::new();
    tree.visit_texts(&mut |text| {
        out.extend(
            split_placeholders(text, &|_| false)
                .into_iter()
                .filter_map(|p| match p {
                    Piece::Input(name) => Some(name),
                    _ => None,
                }),
        );
    });
    out
}

/// Returns a problem if a value that selects a resource uses a sensitive input. Subjects and
/// parameters are part of the facts, which bakeline stores.
pub(crate) fn find_exposed_secret(
    tree: &Tree,
    inputs: &BTreeMap<String, Input>,
) -> Option<Problem> {
    let name = input_names(tree)
        .into_iter()
        .find(|name| inputs.get(*name).is_some_and(|input| input.sensitive))?;
    let message = format!("the sensitive input `{name}` cannot select a resource");
    Some(Problem::new(
        message,
        "use it in an expected value: subjects and parameters are stored with the facts",
    ))
}

/// Returns all combinations of the values of loop variables.
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
