//! Owns the way from the entries under `checks:` to controls, and the ids they get.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::codes;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{ByteRange, Node, Value};
use crate::catalog::yaml::source::Diagnostics;
use crate::checks::{self, Around, Control, Input, Origin, Part, Problem, Taken, Tree, Waiver};
use crate::diagnostic::Span;

/// A check that makes sense by itself, and where it is written. Its id depends on the image that it is a check of.
#[derive(Debug, Clone)]
pub(crate) struct ParsedCheck {
    pub(crate) raw: Arc<Tree>,
    pub(crate) span: Span,
    pub(crate) code: String,
    pub(crate) inputs: Arc<BTreeMap<String, Input>>,
    /// Why it is not judged.
    pub(crate) disabled: Option<String>,
}

/// A check as a control of an image, or of a profile.
#[derive(Debug, Clone)]
pub(crate) struct ImageControl {
    pub(crate) placed: ParsedCheck,
    pub(crate) control: Arc<Control>,
    /// What it is reported under.
    pub(crate) owner: Arc<str>,
    /// The image that brought it.
    pub(crate) image: Arc<str>,
    /// How close to it its waiver was said; none has 0.
    pub(crate) rank: u8,
}

/// Lets the checks of one file through; what is wrong with one is reported at its entry. Those with a wrong key or type
/// have been reported, and are looked at for what else is wrong.
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
        let damaged = checker.diagnostics.has_diagnostic_in(&span);
        let raw = match from_node::<Tree>(entry) {
            Ok(raw) => Arc::new(raw),
            Err(_) if damaged => continue,
            Err(error) => {
                let span = error.span.unwrap_or(entry.span.clone());
                checker.error(codes::CHECK, &span, error.message);
                continue;
            }
        };
        let code = written(checker.source.text, &entry.span);
        let placed = ParsedCheck {
            raw,
            span,
            code,
            inputs: Arc::clone(inputs),
            disabled: None,
        };
        match ids.add(&placed, "", "of this file", checker.diagnostics) {
            Ok(_) if !damaged => out.push(placed),
            Ok(_) => {}
            Err(problems) => report(problems, entry, checker),
        }
    }
    out
}

/// Reports problems of an entry at their spans. What is wrong with the rest of a damaged value follows from the damage.
pub(crate) fn report(problems: Vec<Problem>, entry: &Node, checker: &mut Checker<'_, '_>) {
    let located = problems.into_iter().map(|p| (problem_range(entry, &p), p));
    let news: Vec<_> = located
        .filter(|(span, _)| {
            !checker
                .diagnostics
                .has_diagnostic_in(&checker.source.span(span.clone()))
        })
        .collect();
    for (span, problem) in news {
        checker
            .error(codes::CHECK, &span, problem.message)
            .help_if_known(problem.help);
    }
}

/// Lets the inputs of a profile through; what is wrong with one is reported at its span.
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
    let (inputs, problems) = checks::inputs(&tree);
    report(problems, node, checker);
    inputs
}

/// Where a problem is: the innermost value that its path leads to, or the key.
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
    /// The control that it is.
    fn control(&self, owner: &str, taken: &mut Taken) -> Result<Control, Vec<Problem>> {
        let Self {
            raw,
            span,
            code,
            inputs,
            disabled,
        } = self;
        let (name, file, code) = (owner.to_owned(), span.file.clone(), code.clone());
        let origin = Origin {
            name,
            file,
            line: span.line,
            column: span.column,
            code,
        };
        let mut control = checks::read(
            raw,
            Around {
                taken,
                inputs,
                origin,
            },
        )?;
        control.disabled.clone_from(disabled);
        Ok(control)
    }
}

impl ImageControl {
    /// A check with an id of its own.
    pub(crate) fn new(
        placed: &ParsedCheck,
        control: Control,
        owner: &Arc<str>,
        image: &Arc<str>,
    ) -> Self {
        let (owner, image) = (Arc::clone(owner), Arc::clone(image));
        Self {
            placed: placed.clone(),
            control: Arc::new(control),
            owner,
            image,
            rank: 0,
        }
    }

    /// The same control where its check is another: its id and waiver stay.
    ///
    /// # Errors
    /// What is wrong with the check.
    pub(crate) fn changed(&self, placed: ParsedCheck) -> Result<Self, Vec<Problem>> {
        let mut control = placed.control(&self.owner, &mut Taken::default())?;
        control.id.clone_from(&self.control.id);
        control.waiver.clone_from(&self.control.waiver);
        Ok(Self {
            placed,
            control: Arc::new(control),
            ..self.clone()
        })
    }

    /// The same control with a waiver.
    pub(crate) fn waived(&self, waiver: &Waiver, rank: u8) -> Self {
        let control = Control {
            waiver: Some(waiver.clone()),
            ..(*self.control).clone()
        };
        Self {
            control: Arc::new(control),
            rank,
            ..self.clone()
        }
    }
}

/// The ids that are in use, and where.
#[derive(Debug, Default)]
pub(crate) struct ControlIds {
    taken: Taken,
    spans: BTreeMap<String, Span>,
}

impl ControlIds {
    /// Makes a control of a check, and reports an id that is taken.
    ///
    /// # Errors
    /// Whatever else is wrong with it, to be reported.
    pub(crate) fn add(
        &mut self,
        placed: &ParsedCheck,
        owner: &str,
        whose: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<Control, Vec<Problem>> {
        let chosen = placed.raw.get("id").and_then(Tree::text);
        if let Some((id, earlier)) = chosen.and_then(|id| self.spans.get_key_value(id)) {
            let message = format!("the id `{}` is taken by another check {whose}", shown(id));
            diagnostics
                .error(codes::CHECK, placed.span.clone(), message)
                .help("choose another one, or leave it out")
                .related(earlier.clone(), "the other check");
            return Err(Vec::new());
        }
        let control = placed.control(owner, &mut self.taken)?;
        self.spans.insert(control.id.clone(), placed.span.clone());
        Ok(control)
    }
}

/// An entry as it stands in the text, its further lines as far left as its first.
fn written(text: &str, span: &ByteRange) -> String {
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

/// Whether two controls expect the same, wherever they are written and whoever answers for them.
pub(crate) fn same(one: &Control, other: &Control) -> bool {
    *one == Control {
        origin: one.origin.clone(),
        waiver: one.waiver.clone(),
        ..other.clone()
    }
}

#[cfg(test)]
mod tests;
