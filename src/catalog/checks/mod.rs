//! Parses entries of `checks:` into controls and assigns their IDs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::codes;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{ByteRange, Node, Value};
use crate::catalog::yaml::source::Diagnostics;
use crate::checks::{
    self, Control, IdAllocator, Input, ParseContext, Part, Problem, SourceLocation, Tree, Waiver,
};
use crate::diagnostic::Span;

/// A valid check with its position. The ID of its control depends on the image that uses it.
#[derive(Debug, Clone)]
pub(crate) struct ParsedCheck {
    pub(crate) raw: Arc<Tree>,
    pub(crate) span: Span,
    pub(crate) code: String,
    pub(crate) inputs: Arc<BTreeMap<String, Input>>,
    /// Reason why the check is disabled.
    pub(crate) disabled: Option<String>,
}

/// A control of an image.
#[derive(Debug, Clone)]
pub(crate) struct ImageControl {
    pub(crate) check: ParsedCheck,
    pub(crate) control: Arc<Control>,
    /// Name of the profile that the control is reported under.
    pub(crate) owner: Arc<str>,
    /// Image that added the control.
    pub(crate) image: Arc<str>,
    /// Precedence of its waiver: 0 without a waiver, and higher for a more specific one.
    pub(crate) waiver_rank: u8,
}

/// Parses the checks of one file, and reports invalid ones.
///
/// Entries with an invalid key or type have a diagnostic already. They are parsed to find other
/// problems.
pub(crate) fn parse_checks(
    list: Option<&Node>,
    inputs: &Arc<BTreeMap<String, Input>>,
    ids: &mut ControlIds,
    checker: &mut Checker<'_, '_>,
) -> Vec<ParsedCheck> {
    let Some(Node {
        value: Value::List(entries),
        ..
    }) = list
    else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for entry in entries {
        let span = checker.source.span(entry.span.clone());
        let has_errors = checker.diagnostics.has_diagnostic_in(&span);
        let raw = match from_node::<Tree>(entry) {
            Ok(raw) => Arc::new(raw),
            Err(_) if has_errors => continue,
            Err(error) => {
                let span = error.span.unwrap_or(entry.span.clone());
                checker.error(codes::CHECK, &span, error.message);
                continue;
            }
        };
        let code = dedent_source(checker.source.text, &entry.span);
        let check = ParsedCheck {
            raw,
            span,
            code,
            inputs: Arc::clone(inputs),
            disabled: None,
        };
        match ids.add(&check, "", "of this file", checker.diagnostics) {
            Ok(_) if !has_errors => out.push(check),
            Ok(_) => {}
            Err(problems) => report_problems(problems, entry, checker),
        }
    }
    out
}

/// Reports the problems of an entry, except those inside a value that has a diagnostic already.
pub(crate) fn report_problems(problems: Vec<Problem>, entry: &Node, checker: &mut Checker<'_, '_>) {
    let located = problems.into_iter().map(|p| (problem_range(entry, &p), p));
    let new_problems: Vec<_> = located
        .filter(|(span, _)| {
            !checker
                .diagnostics
                .has_diagnostic_in(&checker.source.span(span.clone()))
        })
        .collect();
    for (span, problem) in new_problems {
        checker
            .error(codes::CHECK, &span, problem.message)
            .help_if_known(problem.help);
    }
}

