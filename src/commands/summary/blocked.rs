//! Explains the images of a plan that are blocked.

use crate::error::{Error, ErrorKind};
use crate::plan::Plan;
use crate::plan::step::{Decision, PlanVerdict};

/// Returns an error if a plan has blocked images, with the reasons unless a person sees them in the
/// table.
pub(in crate::commands) fn blocked_error(plan: &Plan, has_table: bool) -> Option<Error> {
    let describe = |d: &Decision| match has_table {
        true => format!("`{}`", d.image),
        false => format!("`{}`: {}", d.image, d.reasons.join("; ")),
    };
    let blocked: Vec<String> = blocked_images(plan).map(describe).collect();
    let separator = if has_table { ", " } else { "; " };
    let error = Error::input(format!("cannot build {}", blocked.join(separator)));
    (!blocked.is_empty()).then(|| error.hint(others_hint(plan)))
}

/// Returns the hint that names the images that are not blocked.
fn others_hint(plan: &Plan) -> String {
    let others = plan
        .decisions
        .iter()
        .filter(|d| !matches!(d.verdict, PlanVerdict::Blocked | PlanVerdict::Keep));
    let others: Vec<&str> = others.map(|d| d.image.as_str()).collect();
    match others.is_empty() {
        true => "nothing was changed; fix the problem, and run it again".to_owned(),
        false => format!(
            "nothing was changed; fix the problem, or pass the names of the other images: {}",
            others.join(" ")
        ),
    }
}

pub(super) fn blocked_images(plan: &Plan) -> impl Iterator<Item = &Decision> {
    let decisions = plan.decisions.iter();
    decisions.filter(|d| d.verdict == PlanVerdict::Blocked)
}

/// Returns an error with the reasons of all blocked images. `action` is a past participle.
pub(super) fn refused_error(plan: &Plan, action: &str) -> Option<Error> {
    let messages: Vec<String> = blocked_images(plan)
        .map(|d| format!("`{}` is not {action}: {}", d.image, d.reasons.join("; ")))
        .collect();
    (!messages.is_empty())
        .then(|| Error::new(ErrorKind::Refused, messages.join("; ")).hint("nothing was changed"))
}
