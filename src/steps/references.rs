//! Looks up what refers to an AMI, right before the AMI is changed.

use jiff::SignedDuration;
use tokio::sync::Mutex;

use super::Steps;
use crate::error::Result;
use crate::lifecycle::locations;
use crate::model::{AmiId, Location, Reference, Timestamp};
use crate::plan::Step;

/// Age at which the parameters of all locations are read again. One read takes a call per ten parameters.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// AMI IDs in the SSM parameters of all locations of the catalog, read at most every five minutes of a run.
#[derive(Debug, Default)]
pub struct ParameterReferences(Mutex<Option<(Timestamp, Vec<Reference>)>>);

/// Returns what refers to an AMI in its own Region now: as EC2 reports it, or as it can be listed where EC2 does not.
pub(super) async fn in_region(steps: &Steps, step: &Step, id: &AmiId) -> Result<Vec<Reference>> {
    let (cloud, ids) = (steps.at(step)?, std::slice::from_ref(id));
    Ok(match cloud.reported(&step.region, ids).await? {
        Some(reported) => reported,
        None => cloud.references(&step.region, ids).await?,
    })
}

/// Returns what refers to an AMI now, in its own Region and in the SSM parameters of every location.
pub(super) async fn everywhere(steps: &Steps, step: &Step, id: &AmiId) -> Result<Vec<Reference>> {
    let mut out = in_region(steps, step, id).await?;
    out.extend(in_parameters(steps, id).await?);
    Ok(out)
}

/// Returns the SSM parameters of every location that contain the ID of an AMI.
pub(super) async fn in_parameters(steps: &Steps, id: &AmiId) -> Result<Vec<Reference>> {
    let mut cached = steps.parameter_references.0.lock().await;
    let now = steps.clock.now();
    if cached
        .as_ref()
        .is_none_or(|(read, _)| now.duration_since(*read) > MAX_AGE)
    {
        *cached = Some((now, read(steps).await?));
    }
    let all = cached.iter().flat_map(|(_, references)| references);
    Ok(all
        .filter(|reference| reference.ami == *id)
        .cloned()
        .collect())
}

async fn read(steps: &Steps) -> Result<Vec<Reference>> {
    let mut out = Vec::new();
    for location in locations::in_catalog(&steps.catalog.settings, "") {
        let cloud = steps.cloud_of(location.account.as_deref())?;
        out.extend(located(
            cloud.parameter_references(&location.region).await?,
            &location,
        ));
    }
    Ok(out)
}

/// Adds the location to the name of each parameter: the AMI may be in another one.
pub fn located(
    references: Vec<Reference>,
    location: &Location,
) -> impl Iterator<Item = Reference> + '_ {
    references.into_iter().map(move |found| Reference {
        referrer: format!("{} in {location}", found.referrer),
        ..found
    })
}
