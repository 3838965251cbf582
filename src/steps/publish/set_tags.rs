//! Sets tags of several AMIs in one call, and publishes or deletes a single pointer.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, State, Tags};
use crate::plan::Step;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::move_current;
use crate::steps::publish::pointer::publish_pointer;
use crate::steps::publish::read_back::settle_tags;

/// Sets the tags on all AMIs in one call. Each AMI must still be ours and match the plan.
pub(in crate::steps) async fn set_tags(
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

/// Tags of several AMIs. The undo restores the previous tags if the plan contains them. A
/// revocation is not undone.
pub(in crate::steps) struct SetTags<'a> {
    pub(in crate::steps) amis: &'a [AmiId],
    pub(in crate::steps) before: &'a Tags,
    pub(in crate::steps) tags: &'a Tags,
}

#[async_trait]
impl StepEffect for SetTags<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            amis,
            before,
            tags: wanted,
        } = *self;
        let output = set_tags(steps, step, amis, before, wanted).await?;
        settle_tags(steps, step, wanted, amis, context).await;
        Ok(output)
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self {
            amis,
            before,
            tags: wanted,
        } = *self;
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
}

async fn load_own(steps: &Steps, step: &Step, amis: &[AmiId]) -> Result<Vec<Ami>> {
    let mut found = Vec::new();
    for id in amis {
        let ami = crate::steps::ami::require_ami(steps, step, id).await?;
        if Record::read(&ami, &steps.catalog.settings).is_none() {
            let text = format!(
                "{id} in {}: its tags no longer name this catalog",
                step.region
            );
            return Err(Error::new(ErrorKind::Refused, text).hint("check its tags, then run again"));
        }
        found.push(ami);
    }
    Ok(found)
}

/// Publication of the AMI that the tags name, after reading the tags again.
pub(in crate::steps) struct Publish<'a> {
    pub(in crate::steps) pointer: &'a str,
    pub(in crate::steps) ami: &'a AmiId,
}

#[async_trait]
impl StepEffect for Publish<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { pointer, ami } = *self;
        let found = load_own(steps, step, std::slice::from_ref(ami)).await?;
        let usable = found
            .iter()
            .filter_map(|a| Record::read(a, &steps.catalog.settings))
            .all(|r| r.is_usable());
        if !usable {
            let text = format!("{ami} in {} can no longer be published", step.region);
            return Err(Error::new(ErrorKind::Refused, text).hint("run `bakeline doctor` again"));
        }
        publish_pointer(steps, step, pointer, ami, context).await?;
        Ok(StepOutput::Published {
            pointer: pointer.to_owned(),
            ami: ami.clone(),
        })
    }
}

/// Deletion of a pointer.
pub(in crate::steps) struct Unpublish<'a> {
    pub(in crate::steps) pointer: &'a str,
}

#[async_trait]
impl StepEffect for Unpublish<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { pointer } = *self;
        steps
            .cloud_for(step)?
            .change(&step.region)
            .await?
            .delete_parameter(&step.region, pointer)
            .await?;
        Ok(StepOutput::Deleted {
            deleted: Some(pointer.to_owned()),
        })
    }
}
