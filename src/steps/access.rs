//! Owns the run's own way into its instances: a key pair and a security group for each image.

use serde_json::{Value, json};

use super::Steps;
use crate::catalog::Access;
use crate::error::{Error, Kind, Result};
use crate::plan::Step;
use crate::ports::{CloudErrorKind, GroupRequest};

/// The private key's file in the run directory.
pub(super) fn key_file(scope: &str) -> String {
    format!("{scope}/key")
}

pub(super) async fn create_key(steps: &Steps, step: &Step, name: &str) -> Result<Value> {
    let tags = steps.temporary_tags(&step.scope);
    let key = match steps.cloud.create_key_pair(&step.region, name, &tags).await {
        // A key pair of this name is ours (the name carries the run), but its private half is lost.
        Err(e) if e.kind == CloudErrorKind::Duplicate => {
            steps.cloud.delete_key_pair(&step.region, name).await?;
            steps
                .cloud
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
    let path = path
        .map_err(|e| Error::new(Kind::StepFailed, "the private key can't be written").because(e))?;
    Ok(json!({ "key_pair": name, "file": path }))
}

pub(super) async fn delete_key(steps: &Steps, step: &Step, name: &str) -> Result<Value> {
    steps.workspace.remove(&key_file(&step.scope));
    steps.cloud.delete_key_pair(&step.region, name).await?;
    Ok(json!({ "deleted": name }))
}

pub(super) async fn find_group(steps: &Steps, step: &Step, name: &str) -> Result<Option<Value>> {
    let found = steps
        .cloud
        .find_group(&step.region, name, &steps.mine(&step.scope))
        .await?;
    Ok(found.map(|id| json!({ "group": id })))
}

pub(super) async fn create_group(steps: &Steps, step: &Step, name: &str) -> Result<Value> {
    let builder = &steps.catalog.settings.builder;
    let request = GroupRequest {
        name: name.to_owned(),
        subnet: builder.subnet.clone(),
        ssh_from: match &builder.access {
            Access::Cidrs(cidrs) => cidrs.clone(),
            Access::Ssm => Vec::new(),
        },
        tags: steps.temporary_tags(&step.scope),
    };
    let id = steps.cloud.create_group(&step.region, &request).await?;
    Ok(json!({ "group": id }))
}

/// Deletes the group once its instances have let go of it.
pub(super) async fn delete_group(steps: &Steps, step: &Step, name: &str) -> Result<Value> {
    let Some(id) = steps
        .cloud
        .find_group(&step.region, name, &steps.mine(&step.scope))
        .await?
    else {
        return Ok(json!({ "deleted": null }));
    };
    free_group(steps, step, &id).await?;
    Ok(json!({ "deleted": id }))
}

/// Deletes a group as soon as nothing uses it any more; not cancelled, because it is the way back.
pub(super) async fn free_group(steps: &Steps, step: &Step, id: &str) -> Result<()> {
    let cloud = steps.at(step)?;
    let never = tokio_util::sync::CancellationToken::new();
    let limit = std::time::Duration::from_secs(300);
    super::wait::until(
        steps,
        limit,
        &never,
        &format!("security group {id} to be free"),
        || async {
            match cloud.delete_group(&step.region, id).await {
                Ok(()) => Ok(Some(())),
                Err(e) if e.kind == CloudErrorKind::InUse => Ok(None),
                Err(e) => Err(e.into()),
            }
        },
    )
    .await
}
