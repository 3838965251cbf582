//! Owns what is said of one expectation: how an observation compares with a matcher, in people's words.

use crate::evaluate::verdict::{Finding, HIDDEN, Outcome};
use crate::facts::observed::Observed;
use crate::kind::Target;
use crate::language::control::IfAbsent;
use crate::matcher::pattern::Patterns;
use crate::matcher::{Matcher, Unfit};

/// A finding about the control as a whole.
pub(super) fn whole(outcome: Outcome, what: &str, message: String) -> Finding {
    let (resource, property) = (String::new(), what.to_owned());
    Finding {
        resource,
        property,
        expected: String::new(),
        actual: None,
        outcome,
        message,
    }
}

/// The same where it is the only one.
pub(super) fn alone(outcome: Outcome, what: &str, message: String) -> Box<Finding> {
    Box::new(whole(outcome, what, message))
}

/// Where there is nothing to look at, and that is no failure.
pub(super) fn nothing(meaning: IfAbsent, target: &Target, property: &str) -> Finding {
    let outcome = if meaning == IfAbsent::Pass {
        Outcome::Passed
    } else {
        Outcome::Skipped
    };
    Finding {
        resource: target.shown(),
        ..whole(
            outcome,
            property,
            format!("{property}: there is nothing to look at"),
        )
    }
}

/// How what was observed compares with what is expected.
pub(super) fn judged(
    target: &Target,
    property: &str,
    matcher: &Matcher,
    expected: String,
    observed: Observed,
    patterns: &Patterns,
) -> Finding {
    let missing = |why: String| {
        (
            Outcome::Failed,
            format!("{property}: expected {expected}, but it {why}"),
        )
    };
    let mut actual = None;
    let (outcome, message) = match observed {
        Observed::Missing(_) if matcher.wants_nothing() => {
            (Outcome::Passed, format!("{property}: expected {expected}"))
        }
        Observed::Missing(why) => missing(why),
        Observed::Unknown(why) => (Outcome::Error, format!("{property}: {why}")),
        Observed::Skipped(why) => (Outcome::Skipped, format!("{property}: {why}")),
        Observed::Value(value) => {
            let shown = value.shown();
            let said = match matcher.fits(&value, patterns) {
                Err(Unfit::Error(why)) => (Outcome::Error, format!("{property}: {why}")),
                Err(Unfit::Missing(why)) => missing(why),
                Ok(fits) => (
                    if fits {
                        Outcome::Passed
                    } else {
                        Outcome::Failed
                    },
                    format!("{property}: expected {expected}, actual {shown}"),
                ),
            };
            actual = Some(shown);
            said
        }
    };
    Finding {
        resource: target.shown(),
        property: property.to_owned(),
        expected,
        actual,
        outcome,
        message,
    }
}

/// The same finding without anything that a sensitive value could be told from: what was found may be that value.
pub(super) fn hidden(finding: Finding) -> Finding {
    let property = &finding.property;
    let message = match finding.outcome {
        Outcome::Passed | Outcome::Failed => {
            format!("{property}: expected {HIDDEN}, actual {HIDDEN}")
        }
        Outcome::Skipped => finding.message.clone(),
        Outcome::Error => format!("{property}: it can't be compared with {HIDDEN}"),
    };
    let actual = finding.actual.as_ref().map(|_| HIDDEN.to_owned());
    Finding {
        expected: HIDDEN.to_owned(),
        actual,
        message,
        ..finding
    }
}

/// The same finding without what was found, which is part of a secret.
pub(super) fn unseen(finding: Finding) -> Finding {
    if finding.actual.is_none() {
        return finding;
    }
    let Finding {
        property, expected, ..
    } = &finding;
    let message = match finding.outcome {
        Outcome::Error => format!("{property}: what is there can't be compared"),
        _ => format!("{property}: expected {expected}, actual {HIDDEN}"),
    };
    Finding {
        actual: Some(HIDDEN.to_owned()),
        message,
        ..finding
    }
}

/// One result for alternatives (`wanted`: one must hold) or for what must not hold.
pub(super) fn either(parts: Vec<Vec<Finding>>, wanted: bool) -> Finding {
    let worst = |part: &Vec<Finding>| {
        part.iter()
            .map(|f| f.outcome)
            .max()
            .unwrap_or(Outcome::Skipped)
    };
    let outcomes: Vec<Outcome> = parts.iter().map(worst).collect();
    let any = |outcome| outcomes.contains(&outcome);
    let outcome = match (wanted, any(Outcome::Passed), any(Outcome::Error)) {
        (true, true, _) => Outcome::Passed,
        (false, true, _) => Outcome::Failed,
        (_, false, true) => Outcome::Error,
        (true, false, false) if any(Outcome::Failed) => Outcome::Failed,
        // What could not be judged may hold.
        (false, false, false) if !any(Outcome::Skipped) => Outcome::Passed,
        _ => Outcome::Skipped,
    };
    let told: Vec<String> = parts
        .iter()
        .zip(&outcomes)
        .map(|(part, outcome)| {
            let shown: Vec<String> = part
                .iter()
                .filter(|f| f.outcome == *outcome)
                .map(|f| format!("{} {}", f.resource, f.message))
                .collect();
            format!("({}: {})", outcome.as_str(), shown.join(", "))
        })
        .collect();
    let (name, expected) = if wanted {
        ("any_of", "at least one to hold")
    } else {
        ("none_of", "none to hold")
    };
    let message = format!("{name}: expected {expected}: {}", told.join(" "));
    Finding {
        expected: expected.to_owned(),
        ..whole(outcome, name, message)
    }
}
