//! Sets tags of several AMIs in one call, and publishes or deletes a single pointer.

use super::{Steps, move_current};
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, State, Tags};
use crate::plan::Step;

/// Sets the tags on all AMIs in one call. Each AMI must still be ours and match the plan.
pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    amis: &[AmiId],
    before: &Tags,
    wanted: &Tags,
) -> Result<StepOutput> {
    let found = load_own(steps, step, amis).await?;
    for ami in &found {
        move_current::require_unchanged(&ami.tags, before, wanted, &ami.id, &step.region)?;
    }
    move_current::apply_tags(steps, step, &found, wanted).await?;
    Ok(StepOutput::Tagged {
        tagged: amis.to_vec(),
        tags: wanted.clone(),
    })
}

/// Restores the previous tags if the plan contains them. A revocation is not undone.
pub(super) async fn undo(
    steps: &Steps,
    step: &Step,
    amis: &[AmiId],
    before: &Tags,
    wanted: &Tags,
) -> Result<()> {
    let withdrawn = wanted
        .get(tags::STATE)
        .is_some_and(|s| s == State::Revoked.as_str());
    if before.is_empty() || withdrawn {
        return Ok(());
    }
    let mut found = load_own(steps, step, amis).await?;
    found.retain(|ami| {
        wanted
            .iter()
            .all(|(k, v)| ami.tags.get(k).map_or("", String::as_str) == v)
    });
    move_current::apply_tags(steps, step, &found, before).await
}

async fn load_own(steps: &Steps, step: &Step, amis: &[AmiId]) -> Result<Vec<Ami>> {
    let mut found = Vec::new();
    for id in amis {
        let ami = super::tag::require_ami(steps, step, id).await?;
        if Record::read(&ami, &steps.catalog.settings.name).is_none() {
            let text = format!(
                "{id} in {}: its tags no longer name this catalog",
                step.region
            );
            return Err(Error::new(Kind::Refused, text).hint("check its tags, then run again"));
        }
        found.push(ami);
    }
    Ok(found)
}

/// Publishes the AMI that the tags name, after reading the tags again.
pub(super) async fn publish(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    ami: &AmiId,
    context: &StepContext<'_>,
) -> Result<StepOutput> {
    let found = load_own(steps, step, std::slice::from_ref(ami)).await?;
    let usable = found
        .iter()
        .filter_map(|a| Record::read(a, &steps.catalog.settings.name))
        .all(|r| r.usable());
    if !usable {
        let text = format!("{ami} in {} can no longer be published", step.region);
        return Err(Error::new(Kind::Refused, text).hint("run `bakeline doctor` again"));
    }
    move_current::publish_pointer(steps, step, pointer, ami, context).await?;
    Ok(StepOutput::Published {
        pointer: pointer.to_owned(),
        ami: ami.clone(),
    })
}

/// Deletes the pointer.
pub(super) async fn unpublish(steps: &Steps, step: &Step, pointer: &str) -> Result<StepOutput> {
    steps
        .cloud_for(step)?
        .delete_parameter(&step.region, pointer)
        .await?;
    Ok(StepOutput::Deleted {
        deleted: Some(pointer.to_owned()),
    })
}
