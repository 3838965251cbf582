//! Removes one temporary resource of a dead run, after verifying that it is unchanged.

use std::time::Duration;

use async_trait::async_trait;

use super::poll::poll_until;
use super::{StepEffect, Steps, tag};
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, InstanceId, Temporary, TemporaryKind};
use crate::plan::Step;

/// Longest wait for an instance. EC2 terminates it and releases its resources within minutes.
const LIMIT: Duration = Duration::from_secs(600);

/// Removal of a temporary resource of a dead run.
pub(super) struct Sweep<'a> {
    pub(super) thing: &'a Temporary,
}

#[async_trait]
impl StepEffect for Sweep<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { thing } = *self;
        let cloud = steps.cloud_for(step)?;
        match thing.kind {
            TemporaryKind::Instance => {
                terminate(steps, step, &InstanceId(thing.id.clone()), context).await?
            }
            TemporaryKind::Image => deregister(steps, step, thing).await?,
            TemporaryKind::Snapshot => cloud.delete_snapshot(&step.region, &thing.id).await?,
            TemporaryKind::Volume => cloud.delete_volume(&step.region, &thing.id).await?,
            TemporaryKind::SecurityGroup => {
                super::access::delete_unused_group(steps, step, &thing.id).await?
            }
            TemporaryKind::CopyPermission => {
                super::share::remove_permission(steps, step, thing).await?
            }
            TemporaryKind::KeyPair => cloud.delete_key_pair(&step.region, &thing.name).await?,
        }
        Ok(StepOutput::Swept {
            removed: thing.id.clone(),
            kind: thing.kind,
        })
    }
}

async fn terminate(
    steps: &Steps,
    step: &Step,
    id: &InstanceId,
    context: &StepContext<'_>,
) -> Result<()> {
    let cloud = steps.cloud_for(step)?;
    cloud.terminate(&step.region, id).await?;
    poll_until(
        steps,
        LIMIT,
        &context.cancel,
        &format!("instance {id} to terminate"),
        || async {
            let instance = cloud.instance(&step.region, id).await?;
            Ok(instance
                .is_none_or(|i| i.status == "terminated")
                .then_some(()))
        },
    )
    .await
}

/// Deregisters a candidate. An AMI whose tags changed since the decision is kept.
async fn deregister(steps: &Steps, step: &Step, thing: &Temporary) -> Result<()> {
    let Some(ami) = tag::find(steps, step, &AmiId(thing.id.clone())).await? else {
        return Ok(());
    };
    let relevant_keys = [
        tags::CATALOG,
        tags::SELF,
        tags::STATE,
        tags::EXPIRES,
        tags::RUN,
    ];
    if let Some(key) = relevant_keys
        .into_iter()
        .find(|key| ami.tags.get(*key) != thing.tags.get(*key))
    {
        let text = format!(
            "{} in {}: tag `{key}` changed since the decision",
            thing.id, step.region
        );
        return Err(Error::new(Kind::Refused, text).hint("run `bakeline sweep` again"));
    }
    if thing.tags.is_empty() {
        require_unused(steps, step, &ami).await?;
    }
    tag::deregister(steps, step, &ami).await
}

/// Fails if an AMI without tags now has a tag or is in use.
async fn require_unused(steps: &Steps, step: &Step, ami: &Ami) -> Result<()> {
    let refused = |why: &str| {
        let text = format!("{} in {}: {why} since the decision", ami.id, step.region);
        Err(Error::new(Kind::Refused, text).hint("run `bakeline sweep` again"))
    };
    if let Some(key) = ami.tags.keys().next() {
        return refused(&format!("it has the tag `{key}`"));
    }
    match super::references::all_references(steps, step, &ami.id)
        .await?
        .first()
    {
        Some(used) => refused(&format!("{} {} refers to it", used.kind, used.by)),
        None => Ok(()),
    }
}
