//! Owns the way from the entries under `checks:` to controls, and which of them an image adds to its ancestors'.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::de::from_node;
use super::node::{Node, Value};
use super::source::Sink;
use super::text::{Checker, shown};
use crate::checks::{Control, Problem, RawCheck};
use crate::diagnostic::Place;

/// A check that makes sense by itself, and where it is written. Its id depends on the image that it is a check of.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    raw: RawCheck,
    place: Place,
}

/// One image of a lineage with the checks that its ancestors don't have: those of its profiles, then those of its file.
pub(crate) struct Generation<'d> {
    pub(crate) image: &'d str,
    pub(crate) checks: Vec<&'d Placed>,
}

/// Lets the checks of one file through; what is wrong with one is reported at its entry. Those with a wrong key or type
/// have been reported, and are looked at for what else is wrong.
pub(crate) fn parse_checks(list: Option<&Node>, checker: &mut Checker<'_, '_>) -> Vec<Placed> {
    let Some(Node { value: Value::List(entries), .. }) = list else { return Vec::new() };
    let mut out = Vec::new();
    let mut ids = Ids::default();
    for entry in entries {
        let place = checker.source.place(entry.span.clone());
        let damaged = checker.sink.touched(&place);
        let raw = match from_node::<RawCheck>(entry) {
            Ok(raw) => raw,
            Err(_) if damaged => continue,
            Err(misfit) => {
                let span = misfit.span.unwrap_or(entry.span.clone());
                checker.error(codes::CHECK, &span, misfit.message);
                continue;
            }
        };
        match ids.add(&raw, &place, "of this file", checker.sink) {
            Ok(_) if !damaged => out.push(Placed { raw, place }),
            Ok(_) => {}
            Err(problems) => {
                let located = problems.into_iter().map(|p| (at_fault(entry, &p.0).span.clone(), p));
                // What is wrong with the rest of a damaged value follows from the damage.
                let news: Vec<_> =
                    located.filter(|(span, _)| !checker.sink.touched(&checker.source.place(span.clone()))).collect();
                for (span, (message, help)) in news {
                    checker.error(codes::CHECK, &span, message).maybe_help(help);
                }
            }
        }
    }
    out
}

/// The innermost value that a problem can be about: that of the key which its message starts with, else the entry.
fn at_fault<'n>(entry: &'n Node, message: &str) -> &'n Node {
    let resource = entry.entries().first().map(|(_, resource)| resource);
    let Some(mut node) = message.split_once(": ").and_then(|(key, _)| resource?.get(key)) else { return entry };
    loop {
        node = match &node.value {
            Value::Map(entries) if entries.len() == 1 => &entries[0].1,
            Value::List(items) if items.len() == 1 => &items[0],
            _ => return node,
        };
    }
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
            let Ok(control) = ids.add(&placed.raw, &placed.place, &whose, sink) else { continue };
            match inherited.get(&control.id) {
                Some((_, earlier, _)) if *earlier == control => {}
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
    fn add(&mut self, raw: &RawCheck, place: &Place, whose: &str, sink: &mut Sink) -> Result<Control, Vec<Problem>> {
        if let Some((id, earlier)) = raw.id().and_then(|id| self.places.get_key_value(id)) {
            sink.error(
                codes::CHECK,
                place.clone(),
                format!("the id `{}` is taken by another check {whose}", shown(id)),
            )
            .help("choose another one, or leave it out")
            .related(earlier.clone(), "the other check");
            return Err(Vec::new());
        }
        let control = raw.clone().into_control(&mut self.taken)?;
        self.places.insert(control.id.clone(), place.clone());
        Ok(control)
    }
}

#[cfg(test)]
mod tests;
