//! Owns what a profile or an image says about the controls of others: values for their inputs, `override` and `disable`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::checks::{Entry, Placed, report};
use super::codes;
use super::de::from_node;
use super::node::{Key, Node, Scalar, Value};
use super::raw::Text;
use super::settings::first_time;
use super::source::{Sink, Source};
use super::text::{Checker, shown};
use crate::checks::{self, Input, Tree};
use crate::diagnostic::nearest;

/// A profile that is named, perhaps with values for its inputs.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) name: Text,
    pub(super) inputs: Vec<(Key, Node)>,
}

/// The profiles that a list names; one that is named twice is reported.
pub(super) fn parse_uses(list: Option<&Node>, checker: &mut Checker<'_, '_>) -> Vec<Use> {
    let Some(Node {
        value: Value::List(entries),
        ..
    }) = list
    else {
        return Vec::new();
    };
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for entry in entries {
        let named = entry.get("name").unwrap_or(entry);
        let Value::Scalar { text, .. } = &named.value else {
            continue;
        };
        let name = Text {
            value: text.clone(),
            span: named.span.clone(),
        };
        if first_time(
            &mut seen,
            &name,
            (codes::DUPLICATE_ENTRY, "the profile"),
            checker,
        )
        .is_some()
        {
            let inputs = entry
                .get("inputs")
                .map(|given| given.entries().to_vec())
                .unwrap_or_default();
            out.push(Use { name, inputs });
        }
    }
    out
}

/// Values for inputs, and where they are written.
#[derive(Clone, Copy)]
pub(super) struct Given<'n, 's> {
    pub(super) values: &'n [(Key, Node)],
    pub(super) source: Source<'s>,
}

impl Given<'_, '_> {
    /// Reports values for inputs that nobody declares.
    pub(super) fn declared(&self, inputs: &BTreeMap<String, Input>, sink: &mut Sink) {
        for (key, _) in self
            .values
            .iter()
            .filter(|(key, _)| !inputs.contains_key(&key.text))
        {
            let problem = checks::unknown_input(&key.text, inputs);
            sink.error(
                codes::INPUT,
                self.source.place(key.span.clone()),
                problem.message,
            )
            .maybe_help(problem.help);
        }
    }

    /// Inputs with these values; those that don't fit are reported and left out.
    pub(super) fn give(&self, inputs: &mut BTreeMap<String, Input>, sink: &mut Sink) {
        for (key, node) in self.values {
            let Some(input) = inputs.get_mut(&key.text) else {
                continue;
            };
            let Ok(value) = from_node::<Tree>(node) else {
                continue;
            };
            match input.with_value(&value) {
                Ok(set) => *input = set,
                Err(problem) => {
                    let message = format!("the input `{}`: {}", shown(&key.text), problem.message);
                    let place = self.source.place(node.span.clone());
                    sink.error(codes::INPUT, place, message)
                        .maybe_help(problem.help);
                }
            }
        }
    }

    /// Gives the values to every check that may name such an input; checks that share their inputs still do.
    pub(super) fn rescope(&self, checks: &mut [Placed], sink: &mut Sink) {
        type Shared = Arc<BTreeMap<String, Input>>;
        let mut known: Vec<(Shared, Shared)> = Vec::new();
        for placed in checks.iter_mut().filter(|_| !self.values.is_empty()) {
            if let Some((_, new)) = known
                .iter()
                .find(|(old, _)| Arc::ptr_eq(old, &placed.inputs))
            {
                placed.inputs = Arc::clone(new);
                continue;
            }
            let mut inputs = (*placed.inputs).clone();
            self.give(&mut inputs, sink);
            let new = Arc::new(inputs);
            known.push((Arc::clone(&placed.inputs), Arc::clone(&new)));
            placed.inputs = new;
        }
    }
}

/// What a file says about the controls of others.
#[derive(Debug, Default)]
pub(super) struct Changes {
    overrides: Vec<(Key, Node)>,
    disabled: Vec<(Key, Node)>,
}

impl Changes {
    /// Takes them out of a file.
    pub(super) fn take(file: &mut Node) -> Self {
        let mut entries = |key| {
            file.take(key)
                .map(|node| node.entries().to_vec())
                .unwrap_or_default()
        };
        Self {
            overrides: entries("override"),
            disabled: entries("disable"),
        }
    }

