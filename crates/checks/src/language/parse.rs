//! Parses a check into a [`Control`]: reports all problems together, then applies the defaults.

use std::collections::{BTreeMap, BTreeSet};

use crate::kind::Kind;
use crate::language::control::{Control, Expected, Group, Item, Mode, Origin};
use crate::language::grammar;
use crate::language::ids::IdAllocator;
use crate::language::input::{Input, unknown_input};
use crate::language::interpolate;
use crate::matcher::tree::Tree;
use crate::phase::Phase;
use crate::problem::Problem;
use crate::registry;

/// Keys that every check accepts in addition to its resource.
pub(crate) const COMMON: &[&str] = &[
    "id",
    "title",
    "desc",
    "impact",
    "tags",
    "refs",
    "phase",
    "when",
    "for_each",
    "manual",
    "if_absent",
];
/// Keys of groups of expectations.
pub(crate) const GROUPS: &[(&str, Mode)] = &[
    ("checks", Mode::All),
    ("all_of", Mode::All),
    ("any_of", Mode::Any),
    ("none_of", Mode::None),
];

const LONGEST_LINE: usize = 200;

/// Context for parsing a check.
pub struct ParseContext<'a> {
    /// IDs in use; the parser adds the new one.
    pub ids: &'a mut IdAllocator,
    /// Inputs that the check can use.
    pub inputs: &'a BTreeMap<String, Input>,
    /// Place of the definition.
    pub origin: Origin,
}

/// Parses a check and applies the defaults.
///
/// # Errors
/// Returns all problems of the check.
pub fn parse_control(check: &Tree, context: ParseContext<'_>) -> Result<Control, Vec<Problem>> {
    let mut parser = CheckParser {
        problems: Vec::new(),
        inputs: context.inputs,
        variables: Vec::new(),
        for_each: Vec::new(),
        default_id: None,
    };
    let for_each = parser.parse_loops(check);
    let manual = parser.parse_line(check, "manual");
    let body = parser.parse_body(check, manual.is_some());
    let default_phases = default_phases(&body);
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
        phases: parser.parse_phases(check, default_phases),
        when: parser.parse_condition(check),
        manual,
        for_each,
        inputs: BTreeMap::new(),
        body,
        disabled: None,
        waiver: None,
        origin: context.origin,
    };
    parser.finish(control, context.ids)
}

/// Returns the default phases: those in which all resources of the body can be judged.
fn default_phases(body: &Group) -> BTreeSet<Phase> {
    let mut out = BTreeSet::from([Phase::Build, Phase::Boot]);
    for expectation in body.expectations() {
        let own = registry::kind_of(&expectation.target).map_or(&[][..], |kind| kind.phases);
        out.retain(|phase| own.contains(phase));
    }
    if out.is_empty() {
        BTreeSet::from([Phase::Boot])
    } else {
        out
    }
}

/// Parser of one check; collects its problems.
pub(super) struct CheckParser<'a> {
    pub(super) problems: Vec<Problem>,
    pub(super) inputs: &'a BTreeMap<String, Input>,
    /// Names of the loop variables.
    pub(super) variables: Vec<String>,
    /// Loop variables with their values as written.
    pub(super) for_each: Vec<(String, Tree)>,
    /// First resource, such as `file:/etc/motd`; default for the ID.
    pub(super) default_id: Option<String>,
}

