//! Applies input values, `override` and `disable` of a profile or image to controls.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::checks::{ImageControl, ParsedCheck, report_problems};
use crate::catalog::codes;
use crate::catalog::raw::Text;
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::{Key, Node, Scalar, Value};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::checks::{self, Input, Tree};
use crate::diagnostic::{Span, nearest};

/// Reference to a profile, with values for its inputs.
#[derive(Debug)]
pub(crate) struct ProfileUse {
    pub(crate) name: Text,
    pub(crate) inputs: Vec<(Key, Node)>,
}

/// Returns the profiles of a list, and reports duplicates.
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
        if checker.check_unique(&mut seen, &name, codes::DUPLICATE_ENTRY, "profile") {
            let inputs = entry
                .get("inputs")
                .map(|inputs| inputs.entries().to_vec())
                .unwrap_or_default();
            out.push(ProfileUse { name, inputs });
        }
    }
    out
}

/// Values for inputs, with their file.
#[derive(Clone, Copy)]
pub(crate) struct InputValues<'n, 's> {
    pub(crate) values: &'n [(Key, Node)],
    pub(crate) source: SourceFile<'s>,
}

impl InputValues<'_, '_> {
    /// Reports values for undeclared inputs.
    pub(crate) fn report_undeclared_inputs(
        &self,
        inputs: &BTreeMap<String, Input>,
        diagnostics: &mut Diagnostics,
    ) {
        for (key, _) in self
            .values
            .iter()
            .filter(|(key, _)| !inputs.contains_key(&key.text))
        {
            let problem = checks::unknown_input(&key.text, inputs);
            diagnostics
                .error(
                    codes::INPUT,
                    self.source.span(key.span.clone()),
                    problem.message,
                )
                .help_if_known(problem.help);
        }
    }

    /// Sets these values. Reports and leaves out invalid ones.
    pub(crate) fn apply_to_inputs(
        &self,
        inputs: &mut BTreeMap<String, Input>,
        diagnostics: &mut Diagnostics,
    ) {
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
                    let message = format!("input `{}`: {}", quote_text(&key.text), problem.message);
                    let span = self.source.span(node.span.clone());
                    diagnostics
                        .error(codes::INPUT, span, message)
                        .help_if_known(problem.help);
                }
            }
        }
    }

    /// Sets the values in all checks that can use such an input. Checks that share their inputs
    /// still do.
    pub(crate) fn apply_to_checks(
        &self,
        checks: &mut [ParsedCheck],
        diagnostics: &mut Diagnostics,
    ) {
        type Shared = Arc<BTreeMap<String, Input>>;
        let mut known: Vec<(Shared, Shared)> = Vec::new();
        for check in checks.iter_mut().filter(|_| !self.values.is_empty()) {
            if let Some((_, new)) = known
                .iter()
                .find(|(old, _)| Arc::ptr_eq(old, &check.inputs))
            {
                check.inputs = Arc::clone(new);
                continue;
            }
            let mut inputs = (*check.inputs).clone();
            self.apply_to_inputs(&mut inputs, diagnostics);
            let new = Arc::new(inputs);
            known.push((Arc::clone(&check.inputs), Arc::clone(&new)));
            check.inputs = new;
        }
    }
}

/// Overrides and disabled controls of a file.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    overrides: Vec<(Key, Node)>,
    disabled: Vec<(Key, Node)>,
}

impl Overrides {
    /// Removes the overrides from the tree of a file and returns them.
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

    /// Applies the overrides. Reports unknown controls if `is_complete`, that is, if all controls
    /// are known.
    pub(crate) fn apply(
        &self,
        entries: &mut [Arc<ImageControl>],
        is_complete: bool,
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
            if found.is_none() && is_complete {
                report_unknown_control(
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
            match override_control(&entries[at], node, checker) {
                Ok(Some(entry)) => entries[at] = Arc::new(entry),
                Ok(None) => {}
                Err(problems) => report_problems(problems, node, checker),
            }
        }
        for (key, node) in &self.disabled {
            let (Some(at), Some(reason)) =
                (find(key, checker), parse_disable_reason(node, checker))
            else {
                continue;
            };
            let check = ParsedCheck {
                disabled: Some(reason),
                ..entries[at].check.clone()
            };
            if let Ok(entry) = entries[at].with_check(check) {
                entries[at] = Arc::new(entry);
            }
        }
    }
}

/// Reports an ID without a control.
pub(crate) fn report_unknown_control<'k>(
    id: &str,
    span: Span,
    known: impl Iterator<Item = &'k String>,
    diagnostics: &mut Diagnostics,
) {
    let help = match nearest(id, known.map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use the `id` of a control, or its resource, such as `package:nginx`".to_owned(),
    };
    diagnostics
        .error(
            codes::UNKNOWN_CONTROL,
            span,
            format!("the control `{}` does not exist", quote_text(id)),
        )
        .help(help);
}

/// Returns a control with an override. Returns `None` if the override is not usable.
fn override_control(
    entry: &ImageControl,
    node: &Node,
    checker: &mut Checker<'_, '_>,
) -> Result<Option<ImageControl>, Vec<checks::Problem>> {
    let (Ok(Tree::Map(changes)), Tree::Map(keys)) = (from_node::<Tree>(node), &*entry.check.raw)
    else {
        return Ok(None);
    };
    let mut check = [entry.check.clone()];
    if let Some(inputs) = node.get("inputs") {
        let input_values = InputValues {
            values: inputs.entries(),
            source: checker.source,
        };
        input_values.report_undeclared_inputs(&entry.check.inputs, checker.diagnostics);
        input_values.apply_to_checks(&mut check, checker.diagnostics);
    }
    let [mut check] = check;
    let mut keys = keys.clone();
    for (name, value) in changes.into_iter().filter(|(name, _)| name != "inputs") {
        let old = keys
            .iter_mut()
            .find(|(key, _)| *key == name)
            .map(|(_, old)| old);
        match (old, value) {
            // Tags are merged.
            (Some(Tree::Map(tags)), Tree::Map(more)) => {
                tags.retain(|(key, _)| !more.iter().any(|(k, _)| k == key));
                tags.extend(more);
            }
            (Some(old), value) => *old = value,
            (None, value) => keys.push((name, value)),
        }
    }
    check.raw = Arc::new(Tree::Map(keys));
    entry.with_check(check).map(Some)
}

/// Returns the reason for disabling a control.
fn parse_disable_reason(node: &Node, checker: &mut Checker<'_, '_>) -> Option<String> {
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
                "the reason for disabling a control is empty",
            )
            .help("explain why the control is disabled");
        return None;
    }
    let text = Text {
        value: text.clone(),
        span: node.span.clone(),
    };
    checker.check_line("a reason", &text, crate::catalog::defaults::MAX_DESCRIPTION)
}
