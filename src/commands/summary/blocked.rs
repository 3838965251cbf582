//! Explains the images of a plan that are blocked.

use crate::error::{Error, ErrorKind};
use crate::plan::Plan;
use crate::plan::step::{Decision, PlanVerdict};
use crate::ui;

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

/// Returns an error with the reasons of all blocked images. Several images are printed, one per line.
/// `action` is a past participle.
pub(super) fn refused_error(plan: &Plan, action: &str) -> Option<Error> {
    let messages: Vec<String> = blocked_images(plan)
        .map(|d| format!("`{}` is not {action}: {}", d.image, d.reasons.join("; ")))
        .collect();
    let text = match messages.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => {
            for message in several {
                ui::say_message(message);
            }
            format!("{} images are not {action}", several.len())
        }
    };
    Some(Error::new(ErrorKind::Refused, text).hint("nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::{blocked_error, refused_error};
    use crate::model::{ImageName, RunId, Timestamp};
    use crate::plan::Plan;
    use crate::plan::release::PLAN_SCHEMA;
    use crate::plan::step::{Decision, PlanVerdict};

    fn plan(decisions: &[(&str, PlanVerdict)]) -> Plan {
        let decision = |(image, verdict): &(&str, PlanVerdict)| Decision {
            image: ImageName::from(*image),
            verdict: *verdict,
            reasons: vec!["too new".to_owned(), "held".to_owned()],
            version: None,
            base: None,
            base_because: None,
            ami: None,
        };
        Plan {
            schema: PLAN_SCHEMA,
            run: RunId::from("r1"),
            decided_at: Timestamp::UNIX_EPOCH,
            decisions: decisions.iter().map(decision).collect(),
            steps: Vec::new(),
        }
    }

    #[test]
    fn refusal_has_the_reasons_of_one_image_or_the_number_of_images() {
        let refusal = |decisions: &[(&str, PlanVerdict)]| {
            refused_error(&plan(decisions), "promoted").map(|error| error.to_string())
        };
        let (web, db) = (("web", PlanVerdict::Blocked), ("db", PlanVerdict::Blocked));
        assert_eq!(refusal(&[("web", PlanVerdict::Promote)]), None);
        assert_eq!(
            refusal(&[web]).as_deref(),
            Some("`web` is not promoted: too new; held")
        );
        assert_eq!(
            refusal(&[web, db]).as_deref(),
            Some("2 images are not promoted")
        );
    }

    #[test]
    fn blocked_build_names_the_other_images() {
        let hints = |decisions: &[(&str, PlanVerdict)]| {
            blocked_error(&plan(decisions), true)
                .expect("an error")
                .hints()
                .join(" ")
        };
        let (web, db) = (("web", PlanVerdict::Blocked), ("db", PlanVerdict::Build));
        assert!(hints(&[web, db, ("jdk", PlanVerdict::Keep)]).ends_with("other images: db"));
        assert!(hints(&[web]).ends_with("run it again"));
    }
}