impl CheckParser<'_> {
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Parses a key whose value is one line of text.
    fn parse_line(&mut self, check: &Tree, key: &str) -> Option<String> {
        let text = check.get(key)?.text()?;
        let fits = !text.trim().is_empty()
            && text.chars().count() <= LONGEST_LINE
            && !text.contains(char::is_control);
        if !fits {
            let message = format!("{key}: it must be one line of 1 to {LONGEST_LINE} characters");
            self.report(Problem::new(message, "shorten or remove it").under(key));
        }
        Some(text.to_owned())
    }

    fn parse_impact(&mut self, check: &Tree) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 are in range")]
        let impact = match check.get("impact") {
            Some(Tree::Float(v)) => *v,
            Some(Tree::Int(v)) => *v as f64,
            _ => return 0.5,
        };
        if !(0.0..=1.0).contains(&impact) {
            let problem = Problem::new(
                "impact: it must be from 0.0 to 1.0",
                "use a number from 0.0 to 1.0",
            );
            self.report(problem.under("impact"));
        }
        impact
    }

    fn parse_phases(&mut self, check: &Tree, default: BTreeSet<Phase>) -> BTreeSet<Phase> {
        let Some(list) = check.get("phase") else {
            return default;
        };
        let word = |tree: &Tree| match tree.text() {
            Some("build") => Some(Phase::Build),
            Some("boot") => Some(Phase::Boot),
            _ => None,
        };
        let phases: BTreeSet<Phase> = list.items().iter().filter_map(word).collect();
        if phases.is_empty() || phases.len() < list.items().len() {
            let problem = Problem::new(
                "phase: the check would never be judged",
                "use build, boot or both",
            );
            self.report(problem.under("phase"));
        }
        phases
    }

    fn parse_condition(&mut self, check: &Tree) -> Option<String> {
        let text = check.get("when")?.text()?;
        match grammar::parse(text) {
            Ok(condition) => {
                let (mut inputs, mut variables) = (Vec::new(), Vec::new());
                condition.collect_names(&mut inputs, &mut variables);
                for name in inputs
                    .into_iter()
                    .filter(|name| !self.inputs.contains_key(*name))
                {
                    let problem = unknown_input(name, self.inputs);
                    self.problems.push(problem.under("when"));
                }
                if let Some(held) = condition.constant_result() {
                    let message = format!(
                        "when: the condition is always {}",
                        if held { "true" } else { "false" }
                    );
                    let help = if held {
                        "remove it"
                    } else {
                        "use `disable` with a reason, or a condition on facts"
                    };
                    self.problems
                        .push(Problem::new(message, help).under("when"));
                }
                for name in variables {
                    // The condition is evaluated once, before the loop.
                    let problem =
                        Problem::new(format!("when: unknown name `{name}`"), "put text in quotes");
                    self.problems.push(problem.under("when"));
                }
            }
            Err(why) => {
                let help = "write a condition such as `os.name == \"debian\" and package(\"auditd\").installed`";
                self.report(Problem::new(format!("when: {why}"), help).under("when"));
            }
        }
        Some(text.to_owned())
    }

    fn parse_loops(&mut self, check: &Tree) -> Vec<(String, Tree)> {
        let Some(loops) = check.get("for_each") else {
            return Vec::new();
        };
        for (name, values) in loops.entries() {
            let plain =
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
            if !plain || name == "inputs" || registry::kind(name).is_some() {
                let message = format!(
                    "`{}` is not a valid name of a loop variable",
                    name.escape_debug()
                );
                let help = "use letters, digits and `_`, but not the name of a resource";
                self.report(
                    Problem::new(message, help)
                        .at_key()
                        .under(name)
                        .under("for_each"),
                );
            }
            for problem in interpolate::find_unknown_names(values, &[], self.inputs) {
                self.report(problem.under(name).under("for_each"));
            }
            if let Some(problem) = interpolate::find_exposed_secret(values, self.inputs) {
                self.report(problem.under(name).under("for_each"));
            }
            self.variables.push(name.clone());
        }
        self.for_each = loops.entries().to_vec();
        if interpolate::combinations(loops.entries(), &|tree| {
            interpolate::possible_items(tree, self.inputs)
        })
        .len()
            > interpolate::MAX_COMBINATIONS
        {
            let message = format!(
                "for_each: more than {} combinations",
                interpolate::MAX_COMBINATIONS
            );
            self.report(Problem::new(message, "split it into several checks").under("for_each"));
        }
        self.for_each.clone()
    }

    fn parse_body(&mut self, check: &Tree, manual: bool) -> Group {
        let groups: Vec<_> = GROUPS
            .iter()
            .filter(|(key, _)| check.get(key).is_some())
            .collect();
        let kinds = named_kinds(check);
        match (kinds.as_slice(), groups.as_slice()) {
            ([kind], []) => {
                let keys = COMMON.iter().copied();
                let item = self.parse_expectation(check, kind, &keys.collect::<Vec<_>>());
                Group {
                    mode: Mode::All,
                    items: vec![Item::Expect(item)],
                }
            }
            ([], [(key, mode)]) => self.parse_group(check, key, *mode),
            ([], []) if manual => Group {
                mode: Mode::All,
                items: Vec::new(),
            },
            ([], []) => {
                let names: Vec<&str> = registry::KINDS.iter().map(|k| k.name).collect();
                self.report(Problem::new(
                    "the check names no resource",
                    format!("use one of {}", names.join(", ")),
                ));
                Group {
                    mode: Mode::All,
                    items: Vec::new(),
                }
            }
            _ => {
                let first = kinds
                    .get(1)
                    .map(|k| k.name)
                    .or(groups.first().map(|(key, _)| *key))
                    .unwrap_or_default();
                self.report(second_resource(first));
                Group {
                    mode: Mode::All,
                    items: Vec::new(),
                }
            }
        }
    }

    fn parse_group(&mut self, check: &Tree, key: &str, mode: Mode) -> Group {
        let entries = check.get(key).map(Tree::items).unwrap_or_default();
        let mut items = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let before = self.problems.len();
            let nested = GROUPS.iter().find(|(key, _)| entry.get(key).is_some());
            let kinds = named_kinds(entry);
            match (kinds.as_slice(), nested) {
                ([kind], None) => items.push(Item::Expect(self.parse_expectation(
                    entry,
                    kind,
                    &["if_absent"],
                ))),
                ([], Some((inner, mode))) => {
                    items.push(Item::Group(self.parse_group(entry, inner, *mode)))
                }
                ([_, second, ..], None) => self.report(second_resource(second.name)),
                _ => {
                    let names: Vec<&str> = registry::KINDS.iter().map(|k| k.name).collect();
                    self.report(Problem::new(
                        "the entry names no resource",
                        format!("use one of {}", names.join(", ")),
                    ));
                }
            }
            for problem in &mut self.problems[before..] {
                *problem = problem.clone().under_item(i).under(key);
            }
        }
        if entries.is_empty() {
            self.report(Problem::new(format!("`{key}` is empty"), "add an expectation").under(key));
        }
        Group { mode, items }
    }

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
            control.id = ids.allocate(&default_id);
        }
        ids.insert(control.id.clone());
        control.inputs = interpolate::used_inputs(&control, self.inputs);
        Ok(control)
    }
}

/// Returns the resources of an entry: the first key that names one, and later keys that name one
/// without being a property of the first.
fn named_kinds(entry: &Tree) -> Vec<&'static Kind> {
    let mut all = entry
        .entries()
        .iter()
        .filter_map(|(key, _)| registry::kind(key));
    let Some(first) = all.next() else {
        return Vec::new();
    };
    let is_own_key = |name: &str| {
        first.property(name).is_some() || first.parameters.iter().any(|p| p.name == name)
    };
    std::iter::once(first)
        .chain(all.filter(|kind| !is_own_key(kind.name)))
        .collect()
}

fn second_resource(other: &str) -> Problem {
    Problem::new(
        "a check can name only one resource",
        "move this resource to a check of its own",
    )
    .at_key()
    .under(other)
}

/// Returns a title such as `file /etc/motd: mode "0644", owner "root"`.
fn default_title(id: &str, control: &Control) -> String {
    let mut all = Vec::new();
    for expectation in control.expectations() {
        let kind = registry::kind_of(&expectation.target);
        for (name, expected) in &expectation.expect {
            let value_type = kind
                .and_then(|k| k.property(name))
                .map_or(crate::kind::ValueType::Text, |p| p.of);
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
#[path = "parse_tests.rs"]
mod tests;