    /// Makes the changes. What names no control is reported, unless not all controls are known (`whole`).
    pub(super) fn apply(
        &self,
        entries: &mut [Arc<Entry>],
        whole: bool,
        checker: &mut Checker<'_, '_>,
    ) {
        if self.overrides.is_empty() && self.disabled.is_empty() {
            return;
        }
        let index: BTreeMap<String, usize> = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.control.id.clone(), at))
            .collect();
        let find = |key: &Key, checker: &mut Checker<'_, '_>| {
            let found = index.get(&key.text).copied();
            if found.is_none() && whole {
                unknown(
                    &key.text,
                    checker.source.place(key.span.clone()),
                    index.keys(),
                    checker.sink,
                );
            }
            found
        };
        for (key, node) in &self.overrides {
            let Some(at) = find(key, checker) else {
                continue;
            };
            match overridden(&entries[at], node, checker) {
                Ok(Some(entry)) => entries[at] = Arc::new(entry),
                Ok(None) => {}
                Err(problems) => report(problems, node, checker),
            }
        }
        for (key, node) in &self.disabled {
            let (Some(at), Some(reason)) = (find(key, checker), reason(node, checker)) else {
                continue;
            };
            let placed = Placed {
                disabled: Some(reason),
                ..entries[at].placed.clone()
            };
            if let Ok(entry) = entries[at].changed(placed) {
                entries[at] = Arc::new(entry);
            }
        }
    }
}

/// Reports an id that no control has.
pub(super) fn unknown<'k>(
    id: &str,
    place: crate::diagnostic::Place,
    known: impl Iterator<Item = &'k String>,
    sink: &mut Sink,
) {
    let help = match nearest(id, known.map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "name a control by its `id`, or by its resource, such as `package:nginx`".to_owned()
        }
    };
    sink.error(
        codes::UNKNOWN_CONTROL,
        place,
        format!("there is no control `{}`", shown(id)),
    )
    .help(help);
}

/// A control with what an override says; none where that says nothing usable.
fn overridden(
    entry: &Entry,
    node: &Node,
    checker: &mut Checker<'_, '_>,
) -> Result<Option<Entry>, Vec<checks::Problem>> {
    let (Ok(Tree::Map(changes)), Tree::Map(keys)) = (from_node::<Tree>(node), &*entry.placed.raw)
    else {
        return Ok(None);
    };
    let mut placed = [entry.placed.clone()];
    if let Some(inputs) = node.get("inputs") {
        let given = Given {
            values: inputs.entries(),
            source: checker.source,
        };
        given.declared(&entry.placed.inputs, checker.sink);
        given.rescope(&mut placed, checker.sink);
    }
    let [mut placed] = placed;
    let mut keys = keys.clone();
    for (name, value) in changes.into_iter().filter(|(name, _)| name != "inputs") {
        let old = keys
            .iter_mut()
            .find(|(key, _)| *key == name)
            .map(|(_, old)| old);
        match (old, value) {
            // Tags are added to those there are.
            (Some(Tree::Map(tags)), Tree::Map(more)) => {
                tags.retain(|(key, _)| !more.iter().any(|(k, _)| k == key));
                tags.extend(more);
            }
            (Some(old), value) => *old = value,
            (None, value) => keys.push((name, value)),
        }
    }
    placed.raw = Arc::new(Tree::Map(keys));
    entry.changed(placed).map(Some)
}

/// Why a control is not judged.
fn reason(node: &Node, checker: &mut Checker<'_, '_>) -> Option<String> {
    let Value::Scalar {
        text,
        kind: Scalar::Text,
    } = &node.value
    else {
        return None;
    };
    if text.trim().is_empty() {
        checker
            .error(
                codes::CHECK,
                &node.span,
                "a control is not switched off without a reason",
            )
            .help("say why it is not judged");
        return None;
    }
    let text = Text {
        value: text.clone(),
        span: node.span.clone(),
    };
    checker.line("a reason", &text, super::image::MAX_DESCRIPTION)
}
