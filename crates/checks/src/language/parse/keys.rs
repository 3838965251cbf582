//! Parses the keys that every check accepts.

use std::collections::BTreeSet;

use crate::language::expression::Expression;
use crate::language::grammar;
use crate::language::input::unknown_input;
use crate::language::parse::parser::CheckParser;
use crate::matcher::tree::Tree;
use crate::matcher::value::quantity;
use crate::phase::Phase;
use crate::problem::Problem;

/// Keys that every check accepts in addition to its resource.
pub(super) const COMMON: &[&str] = &[
    "id",
    "title",
    "desc",
    "impact",
    "tags",
    "refs",
    "phase",
    "within",
    "when",
    "for_each",
    "manual",
    "if_absent",
];
/// Largest number of characters of a title, an ID or a reason.
pub(super) const LONGEST_LINE: usize = 200;

/// Largest number of seconds in `within`. All checks of an image are tried together, so this is
/// also the longest wait of all of them.
const LONGEST_WAIT: u32 = 300;

impl CheckParser<'_> {
    /// Parses a key whose value is one line of text.
    pub(super) fn parse_line(&mut self, check: &Tree, key: &str) -> Option<String> {
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

    pub(super) fn parse_impact(&mut self, check: &Tree) -> f64 {
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

    pub(super) fn parse_phases(
        &mut self,
        check: &Tree,
        default: BTreeSet<Phase>,
    ) -> BTreeSet<Phase> {
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
            let message = if phases.is_empty() {
                "`phase` lists no phase"
            } else {
                "`phase` has an unknown or repeated entry"
            };
            let problem = Problem::new(message, "list `build`, `boot` or both");
            self.report(problem.under("phase"));
        }
        phases
    }

    /// Parses the time within which a check must pass. Such a check runs only in the phase boot,
    /// because services start after the boot.
    pub(super) fn parse_within(
        &mut self,
        check: &Tree,
        phases: &mut BTreeSet<Phase>,
    ) -> Option<u32> {
        let value = check.get("within")?;
        let text = value.scalar_text().unwrap_or_default();
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        let seconds = quantity(&text)
            .and_then(|seconds| u32::try_from(seconds).ok())
            .filter(|seconds| !is_number && (1..=LONGEST_WAIT).contains(seconds));
        if seconds.is_none() {
            let message = format!(
                "within: `{}` is not a duration from 1s to {LONGEST_WAIT}s",
                text.escape_debug()
            );
            let is_too_long =
                !is_number && quantity(&text).is_some_and(|s| s > LONGEST_WAIT.into());
            let help = if is_too_long {
                format!("use at most {LONGEST_WAIT}s")
            } else {
                "write a duration with its unit, such as 60s or 2m".to_owned()
            };
            self.report(Problem::new(message, help).under("within"));
        }
        if check.get("manual").is_some() {
            let message = "`within` does not apply to a manual check";
            self.report(Problem::new(message, "remove it").at_key().under("within"));
        }
        if check.get("phase").is_some() && phases.contains(&Phase::Build) {
            let message = "`within` applies only to the phase boot";
            let help = "write `phase: [boot]`, and a check without `within` for the phase build";
            self.report(Problem::new(message, help).under("phase"));
        }
        *phases = BTreeSet::from([Phase::Boot]);
        seconds
    }

    pub(super) fn parse_condition(&mut self, check: &Tree) -> Option<String> {
        let text = check.get("when")?.text()?;
        match grammar::parse(text) {
            Ok(condition) => {
                let problems = self.condition_problems(&condition);
                self.report_under("when", problems);
            }
            Err(error) => {
                let help = "write a condition such as `os.name == \"debian\" and package(\"auditd\").installed`";
                self.report(Problem::new(format!("when: {error}"), help).under("when"));
            }
        }
        Some(text.to_owned())
    }

    /// Returns the problems of a condition: unknown names and constant results.
    fn condition_problems(&self, condition: &Expression) -> Vec<Problem> {
        let (mut inputs, mut variables) = (Vec::new(), Vec::new());
        condition.collect_names(&mut inputs, &mut variables);
        let mut out: Vec<Problem> = inputs
            .into_iter()
            .filter(|name| !self.inputs.contains_key(*name))
            .map(|name| unknown_input(name, self.inputs))
            .collect();
        out.extend(condition.constant_result().map(|held| {
            let help = if held {
                "remove it"
            } else {
                "use `disable` with a reason, or a condition on facts"
            };
            Problem::new(format!("when: the condition is always {held}"), help)
        }));
        // The condition is evaluated once, before the loop, so loop variables are unknown too.
        out.extend(variables.into_iter().map(|name| {
            Problem::new(format!("when: unknown name `{name}`"), "put text in quotes")
        }));
        out
    }
}
