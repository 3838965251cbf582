//! Creates and deletes the key pair and the security group of a run, one of each per image.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use async_trait::async_trait;

use crate::catalog::Access;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Tags;
use crate::plan::Step;
use crate::ports::{CloudErrorKind, CloudResult, GroupRequest, Secret};
use crate::steps::context::{StepEffect, Steps};
use crate::steps::created;
use crate::steps::creations::CreationKey;
use crate::steps::poll::poll_until;

/// Deletion of the security group of a run.
pub(in crate::steps) struct DeleteGroup<'a> {
    pub(in crate::steps) name: &'a str,
}

#[async_trait]
impl StepEffect for DeleteGroup<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { name } = *self;
        delete_group(steps, step, name).await
    }
}

/// Deletion of the key pair of a run.
pub(in crate::steps) struct DeleteKeyPair<'a> {
    pub(in crate::steps) name: &'a str,
}

#[async_trait]
impl StepEffect for DeleteKeyPair<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { name } = *self;
        delete_key(steps, step, name).await
    }
}

/// Returns the path of the private key in the run directory.
pub(in crate::steps) fn key_file(scope: impl Display) -> String {
    format!("{scope}/key")
}

/// Creation of the key pair of a run.
pub(in crate::steps) struct CreateKeyPair<'a> {
    pub(in crate::steps) name: &'a str,
}

#[async_trait]
impl StepEffect for CreateKeyPair<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { name } = *self;
        let tags = steps.temporary_tags(&step.scope);
        let key = match create_key_pair(steps, step, name, &tags).await {
            // The name contains the run ID, so an existing key pair is ours, but its private key is
            // lost.
            Err(e) if e.kind == CloudErrorKind::Duplicate => {
                delete_key_pair(steps, step, name).await?;
                create_key_pair(steps, step, name, &tags).await?
            }
            other => other?,
        };
        let mut text = key.expose().trim_end().to_owned();
        text.push('\n');
        let path = steps
            .workspace
            .write(&key_file(&step.scope), text.as_bytes(), true);
        let path = path.map_err(|e| {
            Error::new(ErrorKind::StepFailed, "the private key cannot be written").because(e)
        })?;
        Ok(StepOutput::KeyPair {
            key_pair: name.to_owned(),
            file: path,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { name } = *self;
        delete_key(steps, step, name).await.map(drop)
    }
}

async fn create_key_pair(
    steps: &Steps,
    step: &Step,
    name: &str,
    tags: &Tags,
) -> CloudResult<Secret> {
    let key = CreationKey::new("key pair", name, None, &step.region);
    let cloud = steps.cloud.change(&step.region).await?;
    let call = cloud.create_key_pair(&step.region, name, tags);
    created::create(steps, key, call, |_| name.to_owned()).await
}

async fn delete_key_pair(steps: &Steps, step: &Step, name: &str) -> Result<()> {
    let what = format!("key pair {name} to be deleted");
    created::delete_created(steps, name, Duration::from_secs(180), &what, || async {
        let cloud = steps.cloud.change(&step.region).await?;
        match cloud.delete_key_pair(&step.region, name).await {
            // An earlier step has deleted it, unless the read fails or shows it.
            Err(error) if error.kind == CloudErrorKind::Denied => {
                match steps.cloud.has_key_pair(&step.region, name).await {
                    Ok(false) => Ok(false),
                    _ => Err(error),
                }
            }
            result => result,
        }
    })
    .await
}

pub(in crate::steps) async fn delete_key(
    steps: &Steps,
    step: &Step,
    name: &str,
) -> Result<StepOutput> {
    steps.workspace.remove(&key_file(&step.scope));
    delete_key_pair(steps, step, name).await?;
    Ok(StepOutput::Deleted {
        deleted: Some(name.to_owned()),
    })
}

/// Creation of the security group of a run. A group that exists has no rule yet if the run was killed
/// between the two calls, so the step always adds it.
pub(in crate::steps) struct CreateGroup<'a> {
    pub(in crate::steps) name: &'a str,
}

#[async_trait]
impl StepEffect for CreateGroup<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { name } = *self;
        let builder = steps.builder_of(&step.scope);
        let request = GroupRequest {
            name: name.to_owned(),
            subnet: builder.subnet(&step.scope.to_string()).map(str::to_owned),
            tags: steps.temporary_tags(&step.scope),
        };
        let group = create_group(steps, step, &request).await?;
        if let Access::Cidrs(from) = &builder.access {
            let what = format!("security group {group} to accept its rule");
            created::use_created(steps, &[&group], &context.cancel, &what, || async {
                let cloud = steps.cloud.change(&step.region).await?;
                cloud.allow_ssh(&step.region, &group, from).await
            })
            .await?;
        }
        wait_for_group(steps, step, name, &group, context).await?;
        Ok(StepOutput::Group { group })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { name } = *self;
        delete_group(steps, step, name).await.map(drop)
    }
}

fn group_key(step: &Step, name: &str) -> CreationKey {
    CreationKey::new("security group", name, None, &step.region)
}

/// Creates the group of the run. If it exists, an earlier attempt has created it, whose response was
/// lost, because the name contains the run ID.
async fn create_group(steps: &Steps, step: &Step, request: &GroupRequest) -> Result<String> {
    let cloud = steps.cloud.change(&step.region).await?;
    let call = cloud.create_group(&step.region, request);
    let key = group_key(step, &request.name);
    match created::create(steps, key.clone(), call, String::clone).await {
        Err(error) if error.kind == CloudErrorKind::Duplicate => {
            steps.creations.record(key, None, steps.clock.now());
            let found = find_groups(steps, step, &request.name).await?;
            found.into_iter().next().ok_or_else(|| error.into())
        }
        other => Ok(other?),
    }
}

/// Waits until EC2 lists the new group, because Packer looks it up.
async fn wait_for_group(
    steps: &Steps,
    step: &Step,
    name: &str,
    group: &str,
    context: &StepContext<'_>,
) -> Result<()> {
    let what = format!("security group {group} to be listed");
    let limit = Duration::from_secs(120);
    poll_until(steps, limit, &context.cancel, &what, || async {
        let tags = steps.run_tags(&step.scope);
        let found = steps.cloud.find_group(&step.region, name, &tags).await?;
        Ok(found.map(drop))
    })
    .await
}

/// Returns the groups of this run with this name.
async fn find_groups(steps: &Steps, step: &Step, name: &str) -> Result<BTreeSet<String>> {
    created::find_created(steps, &group_key(step, name), || async {
        let tags = steps.run_tags(&step.scope);
        let found = steps.cloud.find_group(&step.region, name, &tags).await?;
        Ok(found.into_iter().collect())
    })
    .await
}

/// Deletes the group after its instances have released it.
pub(in crate::steps) async fn delete_group(
    steps: &Steps,
    step: &Step,
    name: &str,
) -> Result<StepOutput> {
    let mut deleted = None;
    for id in find_groups(steps, step, name).await? {
        delete_unused_group(steps, step, &id).await?;
        deleted = Some(id);
    }
    Ok(StepOutput::Deleted { deleted })
}

/// Deletes a group as soon as it is unused. The wait cannot be cancelled, because undo calls it.
pub(in crate::steps) async fn delete_unused_group(
    steps: &Steps,
    step: &Step,
    id: &str,
) -> Result<()> {
    let cloud = steps.cloud_for(step)?;
    let what = format!("security group {id} to become unused");
    created::delete_created(steps, id, Duration::from_secs(300), &what, || async {
        let cloud = cloud.change(&step.region).await?;
        cloud.delete_group(&step.region, id).await
    })
    .await
}