/// Parses the inputs of a profile, and reports invalid ones.
pub(crate) fn parse_inputs(
    map: Option<&Node>,
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<String, Input> {
    let Some(node) = map else {
        return BTreeMap::new();
    };
    let Ok(tree) = from_node::<Tree>(node) else {
        return BTreeMap::new();
    };
    let (inputs, problems) = checks::parse_inputs(&tree);
    report_problems(problems, node, checker);
    inputs
}

/// Returns the range of a problem: the innermost value on its path, or the key.
fn problem_range(entry: &Node, problem: &Problem) -> ByteRange {
    let (mut node, mut span) = (entry, entry.span.clone());
    for (i, part) in problem.path.iter().enumerate() {
        let last = i + 1 == problem.path.len();
        match (part, &node.value) {
            (Part::Key(key), Value::Map(entries)) => {
                let Some((key, value)) = entries.iter().find(|(k, _)| k.text == *key) else {
                    break;
                };
                span = if last && problem.key {
                    key.span.clone()
                } else {
                    value.span.clone()
                };
                node = value;
            }
            (Part::Item(index), Value::List(items)) => {
                let Some(item) = items.get(*index) else { break };
                span = item.span.clone();
                node = item;
            }
            _ => break,
        }
    }
    span
}

impl ParsedCheck {
    /// Returns the control of the check.
    fn control(&self, owner: &str, taken: &mut IdAllocator) -> Result<Control, Vec<Problem>> {
        let Self {
            raw,
            span,
            code,
            inputs,
            disabled,
        } = self;
        let (name, file, code) = (owner.to_owned(), span.file.clone(), code.clone());
        let defined_at = SourceLocation {
            name,
            file,
            line: span.line,
            column: span.column,
            code,
        };
        let mut control = checks::parse_control(
            raw,
            ParseContext {
                ids: taken,
                inputs,
                defined_at,
            },
        )?;
        control.disabled.clone_from(disabled);
        Ok(control)
    }
}

impl ImageControl {
    /// Creates a control of an image.
    pub(crate) fn new(
        check: &ParsedCheck,
        control: Control,
        owner: &Arc<str>,
        image: &Arc<str>,
    ) -> Self {
        let (owner, image) = (Arc::clone(owner), Arc::clone(image));
        Self {
            check: check.clone(),
            control: Arc::new(control),
            owner,
            image,
            waiver_rank: 0,
        }
    }

    /// Returns the control with another check. ID and waiver do not change.
    ///
    /// # Errors
    /// Returns the problems of the check.
    pub(crate) fn with_check(&self, check: ParsedCheck) -> Result<Self, Vec<Problem>> {
        let mut control = check.control(&self.owner, &mut IdAllocator::default())?;
        control.id.clone_from(&self.control.id);
        control.waiver.clone_from(&self.control.waiver);
        Ok(Self {
            check,
            control: Arc::new(control),
            ..self.clone()
        })
    }

    /// Returns the control with a waiver.
    pub(crate) fn with_waiver(&self, waiver: &Waiver, waiver_rank: u8) -> Self {
        let control = Control {
            waiver: Some(waiver.clone()),
            ..(*self.control).clone()
        };
        Self {
            control: Arc::new(control),
            waiver_rank,
            ..self.clone()
        }
    }
}

/// IDs that are in use, with the positions of their checks.
#[derive(Debug, Default)]
pub(crate) struct ControlIds {
    taken: IdAllocator,
    spans: BTreeMap<String, Span>,
}

impl ControlIds {
    /// Creates the control of a check, and reports a duplicate ID.
    ///
    /// # Errors
    /// Returns the other problems of the check. The caller reports them.
    pub(crate) fn add(
        &mut self,
        check: &ParsedCheck,
        owner: &str,
        owner_name: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<Control, Vec<Problem>> {
        let chosen = check.raw.get("id").and_then(Tree::text);
        if let Some((id, earlier)) = chosen.and_then(|id| self.spans.get_key_value(id)) {
            let message = format!(
                "the ID `{}` is already used by another check {owner_name}",
                quote_text(id)
            );
            diagnostics
                .error(codes::CHECK, check.span.clone(), message)
                .help("use another ID, or remove the key")
                .add_related(earlier.clone(), "the other check");
            return Err(Vec::new());
        }
        let control = check.control(owner, &mut self.taken)?;
        self.spans.insert(control.id.clone(), check.span.clone());
        Ok(control)
    }
}

/// Returns the source text of an entry, with the indentation of its first line removed.
fn dedent_source(text: &str, span: &ByteRange) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let indent = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
    let moved = |line: &str| {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line[spaces.min(indent)..].trim_end().to_owned()
    };
    let mut lines = text
        .get(span.clone())
        .unwrap_or_default()
        .trim_end()
        .lines();
    let first = lines.next().map(|line| line.trim_end().to_owned());
    first
        .into_iter()
        .chain(lines.map(moved))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns true if two controls are equal except for their place in a file and waiver.
pub(crate) fn is_same_control(one: &Control, other: &Control) -> bool {
    *one == Control {
        defined_at: one.defined_at.clone(),
        waiver: one.waiver.clone(),
        ..other.clone()
    }
}

#[cfg(test)]
mod tests;
