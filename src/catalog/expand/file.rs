//! Reads the variables and the matrix of an image file.

use super::matrix::{Combination, expand_matrix};
use super::scope::{Level, Resolver, read_level};
use super::substitute::Substitution;
use crate::catalog::codes;
use crate::catalog::yaml::node::Node;
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
        let combinations = match matrix {
            None => vec![Combination::new()],
            Some(matrix) => {
                let mut resolver = Resolver::new(vec![&variables, catalog]);
                let matrix = Substitution::new(source, &mut resolver, diagnostics).node(&matrix)?;
                expand_matrix(&matrix, source, diagnostics)?
            }
        };
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
        })
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
        .flat_map(|combination| combination.keys())
        .map(|name| format!("${{{name}}}"))
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
