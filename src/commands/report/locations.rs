//! Owns what a run's report says of an image at further locations.

use serde::Serialize;

use crate::engine::StepOutput;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::model::AmiId;
use crate::plan::step::{Decision, Verdict};

/// What happened to an image at a further location.
#[derive(Debug, Clone, Serialize)]
pub(in crate::commands) struct LocationReport {
    /// A Region, or `account.region`.
    #[serde(rename = "place")]
    pub(in crate::commands) location: String,
    /// As for images.
    pub(in crate::commands) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) ami: Option<AmiId>,
    /// Where and why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) failure: Option<String>,
}

/// The ends of an image's scopes at further locations: `image@location`, `image.something@location`.
pub(super) fn locations(
    outcome: &Outcome,
    decision: &Decision,
    done: &'static str,
) -> Vec<LocationReport> {
    let of = |scope: &str| {
        let (image, location) = scope.split_once('@')?;
        let own = image.split('.').next() == Some(decision.image.as_str());
        let shared = decision.verdict == Verdict::Revoke && image == "revoke";
        (own || shared).then(|| location.to_owned())
    };
    let all = outcome
        .scopes
        .iter()
        .filter_map(|(scope, end)| Some((of(scope)?, end)));
    all.map(|(location, end)| {
        let (status, failure) = match end {
            ScopeEnd::Done { .. } => (done, None),
            ScopeEnd::Failed { verb, error, .. } => {
                ("failed", Some(format!("could not {verb}: {error}")))
            }
            ScopeEnd::Stuck { verb, error, .. } => {
                ("stuck", Some(format!("could not {verb}: {error}")))
            }
            ScopeEnd::Cancelled { step } => ("cancelled", Some(format!("cancelled at {step}"))),
            ScopeEnd::NotStarted { because } => ("not started", Some(because.clone())),
        };
        let made = match end {
            ScopeEnd::Done { outputs } => outputs.values().find_map(StepOutput::ami),
            _ => None,
        };
        LocationReport {
            location,
            status,
            ami: made.cloned(),
            failure,
        }
    })
    .collect()
}
