//! Owns judging: controls and facts to verdicts, without asking anybody anything more.

use std::collections::BTreeMap;

use super::conditions::Conditions;
use super::observe::{chosen, observe};
use crate::evaluate::finding::{alone, either, hidden, judged, nothing, unseen, whole};
use crate::evaluate::verdict::{Finding, Outcome, Verdict};
use crate::facts::Facts;
use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Kind, Target};
use crate::language::control::{Control, Expectation, Expected, Group, IfAbsent, Item, Mode};
use crate::language::expression::Scope;
use crate::language::open;
use crate::matcher::Matcher;
use crate::matcher::pattern::Patterns;
use crate::matcher::tree::Tree;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::registry;

/// Judges the controls of the phase, in their order; those of the other phase have no verdict.
#[must_use]
pub fn judge(controls: &[&Control], facts: &Facts, phase: Phase) -> Vec<Verdict> {
    let (view, conditions) = (View::new(facts), Conditions::default());
    controls
        .iter()
        .filter(|c| c.phases.contains(&phase))
        .map(|c| verdict(c, &view, &conditions))
        .collect()
}

fn verdict(control: &Control, view: &View<'_>, conditions: &Conditions) -> Verdict {
    let results = results(control, view, conditions).unwrap_or_else(|finding| vec![*finding]);
    // A control without results is not one that `draft` makes; it shows nothing, so it can't pass.
    let outcome = results
        .iter()
        .map(|f| f.outcome)
        .max()
        .unwrap_or(Outcome::Error);
    let Control {
        id,
        title,
        impact,
        waiver,
        ..
    } = control;
    Verdict {
        control: id.clone(),
        title: title.clone(),
        impact: *impact,
        outcome,
        results,
        waiver: waiver.clone(),
    }
}

fn results(
    control: &Control,
    view: &View<'_>,
    conditions: &Conditions,
) -> Result<Vec<Finding>, Box<Finding>> {
    if let Some(reason) = &control.disabled {
        return Err(alone(
            Outcome::Skipped,
            "disable",
            format!("it is switched off: {reason}"),
        ));
    }
    if let Some(reason) = &control.manual {
        return Err(alone(
            Outcome::Skipped,
            "manual",
            format!("a person has to look: {reason}"),
        ));
    }
    let known = Known {
        control,
        view,
        conditions,
        row: BTreeMap::new(),
    };
    if let Some(text) = &control.when {
        let condition = conditions.get(text);
        match condition
            .as_ref()
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|condition| condition.holds(&known))
        {
            Ok(true) => {}
            Ok(false) => {
                return Err(alone(
                    Outcome::Skipped,
                    "when",
                    format!("it does not apply here: {text}"),
                ));
            }
            Err(why) => {
                return Err(alone(
                    Outcome::Error,
                    "when",
                    format!("it can't be told whether it applies: {why}"),
                ));
            }
        }
    }
    let mut out = Vec::new();
    for row in known.rows()? {
        let known = Known {
            control,
            view,
            conditions,
            row,
        };
        out.extend(known.group(&control.body));
    }
    Ok(out)
}

/// A control while it is judged for one combination of its loops' values.
struct Known<'a> {
    control: &'a Control,
    view: &'a View<'a>,
    conditions: &'a Conditions,
    row: BTreeMap<String, Tree>,
}

impl Scope for Known<'_> {
    fn observe(&self, target: &Target, property: &str) -> Observed {
        observe(target, property, self.view)
    }

    fn input(&self, name: &str) -> Result<Tree, String> {
        chosen(&self.control.inputs, name, self, self.conditions)
    }

    fn variable(&self, name: &str) -> Option<Tree> {
        self.row.get(name).cloned()
    }

    fn patterns(&self) -> &Patterns {
        self.view.patterns()
    }
}

