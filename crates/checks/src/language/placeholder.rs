//! Finds placeholders: `$inputs.NAME` is a whole value, `${NAME}` a loop variable, and
//! `${inputs.NAME}` an input within text.

use std::collections::BTreeMap;

use crate::language::input::{Input, unknown_input};
use crate::matcher::tree::Tree;
use crate::problem::Problem;

pub(super) const WHOLE_VALUE: &str = "$inputs.";

/// Part of a text: literal text or a placeholder.
pub(super) enum Piece<'t> {
    Literal(&'t str),
    Input(&'t str),
    Variable(&'t str),
}

/// Splits a text at its placeholders. `${…}` without the name of an input or loop variable is
/// literal text.
pub(super) fn split_placeholders<'t>(
    text: &'t str,
    is_variable: &dyn Fn(&str) -> bool,
) -> Vec<Piece<'t>> {
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

/// Returns whether a text has the syntax of a name. The input or loop variable need not exist.
pub(super) fn is_name(text: &str) -> bool {
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

/// Returns a problem for each unknown name in the placeholders of a value. Without loop variables,
/// `${NAME}` is literal text and gives none.
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
