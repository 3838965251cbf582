//! Owns what a run's report says of an image at further places.

use serde::Serialize;
use serde_json::Value;

use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::model::AmiId;
use crate::plan::step::{Decision, Verdict};

/// What happened to an image at a further place.
#[derive(Debug, Clone, Serialize)]
pub(in crate::commands) struct PlaceReport {
    /// A Region, or `account.region`.
    pub(in crate::commands) place: String,
    /// As for images.
    pub(in crate::commands) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) ami: Option<AmiId>,
    /// Where and why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) failure: Option<String>,
}

/// The ends of an image's scopes at further places: `image@place`, `image.something@place`.
pub(super) fn places(
    outcome: &Outcome,
    decision: &Decision,
    done: &'static str,
) -> Vec<PlaceReport> {
    let of = |scope: &str| {
        let (image, place) = scope.split_once('@')?;
        let own = image.split('.').next() == Some(decision.image.as_str());
        let shared = decision.verdict == Verdict::Revoke && image == "revoke";
        (own || shared).then(|| place.to_owned())
    };
    let all = outcome
        .scopes
        .iter()
        .filter_map(|(scope, end)| Some((of(scope)?, end)));
    all.map(|(place, end)| {
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
            ScopeEnd::Done { outputs } => outputs
                .values()
                .filter_map(|o| o.get("ami"))
                .find_map(Value::as_str),
            _ => None,
        };
        PlaceReport {
            place,
            status,
            ami: made.map(AmiId::from),
            failure,
        }
    })
    .collect()
}
