//! Owns what a profile or an image says about the controls of others: values for their inputs, `override` and `disable`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::checks::{ImageControl, ParsedCheck, report};
use crate::catalog::codes;
use crate::catalog::raw::Text;
use crate::catalog::settings::check_unique;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{Key, Node, Scalar, Value};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::checks::{self, Input, Tree};
use crate::diagnostic::nearest;

/// A profile that is named, perhaps with values for its inputs.
#[derive(Debug)]
pub(crate) struct ProfileUse {
    pub(crate) name: Text,
    pub(crate) inputs: Vec<(Key, Node)>,
}

/// The profiles that a list names; one that is named twice is reported.
pub(crate) fn parse_profile_uses(
    list: Option<&Node>,
    checker: &mut Checker<'_, '_>,
) -> Vec<ProfileUse> {
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
        if check_unique(
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
            out.push(ProfileUse { name, inputs });
        }
    }
    out
}

/// Values for inputs, and where they are written.
#[derive(Clone, Copy)]
pub(crate) struct InputValues<'n, 's> {
    pub(crate) values: &'n [(Key, Node)],
    pub(crate) source: SourceFile<'s>,
}

impl InputValues<'_, '_> {
    /// Reports values for inputs that nobody declares.
    pub(crate) fn declared(&self, inputs: &BTreeMap<String, Input>, diagnostics: &mut Diagnostics) {
        for (key, _) in self
            .values
            .iter()
            .filter(|(key, _)| !inputs.contains_key(&key.text))
        {
            let problem = checks::no_input(&key.text, inputs);
            diagnostics
                .error(
                    codes::INPUT,
                    self.source.span(key.span.clone()),
                    problem.message,
                )
                .help_if_known(problem.help);
        }
    }

    /// Inputs with these values; those that don't fit are reported and left out.
    pub(crate) fn give(&self, inputs: &mut BTreeMap<String, Input>, diagnostics: &mut Diagnostics) {
        for (key, node) in self.values {
            let Some(input) = inputs.get_mut(&key.text) else {
                continue;
            };
            let Ok(value) = from_node::<Tree>(node) else {
                continue;
            };
            match input.set(&value) {
                Ok(set) => *input = set,
                Err(problem) => {
                    let message = format!("the input `{}`: {}", shown(&key.text), problem.message);
                    let span = self.source.span(node.span.clone());
                    diagnostics
                        .error(codes::INPUT, span, message)
                        .help_if_known(problem.help);
                }
            }
        }
    }

    /// Gives the values to every check that may name such an input; checks that share their inputs still do.
    pub(crate) fn apply_to_checks(
        &self,
        checks: &mut [ParsedCheck],
        diagnostics: &mut Diagnostics,
    ) {
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
            self.give(&mut inputs, diagnostics);
            let new = Arc::new(inputs);
            known.push((Arc::clone(&placed.inputs), Arc::clone(&new)));
            placed.inputs = new;
        }
    }
}

/// What a file says about the controls of others.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    overrides: Vec<(Key, Node)>,
    disabled: Vec<(Key, Node)>,
}

impl Overrides {
    /// Takes them out of a file.
    pub(crate) fn take(file: &mut Node) -> Self {
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
    pub(crate) fn apply(
        &self,
        entries: &mut [Arc<ImageControl>],
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
                    checker.source.span(key.span.clone()),
                    index.keys(),
                    checker.diagnostics,
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
            let placed = ParsedCheck {
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
pub(crate) fn unknown<'k>(
    id: &str,
    span: crate::diagnostic::Span,
    known: impl Iterator<Item = &'k String>,
    diagnostics: &mut Diagnostics,
) {
    let help = match nearest(id, known.map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "name a control by its `id`, or by its resource, such as `package:nginx`".to_owned()
        }
    };
    diagnostics
        .error(
            codes::UNKNOWN_CONTROL,
            span,
            format!("there is no control `{}`", shown(id)),
        )
        .help(help);
}

/// A control with what an override says; none where that says nothing usable.
fn overridden(
    entry: &ImageControl,
    node: &Node,
    checker: &mut Checker<'_, '_>,
) -> Result<Option<ImageControl>, Vec<checks::Problem>> {
    let (Ok(Tree::Map(changes)), Tree::Map(keys)) = (from_node::<Tree>(node), &*entry.placed.raw)
    else {
        return Ok(None);
    };
    let mut placed = [entry.placed.clone()];
    if let Some(inputs) = node.get("inputs") {
        let given = InputValues {
            values: inputs.entries(),
            source: checker.source,
        };
        given.declared(&entry.placed.inputs, checker.diagnostics);
        given.apply_to_checks(&mut placed, checker.diagnostics);
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
    checker.line("a reason", &text, crate::catalog::defaults::MAX_DESCRIPTION)
}
