//! Removes one temporary resource of a dead run, after verifying that it is unchanged.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::lock::fence::FencedCloud;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, InstanceId, TemporaryKind, TemporaryResource};
use crate::plan::Step;
use crate::ports::CloudResult;
use crate::steps::ami;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::created::{delete_listed, is_missing};
use crate::steps::poll::poll_until;

/// Longest wait for an instance. EC2 terminates it and releases its resources within minutes.
const LIMIT: Duration = Duration::from_secs(600);

/// Removal of a temporary resource of a dead run.
pub(in crate::steps) struct Sweep<'a> {
    pub(in crate::steps) resource: &'a TemporaryResource,
}

#[async_trait]
impl StepEffect for Sweep<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { resource } = *self;
        match resource.kind {
            TemporaryKind::Instance => {
                terminate(steps, step, &InstanceId(resource.id.clone()), context).await?;
            }
            TemporaryKind::Image => deregister(steps, step, resource).await?,
            TemporaryKind::CopyPermission => {
                crate::steps::publish::share::remove_permission(steps, step, resource).await?
            }
            TemporaryKind::Snapshot
            | TemporaryKind::Volume
            | TemporaryKind::SecurityGroup
            | TemporaryKind::KeyPair => {
                let what = format!("{} {} to be deleted", resource.kind.as_str(), resource.id);
                let cloud = steps.cloud_for(step)?;
                let delete = || delete(cloud, step, resource);
                delete_listed(steps, LIMIT, &what, delete).await?;
            }
        }
        Ok(StepOutput::Swept {
            removed: resource.id.clone(),
            kind: resource.kind,
        })
    }
}

/// Deletes a resource. Returns false if EC2 answers that it does not exist.
async fn delete(
    cloud: &FencedCloud,
    step: &Step,
    resource: &TemporaryResource,
) -> CloudResult<bool> {
    let TemporaryResource { kind, id, name, .. } = resource;
    let region = &step.region;
    let cloud = cloud.change(region).await?;
    match kind {
        TemporaryKind::Snapshot => cloud.delete_snapshot(region, id).await,
        TemporaryKind::Volume => cloud.delete_volume(region, id).await,
        TemporaryKind::KeyPair => cloud.delete_key_pair(region, name).await,
        _ => cloud.delete_group(region, id).await,
    }
}

async fn terminate(
    steps: &Steps,
    step: &Step,
    id: &InstanceId,
    context: &StepContext<'_>,
) -> Result<()> {
    let cloud = steps.cloud_for(step)?;
    let what = format!("instance {id} to terminate");
    delete_listed(steps, LIMIT, &what, || async {
        let cloud = cloud.change(&step.region).await?;
        cloud.terminate(&step.region, id).await
    })
    .await?;
    let begun = steps.clock.now();
    poll_until(steps, LIMIT, &context.cancel, &what, || async {
        let instance = cloud.instance(&step.region, id).await?;
        let has_ended = match instance {
            Some(instance) => instance.status == "terminated",
            None => is_missing(steps, begun),
        };
        Ok(has_ended.then_some(()))
    })
    .await
}

/// Deregisters a candidate. An AMI whose tags changed since the decision is kept.
async fn deregister(steps: &Steps, step: &Step, resource: &TemporaryResource) -> Result<()> {
    let Some(ami) = ami::find_listed(steps, step, &AmiId(resource.id.clone())).await? else {
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
        .find(|key| ami.tags.get(*key) != resource.tags.get(*key))
    {
        let text = format!(
            "{} in {}: tag `{key}` changed since the decision",
            resource.id, step.region
        );
        return Err(Error::new(ErrorKind::Refused, text).hint("run `bakeline sweep` again"));
    }
    // An AMI without a state may have lost its tags, or an earlier sweep has marked it.
    if !resource.tags.contains_key(tags::STATE) && step.account.is_none() {
        require_unused(steps, step, resource, &ami).await?;
    }
    ami::deregister(steps, step, &ami).await
}

/// Fails if an AMI without a state is in use, or an AMI without tags now has one.
async fn require_unused(
    steps: &Steps,
    step: &Step,
    resource: &TemporaryResource,
    ami: &Ami,
) -> Result<()> {
    let refused = |why: &str| {
        let text = format!("{} in {}: {why} since the decision", ami.id, step.region);
        Err(Error::new(ErrorKind::Refused, text).hint("run `bakeline sweep` again"))
    };
    if resource.tags.is_empty()
        && let Some(key) = ami.tags.keys().next()
    {
        return refused(&format!("it has the tag `{key}`"));
    }
    match crate::steps::references::all_references(steps, step, &ami.id)
        .await?
        .first()
    {
        Some(used) => refused(&format!("{} {} refers to it", used.kind, used.referrer)),
        None => Ok(()),
    }
}
