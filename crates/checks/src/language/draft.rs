//! Owns the way from a check as written to a valid [`Control`]: every problem at once, then the defaults.

use std::collections::{BTreeMap, BTreeSet};

use crate::kind::Kind;
use crate::language::control::{Control, Expected, Group, Item, Mode, Origin};
use crate::language::grammar;
use crate::language::input::{Input, no_input};
use crate::language::open;
use crate::language::taken::Taken;
use crate::matcher::tree::Tree;
use crate::phase::Phase;
use crate::problem::Problem;
use crate::registry;

/// The keys that any check may carry beside its resource.
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
/// The keys that hold several expectations.
pub(crate) const GROUPS: &[(&str, Mode)] = &[
    ("checks", Mode::All),
    ("all_of", Mode::All),
    ("any_of", Mode::Any),
    ("none_of", Mode::None),
];

const LONGEST_LINE: usize = 200;

/// What a check is read with.
pub struct Around<'a> {
    /// The ids that are in use; the new one is added.
    pub taken: &'a mut Taken,
    /// The inputs that it may name.
    pub inputs: &'a BTreeMap<String, Input>,
    /// Where it is written.
    pub origin: Origin,
}

/// Checks what is written and fills in the defaults.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn read(check: &Tree, around: Around<'_>) -> Result<Control, Vec<Problem>> {
    let mut draft = Draft {
        problems: Vec::new(),
        inputs: around.inputs,
        loops: Vec::new(),
        for_each: Vec::new(),
        shown: None,
    };
    let for_each = draft.for_each(check);
    let manual = draft.line(check, "manual");
    let body = draft.body(check, manual.is_some());
    let default_phases = phases_of(&body);
    let control = Control {
        id: draft.line(check, "id").unwrap_or_default(),
        title: draft.line(check, "title").unwrap_or_default(),
        desc: check
            .get("desc")
            .and_then(Tree::text)
            .map(|t| t.trim().to_owned()),
        impact: draft.impact(check),
        tags: check
            .get("tags")
            .map(|t| t.entries().iter().cloned().collect())
            .unwrap_or_default(),
        refs: check
            .get("refs")
            .into_iter()
            .flat_map(Tree::items)
            .filter_map(Tree::spelled)
            .collect(),
        phases: draft.phases(check, default_phases),
        when: draft.when(check),
        manual,
        for_each,
        inputs: BTreeMap::new(),
        body,
        disabled: None,
        waiver: None,
        origin: around.origin,
    };
    draft.finish(control, around.taken)
}

/// When the kinds of a body's resources are judged, unless the check says so.
fn phases_of(body: &Group) -> BTreeSet<Phase> {
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

/// A check while it is read.
pub(super) struct Draft<'a> {
    pub(super) problems: Vec<Problem>,
    pub(super) inputs: &'a BTreeMap<String, Input>,
    /// The names of its loop values.
    pub(super) loops: Vec<String>,
    /// Those with their values as they are written.
    pub(super) for_each: Vec<(String, Tree)>,
    /// The first resource, such as `file:/etc/motd`: what the id is made of.
    pub(super) shown: Option<String>,
}

