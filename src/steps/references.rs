//! Finds references to an AMI, directly before the AMI is changed.

use jiff::SignedDuration;
use tokio::sync::Mutex;

use crate::error::Result;
use crate::lifecycle::locations;
use crate::model::{Ami, AmiId, Location, Reference, Timestamp};
use crate::plan::Step;
use crate::steps::context::Steps;

/// Age at which the parameters of all locations are read again. A read takes one call per ten
/// parameters.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// AMI IDs in the SSM parameters of all locations of the catalog. A run reads them at most every
/// five minutes.
#[derive(Debug, Default)]
pub struct ParameterReferences(Mutex<Option<(Timestamp, Vec<Reference>)>>);

/// Returns the references to an AMI in its Region: as EC2 reports them, or as a list where EC2 does
/// not.
pub(in crate::steps) async fn references_in_region(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Vec<Reference>> {
    let (cloud, ids) = (steps.cloud_for(step)?, std::slice::from_ref(id));
    Ok(match cloud.reported_references(&step.region, ids).await? {
        Some(reported) => reported,
        None => cloud.references(&step.region, ids).await?,
    })
}

/// Returns the references to an AMI of the builder's account `own` in the accounts that launch shared
/// AMIs in its Region. Reads lists only, because EC2 reports no references to an AMI that the account
/// cannot see any more.
pub(in crate::steps) async fn receiver_references(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    own: &str,
) -> Result<Vec<Reference>> {
    let mut out = Vec::new();
    for location in receiving_locations(steps, step, own) {
        let cloud = steps.cloud_of(location.account.as_deref())?;
        let found = cloud
            .references(&location.region, std::slice::from_ref(id))
            .await?;
        out.extend(add_location(found, &location));
    }
    Ok(out)
}

/// Returns the locations whose accounts launch AMIs of the step's location.
pub(in crate::steps) fn receiving_locations(
    steps: &Steps,
    step: &Step,
    own: &str,
) -> Vec<Location> {
    if step.account.is_some() {
        return Vec::new();
    }
    let receiving = locations::receiving_in_catalog(&steps.catalog.settings, own);
    let here = receiving.into_iter();
    here.filter(|location| location.region == step.region)
        .collect()
}

/// Returns a receiver of a launch permission whose use of the AMI cannot be read: none of the accounts
/// that launch the AMIs of a shared environment.
pub(in crate::steps) async fn unknown_receiver(
    steps: &Steps,
    step: &Step,
    ami: &Ami,
) -> Result<Option<String>> {
    let receivers = steps
        .cloud_for(step)?
        .permissions(&step.region, &ami.id)
        .await?;
    let readable = receiving_locations(steps, step, &ami.owner);
    let is_unknown = |one: &String| {
        readable
            .iter()
            .all(|location| location.account.as_ref() != Some(one))
    };
    Ok(receivers.into_iter().find(is_unknown))
}

/// Returns the references to an AMI in its Region and in the SSM parameters of all locations.
pub(in crate::steps) async fn all_references(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Vec<Reference>> {
    let mut out = references_in_region(steps, step, id).await?;
    out.extend(parameter_references(steps, id).await?);
    Ok(out)
}

/// Returns the SSM parameters of every location that contain the ID of an AMI.
pub(in crate::steps) async fn parameter_references(
    steps: &Steps,
    id: &AmiId,
) -> Result<Vec<Reference>> {
    let mut cached = steps.parameter_references.0.lock().await;
    let now = steps.clock.now();
    if cached
        .as_ref()
        .is_none_or(|(read, _)| now.duration_since(*read) > MAX_AGE)
    {
        *cached = Some((now, read_parameters(steps).await?));
    }
    let all = cached.iter().flat_map(|(_, references)| references);
    Ok(all
        .filter(|reference| reference.ami == *id)
        .cloned()
        .collect())
}

async fn read_parameters(steps: &Steps) -> Result<Vec<Reference>> {
    let mut out = Vec::new();
    for location in locations::readable_in_catalog(&steps.catalog.settings, &steps.account) {
        let cloud = steps.cloud_of(location.account.as_deref())?;
        out.extend(add_location(
            cloud.parameter_references(&location.region).await?,
            &location,
        ));
    }
    Ok(out)
}

/// Adds the location to the name of each parameter, because the AMI may be in another location.
pub fn add_location(
    references: Vec<Reference>,
    location: &Location,
) -> impl Iterator<Item = Reference> + '_ {
    references.into_iter().map(move |found| Reference {
        referrer: format!("{} in {location}", found.referrer),
        ..found
    })
}