impl Known<'_> {
    /// The combinations of loop values, at least one.
    fn rows(&self) -> Result<Vec<BTreeMap<String, Tree>>, Box<Finding>> {
        let mut closed = Vec::new();
        for (name, tree) in &self.control.for_each {
            let values = open::close(tree, &|name| self.input(name), &|_| None)
                .map_err(|why| alone(Outcome::Error, "for_each", why))?;
            closed.push((name.clone(), values));
        }
        let rows = open::rows(&closed, &|tree| tree.items().to_vec());
        if rows.len() > open::MOST_ROWS {
            let why = format!("there are more than {} values to check", open::MOST_ROWS);
            return Err(alone(Outcome::Error, "for_each", why));
        }
        if rows.is_empty() {
            return Err(alone(
                Outcome::Skipped,
                "for_each",
                "there is nothing to check: the list is empty".to_owned(),
            ));
        }
        Ok(rows)
    }

    fn close(&self, tree: &Tree) -> Result<Tree, String> {
        open::close(tree, &|name| self.input(name), &|name| {
            self.row.get(name).cloned()
        })
    }

    fn group(&self, group: &Group) -> Vec<Finding> {
        let parts = || group.items.iter().map(|item| self.item(item));
        match group.mode {
            Mode::All => parts().flatten().collect(),
            Mode::Any => vec![either(parts().collect(), true)],
            Mode::None => vec![either(parts().collect(), false)],
        }
    }

    fn item(&self, item: &Item) -> Vec<Finding> {
        match item {
            Item::Expect(expectation) => self.expectation(expectation),
            Item::Group(group) => self.group(group),
        }
    }

    fn expectation(&self, expectation: &Expectation) -> Vec<Finding> {
        let (input, value) = (
            |name: &str| self.input(name),
            |name: &str| self.row.get(name).cloned(),
        );
        let target = match open::close_target(&expectation.target, &input, &value) {
            Ok(target) => target,
            Err(why) => return vec![whole(Outcome::Error, "resource", why)],
        };
        let Some(kind) = registry::kind_of(&target) else {
            let why = format!("this version knows no resource `{}`", target.kind);
            return vec![whole(Outcome::Error, "resource", why)];
        };
        if let Some(finding) = self.absent(expectation, kind, &target) {
            return vec![finding];
        }
        expectation
            .expect
            .iter()
            .map(|(name, expected)| self.finding(&target, kind, name, expected, expectation))
            .collect()
    }

    /// What `if_absent` makes of there being nothing.
    fn absent(&self, expectation: &Expectation, kind: &Kind, target: &Target) -> Option<Finding> {
        let (meaning, presence) = (expectation.if_absent?, kind.presence?);
        let absent = matches!(
            observe(target, presence, self.view),
            Observed::Value(Value::Bool(false, _))
        );
        (absent && meaning != IfAbsent::Fail).then(|| nothing(meaning, target, presence))
    }

    fn finding(
        &self,
        target: &Target,
        kind: &Kind,
        name: &str,
        expected: &Expected,
        of: &Expectation,
    ) -> Finding {
        let kind_of = kind.property(name).map_or(crate::kind::Of::Text, |p| p.of);
        let read;
        let matcher = match expected {
            Expected::Fixed(matcher) => Ok(matcher),
            Expected::Open(tree) => {
                read = self.close(tree).and_then(|tree| {
                    Matcher::read(&tree, kind_of).map_err(|problem| problem.message)
                });
                read.as_ref()
            }
        };
        self.view.fresh();
        let observed = observe(target, name, self.view);
        let secret = self.view.read_secret();
        let finding = match (matcher, observed, of.if_absent) {
            (Err(why), ..) => Finding {
                resource: target.shown(),
                ..whole(Outcome::Error, name, format!("{name}: {why}"))
            },
            (Ok(_), Observed::Missing(_), Some(meaning @ (IfAbsent::Skip | IfAbsent::Pass))) => {
                nothing(meaning, target, name)
            }
            (Ok(matcher), observed, _) => judged(
                target,
                name,
                matcher,
                matcher.describe(kind_of),
                observed,
                self.view.patterns(),
            ),
        };
        match (self.sensitive(expected), secret) {
            (true, _) => hidden(finding),
            (false, true) => unseen(finding),
            (false, false) => finding,
        }
    }

    /// Whether what is expected is a value to be kept to itself.
    fn sensitive(&self, expected: &Expected) -> bool {
        let Expected::Open(tree) = expected else {
            return false;
        };
        open::inputs_in(tree).iter().any(|name| {
            self.control
                .inputs
                .get(*name)
                .is_some_and(|input| input.sensitive)
        })
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "judge_secret_tests.rs"]
mod secret_tests;
