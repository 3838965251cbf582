//! Creates findings: compares observations with matchers and writes the messages.

use crate::evaluate::verdict::{Finding, HIDDEN, Outcome};
use crate::facts::observation::Observation;
use crate::language::control::IfAbsent;
use crate::matcher::Matcher;
use crate::matcher::context::MatchContext;
use crate::matcher::error::MatchError;
use crate::resource_type::ResourceRef;

/// Creates a finding about the whole control.
pub(super) fn control_finding(outcome: Outcome, property: &str, message: String) -> Finding {
    let (resource, property) = (String::new(), property.to_owned());
    Finding {
        resource,
        property,
        expected: String::new(),
        actual: None,
        outcome,
        message,
    }
}

/// Creates a boxed finding about the whole control, for use as an error that stops the evaluation.
pub(super) fn boxed_control_finding(
    outcome: Outcome,
    property: &str,
    message: String,
) -> Box<Finding> {
    Box::new(control_finding(outcome, property, message))
}

/// Creates the finding of `if_absent` for a resource that does not exist.
pub(super) fn absent_finding(meaning: IfAbsent, target: &ResourceRef, property: &str) -> Finding {
    let outcome = if meaning == IfAbsent::Pass {
        Outcome::Passed
    } else {
        Outcome::Skipped
    };
    Finding {
        resource: target.display_name(),
        ..control_finding(
            outcome,
            property,
            format!("{property}: the resource does not exist"),
        )
    }
}

/// Compares an observation with a matcher.
pub(super) fn compare(
    target: &ResourceRef,
    property: &str,
    matcher: &Matcher,
    expected: String,
    observed: Observation,
    context: &MatchContext,
) -> Finding {
    let missing = |why: String| {
        (
            Outcome::Failed,
            format!("{property}: expected {expected}, but it {why}"),
        )
    };
    let mut actual = None;
    let (outcome, message) = match observed {
        Observation::Missing(_) if matcher.accepts_missing() => {
            (Outcome::Passed, format!("{property}: expected {expected}"))
        }
        Observation::Missing(why) => missing(why),
        Observation::Unknown(why) => (Outcome::Error, format!("{property}: {why}")),
        Observation::Skipped(why) => (Outcome::Skipped, format!("{property}: {why}")),
        Observation::Value(value) => {
            let display = value.display();
            let result = match matcher.matches(&value, context) {
                Err(error @ MatchError::Missing { .. }) => missing(error.to_string()),
                Err(error) => (Outcome::Error, format!("{property}: {error}")),
                Ok(true) => (
                    Outcome::Passed,
                    format!("{property}: expected {expected}, actual {display}"),
                ),
                Ok(false) => {
                    let offenders = matcher.offenders(&value, context);
                    let offenders = offenders.map_or_else(String::new, |o| format!("; {o}"));
                    (
                        Outcome::Failed,
                        format!("{property}: expected {expected}, actual {display}{offenders}"),
                    )
                }
            };
            actual = Some(display);
            result
        }
    };
    Finding {
        resource: target.display_name(),
        property: property.to_owned(),
        expected,
        actual,
        outcome,
        message,
    }
}

/// Adds a remark to the actual value and the message.
pub(super) fn add_remark(finding: Finding, remark: Option<String>) -> Finding {
    let Some(remark) = remark else {
        return finding;
    };
    Finding {
        actual: finding.actual.map(|actual| format!("{actual}; {remark}")),
        message: format!("{}; {remark}", finding.message),
        ..finding
    }
}

/// Adds details to the message of a failed finding, such as the output of a command.
pub(super) fn add_details(finding: Finding, details: impl FnOnce() -> Option<String>) -> Finding {
    if finding.outcome != Outcome::Failed {
        return finding;
    }
    match details() {
        Some(details) => Finding {
            message: format!("{}; {details}", finding.message),
            ..finding
        },
        None => finding,
    }
}

/// Removes the expected and the actual value, both of which can reveal a sensitive input.
pub(super) fn mask_all(finding: Finding) -> Finding {
    let property = &finding.property;
    let message = match finding.outcome {
        Outcome::Passed | Outcome::Failed => {
            format!("{property}: expected {HIDDEN}, actual {HIDDEN}")
        }
        Outcome::Skipped => finding.message.clone(),
        Outcome::Error => format!("{property}: the value cannot be compared with {HIDDEN}"),
    };
    let actual = finding.actual.as_ref().map(|_| HIDDEN.to_owned());
    Finding {
        expected: HIDDEN.to_owned(),
        actual,
        message,
        ..finding
    }
}

/// Removes the actual value, because the content that it comes from contains a secret.
pub(super) fn mask_actual(finding: Finding) -> Finding {
    if finding.actual.is_none() {
        return finding;
    }
    let Finding {
        property, expected, ..
    } = &finding;
    let message = match finding.outcome {
        Outcome::Error => format!("{property}: the actual value cannot be compared"),
        _ => format!("{property}: expected {expected}, actual {HIDDEN}"),
    };
    Finding {
        actual: Some(HIDDEN.to_owned()),
        message,
        ..finding
    }
}

/// Combines the findings of a group into one. `any` is true for `any_of` and false for `none_of`.
pub(super) fn combine_findings(parts: Vec<Vec<Finding>>, any: bool) -> Finding {
    let worst = |part: &Vec<Finding>| {
        part.iter()
            .map(|f| f.outcome)
            .max()
            .unwrap_or(Outcome::Skipped)
    };
    let outcomes: Vec<Outcome> = parts.iter().map(worst).collect();
    let has = |outcome| outcomes.contains(&outcome);
    let outcome = match (any, has(Outcome::Passed), has(Outcome::Error)) {
        (true, true, _) => Outcome::Passed,
        (false, true, _) => Outcome::Failed,
        (_, false, true) => Outcome::Error,
        (true, false, false) if has(Outcome::Failed) => Outcome::Failed,
        // A skipped expectation could have been met.
        (false, false, false) if !has(Outcome::Skipped) => Outcome::Passed,
        _ => Outcome::Skipped,
    };
    let summaries: Vec<String> = parts
        .iter()
        .zip(&outcomes)
        .map(|(part, outcome)| {
            let messages: Vec<String> = part
                .iter()
                .filter(|f| f.outcome == *outcome)
                .map(|f| format!("{} {}", f.resource, f.message))
                .collect();
            format!("({}: {})", outcome.as_str(), messages.join(", "))
        })
        .collect();
    let (name, expected) = if any {
        ("any_of", "at least one to pass")
    } else {
        ("none_of", "none to pass")
    };
    let message = format!("{name}: expected {expected}: {}", summaries.join(" "));
    Finding {
        expected: expected.to_owned(),
        ..control_finding(outcome, name, message)
    }
}