impl Draft<'_> {
    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// One line of text under a key.
    fn line(&mut self, check: &Tree, key: &str) -> Option<String> {
        let text = check.get(key)?.text()?;
        let fits = !text.trim().is_empty()
            && text.chars().count() <= LONGEST_LINE
            && !text.contains(char::is_control);
        if !fits {
            let message = format!("{key}: it must be one line of 1 to {LONGEST_LINE} characters");
            self.problem(Problem::new(message, "shorten it, or leave it out").under(key));
        }
        Some(text.to_owned())
    }

    fn impact(&mut self, check: &Tree) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 are in range")]
        let impact = match check.get("impact") {
            Some(Tree::Float(v)) => *v,
            Some(Tree::Int(v)) => *v as f64,
            _ => return 0.5,
        };
        if !(0.0..=1.0).contains(&impact) {
            let problem = Problem::new(
                "impact: it must be 0.0 to 1.0",
                "use a number from 0.0 to 1.0",
            );
            self.problem(problem.under("impact"));
        }
        impact
    }

    fn phases(&mut self, check: &Tree, default: BTreeSet<Phase>) -> BTreeSet<Phase> {
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
                "phase: it would never be judged",
                "name build, boot or both",
            );
            self.problem(problem.under("phase"));
        }
        phases
    }

    fn when(&mut self, check: &Tree) -> Option<String> {
        let text = check.get("when")?.text()?;
        match grammar::parse(text) {
            Ok(condition) => {
                let (mut inputs, mut variables) = (Vec::new(), Vec::new());
                condition.names(&mut inputs, &mut variables);
                for name in inputs
                    .into_iter()
                    .filter(|name| !self.inputs.contains_key(*name))
                {
                    let problem = no_input(name, self.inputs);
                    self.problems.push(problem.under("when"));
                }
                if let Some(held) = condition.constant() {
                    let message = format!(
                        "when: it {} holds, whatever is found",
                        if held { "always" } else { "never" }
                    );
                    let help = if held {
                        "leave it out"
                    } else {
                        "use `disable` with a reason, or a condition on facts"
                    };
                    self.problems
                        .push(Problem::new(message, help).under("when"));
                }
                for name in variables {
                    // A loop is inside the condition, not around it.
                    let problem =
                        Problem::new(format!("when: `{name}` means nothing here"), "quote a text");
                    self.problems.push(problem.under("when"));
                }
            }
            Err(why) => {
                let help =
                    "write one such as `os.name == \"debian\" and package(\"auditd\").installed`";
                self.problem(Problem::new(format!("when: {why}"), help).under("when"));
            }
        }
        Some(text.to_owned())
    }

    fn for_each(&mut self, check: &Tree) -> Vec<(String, Tree)> {
        let Some(loops) = check.get("for_each") else {
            return Vec::new();
        };
        for (name, values) in loops.entries() {
            let plain =
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
            if !plain || name == "inputs" || registry::kind(name).is_some() {
                let message = format!("`{}` can't name a loop value", name.escape_debug());
                let help = "use letters, digits and `_`, and no resource's name";
                self.problem(
                    Problem::new(message, help)
                        .at_key()
                        .under(name)
                        .under("for_each"),
                );
            }
            for problem in open::check(values, &[], self.inputs) {
                self.problem(problem.under(name).under("for_each"));
            }
            if let Some(problem) = open::exposed(values, self.inputs) {
                self.problem(problem.under(name).under("for_each"));
            }
            self.loops.push(name.clone());
        }
        self.for_each = loops.entries().to_vec();
        if open::rows(loops.entries(), &|tree| open::every(tree, self.inputs)).len()
            > open::MOST_ROWS
        {
            let message = format!(
                "for_each: it has more than {} combinations",
                open::MOST_ROWS
            );
            self.problem(Problem::new(message, "make several checks of it").under("for_each"));
        }
        self.for_each.clone()
    }

    fn body(&mut self, check: &Tree, manual: bool) -> Group {
        let groups: Vec<_> = GROUPS
            .iter()
            .filter(|(key, _)| check.get(key).is_some())
            .collect();
        let kinds = kinds(check);
        match (kinds.as_slice(), groups.as_slice()) {
            ([kind], []) => {
                let keys = COMMON.iter().copied();
                let item = self.expectation(check, kind, &keys.collect::<Vec<_>>());
                Group {
                    mode: Mode::All,
                    items: vec![Item::Expect(item)],
                }
            }
            ([], [(key, mode)]) => self.group(check, key, *mode),
            ([], []) if manual => Group {
                mode: Mode::All,
                items: Vec::new(),
            },
            ([], []) => {
                let names: Vec<&str> = registry::KINDS.iter().map(|k| k.name).collect();
                self.problem(Problem::new(
                    "it says nothing to check",
                    format!("name one of {}", names.join(", ")),
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
                self.problem(several(first));
                Group {
                    mode: Mode::All,
                    items: Vec::new(),
                }
            }
        }
    }

    fn group(&mut self, check: &Tree, key: &str, mode: Mode) -> Group {
        let entries = check.get(key).map(Tree::items).unwrap_or_default();
        let mut items = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let before = self.problems.len();
            let nested = GROUPS.iter().find(|(key, _)| entry.get(key).is_some());
            let kinds = kinds(entry);
            match (kinds.as_slice(), nested) {
                ([kind], None) => {
                    items.push(Item::Expect(self.expectation(entry, kind, &["if_absent"])))
                }
                ([], Some((inner, mode))) => {
                    items.push(Item::Group(self.group(entry, inner, *mode)))
                }
                ([_, second, ..], None) => self.problem(several(second.name)),
                _ => {
                    let names: Vec<&str> = registry::KINDS.iter().map(|k| k.name).collect();
                    self.problem(Problem::new(
                        "it names no resource",
                        format!("name one of {}", names.join(", ")),
                    ));
                }
            }
            for problem in &mut self.problems[before..] {
                *problem = problem.clone().under_item(i).under(key);
            }
        }
        if entries.is_empty() {
            self.problem(
                Problem::new(format!("`{key}` is empty"), "name what is expected").under(key),
            );
        }
        Group { mode, items }
    }

    fn finish(mut self, mut control: Control, taken: &mut Taken) -> Result<Control, Vec<Problem>> {
        if taken.contains(&control.id) {
            let message = format!(
                "id: `{}` is taken by another check",
                control.id.escape_debug()
            );
            self.problem(Problem::new(message, "choose another one, or leave it out").under("id"));
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let shown = self.shown.unwrap_or_else(|| "manual".to_owned());
        if control.title.is_empty() {
            control.title = title(&shown, &control);
        }
        if control.id.is_empty() {
            control.id = taken.free(&shown);
        }
        taken.insert(control.id.clone());
        control.inputs = open::named(&control, self.inputs);
        Ok(control)
    }
}

/// The resources that an entry names: the first key that is a resource's name, and the later ones that are none of its
/// properties.
fn kinds(entry: &Tree) -> Vec<&'static Kind> {
    let mut all = entry
        .entries()
        .iter()
        .filter_map(|(key, _)| registry::kind(key));
    let Some(first) = all.next() else {
        return Vec::new();
    };
    let known = |name: &str| {
        first.property(name).is_some() || first.parameters.iter().any(|p| p.name == name)
    };
    std::iter::once(first)
        .chain(all.filter(|kind| !known(kind.name)))
        .collect()
}

fn several(other: &str) -> Problem {
    Problem::new(
        "one check is of one resource",
        "make an entry of its own for the other",
    )
    .at_key()
    .under(other)
}

/// Such as `file /etc/motd: mode "0644", owner "root"`.
fn title(shown: &str, control: &Control) -> String {
    let mut all = Vec::new();
    for expectation in control.expectations() {
        let kind = registry::kind_of(&expectation.target);
        for (name, expected) in &expectation.expect {
            let of = kind
                .and_then(|k| k.property(name))
                .map_or(crate::kind::Of::Text, |p| p.of);
            all.push(match expected {
                Expected::Fixed(matcher) => format!("{name} {}", matcher.describe(of)),
                Expected::Open(_) => name.clone(),
            });
        }
    }
    let text = format!("{}: {}", shown.replacen(':', " ", 1), all.join(", "));
    if text.chars().count() <= LONGEST_LINE {
        text
    } else {
        text.chars().take(LONGEST_LINE - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
