//! Owns what is written in place of a value that is known later: `$inputs.NAME` for a whole value, `${NAME}` of a loop and
//! `${inputs.NAME}` within text.

use std::collections::{BTreeMap, BTreeSet};

use crate::kind::Target;
use crate::language::control::{Control, Expected};
use crate::language::grammar;
use crate::language::input::{Input, InputRules, no_input};
use crate::matcher::tree::Tree;
use crate::problem::Problem;

const WHOLE: &str = "$inputs.";
/// The most combinations of loop values that are judged.
pub(crate) const MOST_ROWS: usize = 10_000;

/// One piece of a text: itself, or what stands for something.
enum Piece<'t> {
    Plain(&'t str),
    Input(&'t str),
    Loop(&'t str),
}

/// A text in pieces. `${…}` that names neither an input nor a loop value is itself.
fn pieces<'t>(text: &'t str, known: &dyn Fn(&str) -> bool) -> Vec<Piece<'t>> {
    if let Some(name) = text.strip_prefix(WHOLE).filter(|n| is_name(n)) {
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
            _ if is_name(name) && known(name) => Piece::Loop(name),
            _ => {
                from = at + 2;
                continue;
            }
        };
        out.push(Piece::Plain(&rest[..at]));
        out.push(piece);
        (rest, from) = (&rest[end + 1..], 0);
    }
    out.push(Piece::Plain(rest));
    out
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a value depends on inputs or loop values.
pub(crate) fn refers(tree: &Tree, loops: &[String]) -> bool {
    let mut found = false;
    tree.texts(&mut |text| {
        let pieces = pieces(text, &|name| loops.iter().any(|l| l == name));
        found |= pieces.iter().any(|p| !matches!(p, Piece::Plain(_)));
    });
    found
}

/// The names that a value uses and nobody gives.
pub(crate) fn check(
    tree: &Tree,
    loops: &[String],
    inputs: &BTreeMap<String, Input>,
) -> Vec<Problem> {
    let mut out = Vec::new();
    tree.texts(&mut |text| {
        for piece in pieces(text, &|_| true) {
            match piece {
                Piece::Input(name) if !inputs.contains_key(name) => {
                    out.push(no_input(name, inputs))
                }
                Piece::Loop(name) if !loops.is_empty() && !loops.iter().any(|l| l == name) => out
                    .push(Problem::new(
                        format!("`${{{name}}}` is no value of `for_each`"),
                        format!("use one of {}", loops.join(", ")),
                    )),
                _ => {}
            }
        }
    });
    out
}

