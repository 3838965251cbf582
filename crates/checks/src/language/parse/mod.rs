//! Parses a check into a [`Control`]: reports all problems together, then applies the defaults.

mod body;
mod expectation;
mod keys;
mod loops;
mod parser;
mod target;

use std::collections::{BTreeMap, BTreeSet};

use crate::language::control::{Control, Expected, Group, SourceLocation};
use crate::language::ids::IdAllocator;
use crate::language::input::Input;
use crate::language::interpolate;
use crate::matcher::tree::Tree;
use crate::phase::Phase;
use crate::problem::Problem;
use crate::registry;
use crate::resource_type::ValueType;

use keys::LONGEST_LINE;
use parser::CheckParser;

/// Context for parsing a check.
pub struct ParseContext<'a> {
    /// IDs in use; the parser adds the new one.
    pub ids: &'a mut IdAllocator,
    /// Inputs that the check can use.
    pub inputs: &'a BTreeMap<String, Input>,
    /// Definition of the check.
    pub defined_at: SourceLocation,
}

/// Parses a check and applies the defaults.
///
/// # Errors
/// Returns all problems of the check.
pub fn parse_control(check: &Tree, context: ParseContext<'_>) -> Result<Control, Vec<Problem>> {
    let mut parser = CheckParser::new(context.inputs);
    let for_each = parser.parse_loops(check);
    let manual = parser.parse_line(check, "manual");
    let body = parser.parse_body(check, manual.is_some());
    let mut phases = parser.parse_phases(check, default_phases(&body));
    let within = parser.parse_within(check, &mut phases);
    let control = Control {
        id: parser.parse_line(check, "id").unwrap_or_default(),
        title: parser.parse_line(check, "title").unwrap_or_default(),
        desc: check
            .get("desc")
            .and_then(Tree::text)
            .map(|t| t.trim().to_owned()),
        impact: parser.parse_impact(check),
        tags: check
            .get("tags")
            .map(|t| t.entries().iter().cloned().collect())
            .unwrap_or_default(),
        refs: check
            .get("refs")
            .into_iter()
            .flat_map(Tree::items)
            .filter_map(Tree::scalar_text)
            .collect(),
        phases,
        within,
        when: parser.parse_condition(check),
        manual,
        for_each,
        inputs: BTreeMap::new(),
        body,
        disabled: None,
        waiver: None,
        defined_at: context.defined_at,
    };
    parser.finish(control, context.ids)
}

/// Returns the default phases: those in which all resources of the body can be judged.
fn default_phases(body: &Group) -> BTreeSet<Phase> {
    let mut out = BTreeSet::from([Phase::Build, Phase::Boot]);
    for expectation in body.expectations() {
        let own =
            registry::resource_type_of(&expectation.target).map_or(&[][..], |kind| kind.phases);
        out.retain(|phase| own.contains(phase));
    }
    if out.is_empty() {
        BTreeSet::from([Phase::Boot])
    } else {
        out
    }
}

impl CheckParser<'_> {
    /// Returns the control with its defaults, or the problems.
    fn finish(
        mut self,
        mut control: Control,
        ids: &mut IdAllocator,
    ) -> Result<Control, Vec<Problem>> {
        if ids.contains(&control.id) {
            let message = format!(
                "id: another check has the ID `{}`",
                control.id.escape_debug()
            );
            self.report(Problem::new(message, "choose another ID or remove `id`").under("id"));
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let default_id = self.default_id.unwrap_or_else(|| "manual".to_owned());
        if control.title.is_empty() {
            control.title = default_title(&default_id, &control);
        }
        if control.id.is_empty() {
            control.id = ids.find_unused(&default_id);
        }
        ids.insert(control.id.clone());
        control.inputs = interpolate::used_inputs(&control, self.inputs);
        Ok(control)
    }
}

/// Returns a title such as `file /etc/motd: mode "0644", owner "root"`.
fn default_title(id: &str, control: &Control) -> String {
    let mut all = Vec::new();
    for expectation in control.expectations() {
        let kind = registry::resource_type_of(&expectation.target);
        for (name, expected) in &expectation.expect {
            let value_type = kind
                .and_then(|k| k.property(name))
                .map_or(ValueType::Text, |p| p.of);
            all.push(match expected {
                Expected::Fixed(matcher) => format!("{name} {}", matcher.describe(value_type)),
                Expected::Open(_) => name.clone(),
            });
        }
    }
    let text = format!("{}: {}", id.replacen(':', " ", 1), all.join(", "));
    if text.chars().count() <= LONGEST_LINE {
        text
    } else {
        text.chars().take(LONGEST_LINE - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests;
