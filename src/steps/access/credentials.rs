//! Creates and deletes the key pair and the security group of a run, one of each per image.

use std::fmt::Display;

use async_trait::async_trait;

use crate::catalog::Access;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Step;
use crate::ports::{CloudErrorKind, GroupRequest};
use crate::steps::context::{StepEffect, Steps};

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
        let key = match steps
            .cloud
            .change(&step.region)
            .await?
            .create_key_pair(&step.region, name, &tags)
            .await
        {
            // The name contains the run ID, so an existing key pair is ours, but its private key is
            // lost.
            Err(e) if e.kind == CloudErrorKind::Duplicate => {
                steps
                    .cloud
                    .change(&step.region)
                    .await?
                    .delete_key_pair(&step.region, name)
                    .await?;
                steps
                    .cloud
                    .change(&step.region)
                    .await?
                    .create_key_pair(&step.region, name, &tags)
                    .await?
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

pub(in crate::steps) async fn delete_key(
    steps: &Steps,
    step: &Step,
    name: &str,
) -> Result<StepOutput> {
    steps.workspace.remove(&key_file(&step.scope));
    steps
        .cloud
        .change(&step.region)
        .await?
        .delete_key_pair(&step.region, name)
        .await?;
    Ok(StepOutput::Deleted {
        deleted: Some(name.to_owned()),
    })
}

/// Creation of the security group of a run.
pub(in crate::steps) struct CreateGroup<'a> {
    pub(in crate::steps) name: &'a str,
}

#[async_trait]
impl StepEffect for CreateGroup<'_> {
    async fn probe(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<Option<StepOutput>> {
        let Self { name } = *self;
        let found = steps
            .cloud
            .find_group(&step.region, name, &steps.run_tags(&step.scope))
            .await?;
        Ok(found.map(|group| StepOutput::Group { group }))
    }

    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { name } = *self;
        let builder = steps.builder_of(&step.scope);
        let request = GroupRequest {
            name: name.to_owned(),
            subnet: builder.subnet(&step.scope.to_string()).map(str::to_owned),
            ssh_from: match &builder.access {
                Access::Cidrs(cidrs) => cidrs.clone(),
                Access::Ssm => Vec::new(),
            },
            tags: steps.temporary_tags(&step.scope),
        };
        let group = steps
            .cloud
            .change(&step.region)
            .await?
            .create_group(&step.region, &request)
            .await?;
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

/// Deletes the group after its instances have released it.
pub(in crate::steps) async fn delete_group(
    steps: &Steps,
    step: &Step,
    name: &str,
) -> Result<StepOutput> {
    let Some(id) = steps
        .cloud
        .find_group(&step.region, name, &steps.run_tags(&step.scope))
        .await?
    else {
        return Ok(StepOutput::Deleted { deleted: None });
    };
    delete_unused_group(steps, step, &id).await?;
    Ok(StepOutput::Deleted { deleted: Some(id) })
}

/// Deletes a group as soon as it is unused. The wait cannot be cancelled, because undo calls it.
pub(in crate::steps) async fn delete_unused_group(
    steps: &Steps,
    step: &Step,
    id: &str,
) -> Result<()> {
    let cloud = steps.cloud_for(step)?;
    let never = tokio_util::sync::CancellationToken::new();
    let limit = std::time::Duration::from_secs(300);
    crate::steps::poll::poll_until(
        steps,
        limit,
        &never,
        &format!("security group {id} to become unused"),
        || async {
            match cloud
                .change(&step.region)
                .await?
                .delete_group(&step.region, id)
                .await
            {
                Ok(()) => Ok(Some(())),
                Err(e) if e.kind == CloudErrorKind::InUse => Ok(None),
                Err(e) => Err(e.into()),
            }
        },
    )
    .await
}