/// A value with everything in it that was open replaced.
///
/// # Errors
/// A name that has no value, or a list within text.
pub(crate) fn close(
    tree: &Tree,
    inputs: &dyn Fn(&str) -> Result<Tree, String>,
    loops: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Tree, String> {
    tree.replaced(&mut |text| close_text(text, inputs, loops))
}

fn close_text(
    text: &str,
    inputs: &dyn Fn(&str) -> Result<Tree, String>,
    loops: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Tree, String> {
    let pieces = pieces(text, &|name| loops(name).is_some());
    let value = |piece: &Piece<'_>| match piece {
        Piece::Plain(text) => Ok(Tree::Text((*text).to_owned())),
        Piece::Input(name) => inputs(name),
        Piece::Loop(name) => loops(name).ok_or_else(|| format!("there is no `{name}`")),
    };
    // A value that stands alone keeps its type.
    let filled: Vec<&Piece<'_>> = pieces
        .iter()
        .filter(|p| !matches!(p, Piece::Plain("")))
        .collect();
    if let [one] = filled.as_slice() {
        return value(one);
    }
    let mut out = String::new();
    for piece in &pieces {
        let part = value(piece)?;
        out += &part
            .spelled()
            .ok_or_else(|| format!("{} can't be part of a text", part.describe()))?;
    }
    Ok(Tree::Text(out))
}

/// A target with everything in it that was open replaced.
///
/// # Errors
/// A name that has no value, or a list where there is room for one text only.
pub(crate) fn close_target(
    target: &Target,
    inputs: &dyn Fn(&str) -> Result<Tree, String>,
    loops: &dyn Fn(&str) -> Option<Tree>,
) -> Result<Target, String> {
    let spelled = |tree: &Tree| {
        tree.spelled()
            .ok_or_else(|| "a list can't be looked at".to_owned())
    };
    let mut parameters = BTreeMap::new();
    for (name, value) in &target.parameters {
        // A parameter that is a list has an item on each line.
        let mut lines = Vec::new();
        for line in value.split('\n') {
            for item in close_text(line, inputs, loops)?.items() {
                lines.push(spelled(item)?);
            }
        }
        parameters.insert(name.clone(), lines.join("\n"));
    }
    let subject = spelled(&close_text(&target.subject, inputs, loops)?)?;
    Ok(Target {
        kind: target.kind.clone(),
        subject,
        parameters,
    })
}

/// Every target that this one can become, whatever its loops and inputs turn out to be.
pub(crate) fn targets(
    target: &Target,
    loops: &[(String, Tree)],
    inputs: &BTreeMap<String, Input>,
) -> BTreeSet<Target> {
    let texts = Tree::List(
        texts(target)
            .map(|text| Tree::Text(text.to_owned()))
            .collect(),
    );
    let mut open: Vec<(String, Tree)> = loops
        .iter()
        .map(|(name, tree)| (name.clone(), Tree::List(every(tree, inputs))))
        .collect();
    for (name, input) in inputs_in(&texts)
        .into_iter()
        .filter_map(|name| inputs.get_key_value(name))
    {
        let choices = input
            .choices
            .iter()
            .map(|(_, value)| value.clone())
            .collect();
        // No loop has a name with a dot.
        open.push((format!("inputs.{name}"), Tree::List(choices)));
    }
    let input =
        |row: &BTreeMap<String, Tree>, name: &str| row.get(&format!("inputs.{name}")).cloned();
    rows(&open, &|tree| tree.items().to_vec())
        .iter()
        .filter_map(|row| {
            let given =
                |name: &str| input(row, name).ok_or_else(|| format!("there is no input `{name}`"));
            close_target(target, &given, &|name| row.get(name).cloned()).ok()
        })
        .collect()
}

/// What of a target may be open.
fn texts(target: &Target) -> impl Iterator<Item = &str> {
    std::iter::once(target.subject.as_str()).chain(
        target
            .parameters
            .values()
            .flat_map(|value| value.split('\n')),
    )
}

/// What a value becomes by each choice of the inputs that it names; loop values stay open.
pub(crate) fn sample_trees(
    tree: &Tree,
    loops: &[String],
    inputs: &BTreeMap<String, Input>,
) -> Vec<Tree> {
    let mut has_loops = false;
    tree.texts(&mut |text| {
        let pieces = pieces(text, &|name| loops.iter().any(|l| l == name));
        has_loops |= pieces.iter().any(|p| matches!(p, Piece::Loop(_)));
    });
    if has_loops {
        return Vec::new();
    }
    let most = inputs.values().map(|i| i.choices.len()).max().unwrap_or(1);
    (0..most)
        .filter_map(|n| {
            let choice = |name: &str| {
                let choices = &inputs.get(name).ok_or_else(String::new)?.choices;
                choices
                    .get(n.min(choices.len().saturating_sub(1)))
                    .map(|(_, v)| v.clone())
                    .ok_or_else(String::new)
            };
            close(tree, &choice, &|_| None).ok()
        })
        .collect()
}

/// The inputs that a value names.
pub(crate) fn inputs_in(tree: &Tree) -> Vec<&str> {
    let mut out = Vec::new();
    tree.texts(&mut |text| {
        out.extend(
            pieces(text, &|_| false)
                .into_iter()
                .filter_map(|p| match p {
                    Piece::Input(name) => Some(name),
                    _ => None,
                }),
        );
    });
    out
}

/// The sensitive inputs that a value names where it must not: what is looked at is part of the facts, which are kept.
pub(crate) fn exposed(tree: &Tree, inputs: &BTreeMap<String, Input>) -> Option<Problem> {
    let name = inputs_in(tree)
        .into_iter()
        .find(|name| inputs.get(*name).is_some_and(|input| input.sensitive))?;
    let message = format!("the sensitive input `{name}` can't say what to look at");
    Some(Problem::new(
        message,
        "name it in what is expected: what is looked at is part of the facts that are kept",
    ))
}

/// The values of loops, one row for each combination.
pub(crate) fn rows(
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
            .take(MOST_ROWS + 1)
            .collect();
    }
    out
}

/// Every item that a loop's value can have, whatever the target says.
pub(crate) fn every(tree: &Tree, inputs: &BTreeMap<String, Input>) -> Vec<Tree> {
    let named = tree
        .text()
        .and_then(|t| t.strip_prefix(WHOLE))
        .and_then(|name| inputs.get(name));
    match named {
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

/// The inputs that a control names.
pub(crate) fn named(
    control: &Control,
    inputs: &BTreeMap<String, Input>,
) -> BTreeMap<String, Input> {
    let mut names = BTreeSet::new();
    let mut add = |tree: &Tree| names.extend(inputs_in(tree).into_iter().map(str::to_owned));
    control.for_each.iter().for_each(|(_, tree)| add(tree));
    for expectation in control.expectations() {
        texts(&expectation.target).for_each(|text| add(&Tree::Text(text.to_owned())));
        for expected in expectation.expect.values() {
            if let Expected::Open(tree) = expected {
                add(tree);
            }
        }
    }
    if let Some(Ok(condition)) = control.when.as_deref().map(grammar::parse) {
        let mut inputs = Vec::new();
        condition.names(&mut inputs, &mut Vec::new());
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
