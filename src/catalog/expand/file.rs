//! Reads the variables and the matrix of an image file.

use std::collections::BTreeSet;

use super::describe::text_placeholder;
use super::matrix::{Combination, expand_matrix};
use super::scope::{Level, Resolver, read_level};
use super::substitute::Substitution;
use crate::catalog::codes;
use crate::catalog::yaml::node::{ByteRange, Node};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

/// Image file before expansion.
pub(crate) struct ImageFile<'a> {
    pub(super) source: SourceFile<'a>,
    /// Name of the file without folder and extension.
    pub(super) stem: String,
    /// Values without `variables` and `matrix`.
    pub(super) node: Node,
    pub(super) variables: Level<'a>,
    /// Combinations of the matrix, or one empty combination.
    pub(super) combinations: Vec<Combination<'a>>,
    pub(super) has_matrix: bool,
    /// Names of the variables that the matrix uses.
    pub(super) used: BTreeSet<String>,
}

impl<'a> ImageFile<'a> {
    /// Takes `variables` and `matrix` out of a parsed file. Returns `None` after an error.
    pub(crate) fn take(
        source: SourceFile<'a>,
        stem: &str,
        mut node: Node,
        catalog: &Level<'a>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let before = diagnostics.error_count();
        let variables = read_level(node.take("variables"), source, diagnostics);
        let matrix = node.take("matrix");
        let has_matrix = matrix.is_some();
        let mut used = BTreeSet::new();
        let combinations = match matrix {
            None => vec![Combination::new()],
            Some(matrix) => {
                let mut resolver = Resolver::new(vec![&variables, catalog]);
                let matrix = Substitution::new(source, &mut resolver, diagnostics).node(&matrix)?;
                used.extend(resolver.used().map(str::to_owned));
                expand_matrix(&matrix, source, diagnostics)?
            }
        };
        report_hidden_variables(source, &variables, &combinations, diagnostics);
        if has_matrix && node.get("name").is_none() {
            report_missing_name(source, &node, &combinations, diagnostics);
        }
        (diagnostics.error_count() == before).then(|| Self {
            source,
            stem: stem.to_owned(),
            node,
            variables,
            combinations,
            has_matrix,
            used,
        })
    }
}

/// Reports variables that the matrix defines again.
fn report_hidden_variables(
    source: SourceFile<'_>,
    variables: &Level<'_>,
    combinations: &[Combination<'_>],
    diagnostics: &mut Diagnostics,
) {
    for (name, definition) in variables {
        if let Some(again) = combinations.iter().find_map(|c| c.get(name)) {
            let span = |range: &ByteRange| source.span(range.clone());
            diagnostics
                .error(
                    codes::MATRIX,
                    span(&definition.span),
                    format!("the variable `{name}` is also in the matrix"),
                )
                .help("remove it from `variables` or from the matrix")
                .add_related(span(&again.span), "the matrix sets it here");
        }
    }
}

fn report_missing_name(
    source: SourceFile<'_>,
    node: &Node,
    combinations: &[Combination<'_>],
    diagnostics: &mut Diagnostics,
) {
    let start = node.span.start;
    let variables: Vec<String> = combinations
        .first()
        .into_iter()
        .flatten()
        .filter_map(|(name, definition)| text_placeholder(name, &definition.value))
        .collect();
    diagnostics
        .error(
            codes::MATRIX,
            source.span(start..start),
            "an image file with a matrix needs `name`",
        )
        .help(format!(
            "add a name that differs for each combination, such as `name: NAME-{}`",
            variables.join("-")
        ));
}
