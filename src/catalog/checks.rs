//! Owns the way from the entries under `checks:` to controls, and which of them an image adds to its ancestors'.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::codes;
use super::de::from_node;
use super::node::{Node, Span, Value};
use super::source::Sink;
use super::text::{Checker, shown};
use crate::checks::{self, Around, Control, Input, Origin, Part, Problem, Tree};
use crate::diagnostic::Place;

/// A check that makes sense by itself, and where it is written. Its id depends on the image that it is a check of.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    raw: Tree,
    /// The profile's or image's name.
    name: String,
    place: Place,
    code: String,
    inputs: Arc<BTreeMap<String, Input>>,
}

/// One image of a lineage with the checks that its ancestors don't have: those of its profiles, then those of its file.
pub(crate) struct Generation<'d> {
    pub(crate) image: &'d str,
    pub(crate) checks: Vec<&'d Placed>,
}

/// Lets the checks of one file through; what is wrong with one is reported at its entry. Those with a wrong key or type
/// have been reported, and are looked at for what else is wrong.
pub(crate) fn parse_checks(
    list: Option<&Node>,
    name: &str,
    inputs: BTreeMap<String, Input>,
    checker: &mut Checker<'_, '_>,
) -> Vec<Placed> {
    let Some(Node { value: Value::List(entries), .. }) = list else { return Vec::new() };
    let mut out = Vec::new();
    let mut ids = Ids::default();
    let inputs = Arc::new(inputs);
    for entry in entries {
        let place = checker.source.place(entry.span.clone());
        let damaged = checker.sink.touched(&place);
        let raw = match from_node::<Tree>(entry) {
            Ok(raw) => raw,
            Err(_) if damaged => continue,
            Err(misfit) => {
                let span = misfit.span.unwrap_or(entry.span.clone());
                checker.error(codes::CHECK, &span, misfit.message);
                continue;
            }
        };
        let code = written(checker.source.text, &entry.span);
        let placed = Placed { raw, name: name.to_owned(), place, code, inputs: Arc::clone(&inputs) };
        match ids.add(&placed, "of this file", checker.sink) {
            Ok(_) if !damaged => out.push(placed),
            Ok(_) => {}
            Err(problems) => {
                let located = problems.into_iter().map(|p| (at_fault(entry, &p), p));
                // What is wrong with the rest of a damaged value follows from the damage.
                let news: Vec<_> =
                    located.filter(|(span, _)| !checker.sink.touched(&checker.source.place(span.clone()))).collect();
                for (span, problem) in news {
                    checker.error(codes::CHECK, &span, problem.message).maybe_help(problem.help);
                }
            }
        }
    }
    out
}

/// Lets the inputs of a profile through; what is wrong with one is reported at its place.
pub(crate) fn parse_inputs(map: Option<&Node>, checker: &mut Checker<'_, '_>) -> BTreeMap<String, Input> {
    let Some(node) = map else { return BTreeMap::new() };
    let Ok(tree) = from_node::<Tree>(node) else { return BTreeMap::new() };
    let (inputs, problems) = checks::inputs(&tree);
    for problem in problems {
        let span = at_fault(node, &problem);
        if !checker.sink.touched(&checker.source.place(span.clone())) {
            checker.error(codes::CHECK, &span, problem.message).maybe_help(problem.help);
        }
    }
    inputs
}

/// Where a problem is: the innermost value that its path leads to, or the key.
fn at_fault(entry: &Node, problem: &Problem) -> Span {
    let (mut node, mut span) = (entry, entry.span.clone());
    for (i, part) in problem.path.iter().enumerate() {
        let last = i + 1 == problem.path.len();
        match (part, &node.value) {
            (Part::Key(key), Value::Map(entries)) => {
                let Some((key, value)) = entries.iter().find(|(k, _)| k.text == *key) else { break };
                span = if last && problem.key { key.span.clone() } else { value.span.clone() };
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

/// The controls that the youngest generation adds to those of its ancestors. Generations are ordered from the base image.
///
/// Two checks with one id would make evidence ambiguous: the second is reported, unless it says just what an ancestor's
/// does, which the image must pass anyway.
pub(crate) fn own_controls(generations: &[Generation<'_>], sink: &mut Sink) -> Vec<Control> {
    let mut inherited: BTreeMap<String, (&str, Control, &Place)> = BTreeMap::new();
    let mut own = Vec::new();
    for (number, Generation { image, checks }) in generations.iter().enumerate() {
        let youngest = number + 1 == generations.len();
        // An ancestor's mistakes are reported where it is the youngest itself.
        let mut elsewhere = Sink::default();
        let sink = if youngest { &mut *sink } else { &mut elsewhere };
        let mut ids = Ids::default();
        let whose = format!("of the image `{image}`");
        own.clear();
        for placed in checks {
            let Ok(control) = ids.add(placed, &whose, sink) else { continue };
            match inherited.get(&control.id) {
                Some((_, earlier, _)) if same(earlier, &control) => {}
                Some((ancestor, _, place)) => {
                    let message = format!(
                        "the check `{}` of `{image}` has the id of another one of its ancestor `{ancestor}`",
                        shown(&control.id)
                    );
                    sink.error(codes::CHECK, placed.place.clone(), message)
                        .help("give it an `id` of its own: both are judged")
                        .related((*place).clone(), "the ancestor's check");
                }
                None => own.push((control, &placed.place)),
            }
        }
        inherited.extend(own.iter().map(|(c, place)| (c.id.clone(), (*image, c.clone(), *place))));
    }
    own.into_iter().map(|(control, _)| control).collect()
}

/// The ids that are in use, and where.
#[derive(Default)]
struct Ids {
    taken: BTreeSet<String>,
    places: BTreeMap<String, Place>,
}

impl Ids {
    /// Makes a control of a check, and reports an id that is taken.
    ///
    /// # Errors
    /// Whatever else is wrong with it, to be reported.
    fn add(&mut self, placed: &Placed, whose: &str, sink: &mut Sink) -> Result<Control, Vec<Problem>> {
        let Placed { raw, name, place, code, inputs } = placed;
        let chosen = raw.get("id").and_then(Tree::text);
        if let Some((id, earlier)) = chosen.and_then(|id| self.places.get_key_value(id)) {
            sink.error(
                codes::CHECK,
                place.clone(),
                format!("the id `{}` is taken by another check {whose}", shown(id)),
            )
            .help("choose another one, or leave it out")
            .related(earlier.clone(), "the other check");
            return Err(Vec::new());
        }
        let (file, line, column) = (place.file.clone(), place.line, place.column);
        let origin = Origin { name: name.clone(), file, line, column, code: code.clone() };
        let control = checks::read(raw, Around { taken: &mut self.taken, inputs, origin })?;
        self.places.insert(control.id.clone(), place.clone());
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
    let mut lines = text.get(span.clone()).unwrap_or_default().trim_end().lines();
    let first = lines.next().map(|line| line.trim_end().to_owned());
    first.into_iter().chain(lines.map(moved)).collect::<Vec<_>>().join("\n")
}

/// Whether two controls expect the same, wherever they are written.
fn same(one: &Control, other: &Control) -> bool {
    *one == Control { origin: one.origin.clone(), ..other.clone() }
}

#[cfg(test)]
mod tests;
