//! Summarizes the results of a run in locations other than home.

use serde::Serialize;

use crate::engine::StepOutput;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::model::{AmiId, ImageName, Location};
use crate::plan::step::{Decision, PlanVerdict};
use crate::plan::{Plan, Scope, ScopeSubject};

/// Result for an image in another location.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LocationSummary {
    /// Region, or `account.region`.
    #[serde(rename = "place")]
    pub(crate) location: String,
    /// Status, with the values of `ImageSummary::status`.
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ami: Option<AmiId>,
    /// Failed step and its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// Returns the results of the scopes of an image in other locations.
pub(super) fn location_summaries(
    outcome: &Outcome,
    decision: &Decision,
    done: &'static str,
) -> Vec<LocationSummary> {
    let scope_location = |scope: &Scope| {
        let is_revocation = matches!(scope.subject(), ScopeSubject::Revocation);
        let is_own = scope.is_of_image(&decision.image)
            || is_revocation && decision.verdict == PlanVerdict::Revoke;
        scope.location().filter(|_| is_own).map(Location::to_string)
    };
    let all = outcome
        .scopes
        .iter()
        .filter_map(|(scope, end)| Some((scope_location(scope)?, end)));
    all.map(|(location, end)| {
        let (status, failure) = match end {
            ScopeEnd::Done { .. } => (done, None),
            ScopeEnd::Failed { verb, error, .. } => {
                ("failed", Some(format!("could not {verb}: {error}")))
            }
            ScopeEnd::Stuck { verb, error, .. } => {
                ("stuck", Some(format!("could not {verb}: {error}")))
            }
            ScopeEnd::Cancelled { step, .. } => ("cancelled", Some(format!("cancelled at {step}"))),
            ScopeEnd::NotStarted { because } => ("not started", Some(because.clone())),
        };
        let made = match end {
            ScopeEnd::Done { outputs } => outputs.values().find_map(StepOutput::ami),
            _ => None,
        };
        LocationSummary {
            location,
            status,
            ami: made.cloned(),
            failure,
        }
    })
    .collect()
}

/// Returns whether the current version of an image may have changed although its scope at home did not
/// succeed. The locations of a revocation move one by one.
pub(super) fn may_have_moved(plan: &Plan, outcome: Option<&Outcome>, image: &ImageName) -> bool {
    let is_revoked = |d: &Decision| d.image == *image && d.verdict == PlanVerdict::Revoke;
    let end = outcome.and_then(|o| o.scopes.get(&Scope::of_image(image)));
    plan.decisions.iter().any(is_revoked) || end.is_some_and(ScopeEnd::may_have_moved)
}
