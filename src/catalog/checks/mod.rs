//! Owns the way from the entries under `checks:` to controls, and the ids they get.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes;
use super::de::from_node;
use super::node::{Node, Span, Value};
use super::source::Sink;
use super::text::{Checker, shown};
use crate::checks::{
    self, Control, IdAllocator, Input, Origin, ParseContext, Part, Problem, Tree, Waiver,
};
use crate::diagnostic::Place;

/// A check that makes sense by itself, and where it is written. Its id depends on the image that it is a check of.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) raw: Arc<Tree>,
    pub(super) place: Place,
    pub(super) code: String,
    pub(super) inputs: Arc<BTreeMap<String, Input>>,
    /// Why it is not judged.
    pub(super) disabled: Option<String>,
}

/// A check as a control of an image, or of a profile.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) placed: Placed,
    pub(super) control: Arc<Control>,
    /// What it is reported under.
    pub(super) owner: Arc<str>,
    /// The image that brought it.
    pub(super) image: Arc<str>,
    /// How close to it its waiver was said; none has 0.
    pub(super) rank: u8,
}

/// Lets the checks of one file through; what is wrong with one is reported at its entry. Those with a wrong key or type
/// have been reported, and are looked at for what else is wrong.
pub(super) fn parse_checks(
    list: Option<&Node>,
    inputs: &Arc<BTreeMap<String, Input>>,
    ids: &mut Ids,
    checker: &mut Checker<'_, '_>,
) -> Vec<Placed> {
    let Some(Node {
        value: Value::List(entries),
        ..
    }) = list
    else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for entry in entries {
        let place = checker.source.place(entry.span.clone());
        let damaged = checker.sink.touched(&place);
        let raw = match from_node::<Tree>(entry) {
            Ok(raw) => Arc::new(raw),
            Err(_) if damaged => continue,
            Err(misfit) => {
                let span = misfit.span.unwrap_or(entry.span.clone());
                checker.error(codes::CHECK, &span, misfit.message);
                continue;
            }
        };
        let code = written(checker.source.text, &entry.span);
        let placed = Placed {
            raw,
            place,
            code,
            inputs: Arc::clone(inputs),
            disabled: None,
        };
        match ids.add(&placed, "", "of this file", checker.sink) {
            Ok(_) if !damaged => out.push(placed),
            Ok(_) => {}
            Err(problems) => report(problems, entry, checker),
        }
    }
    out
}

/// Reports problems of an entry at their places. What is wrong with the rest of a damaged value follows from the damage.
pub(super) fn report(problems: Vec<Problem>, entry: &Node, checker: &mut Checker<'_, '_>) {
    let located = problems.into_iter().map(|p| (at_fault(entry, &p), p));
    let news: Vec<_> = located
        .filter(|(span, _)| !checker.sink.touched(&checker.source.place(span.clone())))
        .collect();
    for (span, problem) in news {
        checker
            .error(codes::CHECK, &span, problem.message)
            .maybe_help(problem.help);
    }
}

/// Lets the inputs of a profile through; what is wrong with one is reported at its place.
pub(super) fn parse_inputs(
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
    report(problems, node, checker);
    inputs
}

/// Where a problem is: the innermost value that its path leads to, or the key.
fn at_fault(entry: &Node, problem: &Problem) -> Span {
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

impl Placed {
    /// The control that it is.
    fn control(&self, owner: &str, taken: &mut IdAllocator) -> Result<Control, Vec<Problem>> {
        let Self {
            raw,
            place,
            code,
            inputs,
            disabled,
        } = self;
        let (name, file, code) = (owner.to_owned(), place.file.clone(), code.clone());
        let origin = Origin {
            name,
            file,
            line: place.line,
            column: place.column,
            code,
        };
        let mut control = checks::parse_control(
            raw,
            ParseContext {
                ids: taken,
                inputs,
                origin,
            },
        )?;
        control.disabled.clone_from(disabled);
        Ok(control)
    }
}

impl Entry {
    /// A check with an id of its own.
    pub(super) fn new(
        placed: &Placed,
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
    pub(super) fn changed(&self, placed: Placed) -> Result<Self, Vec<Problem>> {
        let mut control = placed.control(&self.owner, &mut IdAllocator::default())?;
        control.id.clone_from(&self.control.id);
        control.waiver.clone_from(&self.control.waiver);
        Ok(Self {
            placed,
            control: Arc::new(control),
            ..self.clone()
        })
    }

    /// The same control with a waiver.
    pub(super) fn waived(&self, waiver: &Waiver, rank: u8) -> Self {
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
pub(super) struct Ids {
    taken: IdAllocator,
    places: BTreeMap<String, Place>,
}

impl Ids {
    /// Makes a control of a check, and reports an id that is taken.
    ///
    /// # Errors
    /// Whatever else is wrong with it, to be reported.
    pub(super) fn add(
        &mut self,
        placed: &Placed,
        owner: &str,
        whose: &str,
        sink: &mut Sink,
    ) -> Result<Control, Vec<Problem>> {
        let chosen = placed.raw.get("id").and_then(Tree::text);
        if let Some((id, earlier)) = chosen.and_then(|id| self.places.get_key_value(id)) {
            let message = format!("the id `{}` is taken by another check {whose}", shown(id));
            sink.error(codes::CHECK, placed.place.clone(), message)
                .help("choose another one, or leave it out")
                .related(earlier.clone(), "the other check");
            return Err(Vec::new());
        }
        let control = placed.control(owner, &mut self.taken)?;
        self.places.insert(control.id.clone(), placed.place.clone());
        Ok(control)
    }
}

/// An entry as it stands in the text, its further lines as far left as its first.
fn written(text: &str, span: &Span) -> String {
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
pub(super) fn same(one: &Control, other: &Control) -> bool {
    *one == Control {
        origin: one.origin.clone(),
        waiver: one.waiver.clone(),
        ..other.clone()
    }
}

#[cfg(test)]
mod tests;
