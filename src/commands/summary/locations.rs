//! Summarizes the results of a run in locations other than home.

use serde::Serialize;

use crate::engine::StepOutput;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::lifecycle::{Record, locations};
use crate::model::{AmiId, ImageName, Version};
use crate::plan::step::{Action, Decision, PlanVerdict};
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
    /// Version of the AMI, if it is not that of the image. A rollback holds another version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Version>,
    /// Failed step and its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

impl LocationSummary {
    /// Adds the AMI whose tags a completed scope changed, if no step reports one: that which becomes
    /// current, or that which becomes held or released.
    pub(super) fn add_changed_ami(
        &mut self,
        plan: &Plan,
        image: &ImageName,
        records: &[Record<'_>],
    ) {
        if self.ami.is_some() || self.failure.is_some() {
            return;
        }
        let steps = plan.steps.iter().filter(|step| {
            let location = step.scope.location();
            step.scope.is_of_image(image)
                && location.is_some_and(|at| at.to_string() == self.location)
        });
        let actions: Vec<&Action> = steps.map(|step| &step.action).collect();
        let moved = actions.iter().find_map(|action| match action {
            Action::MoveCurrent { moves } => moves.first().and_then(|one| one.to.known()),
            _ => None,
        });
        let tagged = actions.iter().find_map(|action| match action {
            Action::SetTags { amis, .. } => amis.first(),
            _ => None,
        });
        self.ami = moved.or(tagged).cloned();
        let is_hold = plan
            .decisions
            .iter()
            .any(|decision| decision.image == *image && decision.verdict == PlanVerdict::Rollback);
        if moved.is_none()
            && is_hold
            && let Some(ami) = tagged
        {
            self.status = "held";
            let record = records.iter().find(|record| record.ami.id == *ami);
            self.version = record.map(|record| record.version);
        }
    }
}

/// Returns the results of the scopes of an image in other locations.
pub(super) fn location_summaries(
    outcome: &Outcome,
    decision: &Decision,
    done: &'static str,
) -> Vec<LocationSummary> {
    let ends = outcome.scopes.iter();
    let own = ends.filter(|(scope, _)| scope.is_of_image(&decision.image));
    own.filter_map(|(scope, end)| {
        let (status, failure) = describe_end(end, done);
        let made = match end {
            ScopeEnd::Done { outputs } => outputs.values().find_map(StepOutput::ami),
            _ => None,
        };
        Some(LocationSummary {
            location: scope.location()?.to_string(),
            status,
            ami: made.cloned(),
            version: None,
            failure,
        })
    })
    .collect()
}

/// Returns the results of a revocation: one for each AMI of the version, and one for each location
/// without an AMI that failed.
pub(super) fn revocation_summaries(
    outcome: &Outcome,
    decision: &Decision,
    records: &[Record<'_>],
    own: &str,
    done: &'static str,
) -> Vec<LocationSummary> {
    let is_own = |r: &&Record<'_>| r.image == decision.image && Some(r.version) == decision.version;
    let mut out: Vec<LocationSummary> = records
        .iter()
        .filter(is_own)
        .map(|record| {
            let location = locations::ami_location(record.ami, own);
            let end = outcome.scopes.get(&Scope::of_revocation(&location));
            // Without a scope, the AMI was revoked before.
            let (status, failure) = end.map_or((done, None), |end| describe_end(end, done));
            LocationSummary {
                location: location.to_string(),
                status,
                ami: Some(record.ami.id.clone()),
                version: None,
                failure,
            }
        })
        .collect();
    let image = format!(".{}.", decision.image.published());
    for (scope, end) in outcome.scopes.iter().filter(|(_, end)| !end.is_done()) {
        let Some(location) = scope.location().map(ToString::to_string) else {
            continue;
        };
        let is_listed = out.iter().any(|at| at.location == location);
        let is_own = match scope.subject() {
            ScopeSubject::Revocation => true,
            ScopeSubject::Pointer(_) => scope.to_string().contains(&image),
            _ => false,
        };
        if is_own && !is_listed {
            let (status, failure) = describe_end(end, done);
            out.push(LocationSummary {
                location,
                status,
                ami: None,
                version: None,
                failure,
            });
        }
    }
    out.sort_by(|a, b| a.location.cmp(&b.location));
    out
}

/// Returns the status of a scope, and its failure.
fn describe_end(end: &ScopeEnd, done: &'static str) -> (&'static str, Option<String>) {
    match end {
        ScopeEnd::Done { .. } => (done, None),
        ScopeEnd::Failed { verb, error, .. } => {
            ("failed", Some(format!("could not {verb}: {error}")))
        }
        ScopeEnd::Stuck { verb, error, .. } => {
            ("stuck", Some(format!("could not {verb}: {error}")))
        }
        ScopeEnd::Cancelled { step, .. } => ("cancelled", Some(format!("cancelled at {step}"))),
        ScopeEnd::NotStarted { because } => ("not started", Some(because.clone())),
    }
}

/// Returns whether the current version of an image may have changed although its scope at home did not
/// succeed. The locations of a revocation move one by one.
pub(super) fn may_have_moved(plan: &Plan, outcome: Option<&Outcome>, image: &ImageName) -> bool {
    let is_revoked = |d: &Decision| d.image == *image && d.verdict == PlanVerdict::Revoke;
    let end = outcome.and_then(|o| o.scopes.get(&Scope::of_image(image)));
    plan.decisions.iter().any(is_revoked) || end.is_some_and(ScopeEnd::may_have_moved)
}
