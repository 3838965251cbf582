//! Parses the loop variables of a check.

use crate::language::interpolate;
use crate::language::parse::parser::CheckParser;
use crate::language::placeholder;
use crate::matcher::tree::Tree;
use crate::problem::Problem;
use crate::registry;

impl CheckParser<'_> {
    /// Parses the variables with their values as written.
    pub(super) fn parse_loops(&mut self, check: &Tree) -> Vec<(String, Tree)> {
        let Some(loops) = check.get("for_each") else {
            return Vec::new();
        };
        for (name, values) in loops.entries() {
            let mut problems: Vec<Problem> = name_problem(name).into_iter().collect();
            problems.extend(
                placeholder::find_unknown_names(values, &[], self.inputs)
                    .into_iter()
                    .chain(placeholder::find_exposed_secret(values, self.inputs))
                    .map(|problem| problem.under(name)),
            );
            self.report_under("for_each", problems);
            self.variables.push(name.clone());
        }
        self.for_each = loops.entries().to_vec();
        let combinations = interpolate::combinations(loops.entries(), &|tree| {
            interpolate::possible_items(tree, self.inputs)
        });
        if combinations.len() > interpolate::MAX_COMBINATIONS {
            let message = format!(
                "for_each: more than {} combinations",
                interpolate::MAX_COMBINATIONS
            );
            self.report(Problem::new(message, "split it into several checks").under("for_each"));
        }
        self.for_each.clone()
    }
}

/// Returns a problem if a loop variable cannot have this name.
fn name_problem(name: &str) -> Option<Problem> {
    let is_plain = placeholder::is_name(name);
    if is_plain && name != "inputs" && registry::resource_type(name).is_none() {
        return None;
    }
    let message = format!(
        "`{}` is not a valid name of a loop variable",
        name.escape_debug()
    );
    let help = "use letters, digits and `_`, but neither `inputs` nor the name of a resource";
    Some(Problem::new(message, help).at_key().under(name))
}
