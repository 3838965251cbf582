//! Owns the test instance: a fresh boot of the finished AMI, and its end.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::poll::until;
use super::{Steps, host_key, resolve, text_of};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::model::{ImageName, InstanceId, Region};
use crate::plan::{AmiRef, Step, StepId};
use crate::ports::{Instance, LaunchRequest, Secret};

/// EC2 starts and ends an instance within minutes; ten are plenty.
const LIMIT: Duration = Duration::from_secs(600);

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    ami: &AmiRef,
    context: &StepContext<'_>,
) -> Result<Value> {
    let builder = &steps.catalog.settings.builder;
    let platform = steps
        .catalog
        .images
        .get(image)
        .map(|i| i.platform)
        .unwrap_or_default();
    let keys = host_key::made(steps, &step.scope).await?;
    let request = LaunchRequest {
        ami: resolve(ami, &context.outputs)?,
        instance_type: builder.instance_type.clone(),
        key_name: text_of(
            &context.outputs,
            &StepId(format!("{image}/key")),
            "key_pair",
        )?,
        group: text_of(&context.outputs, &StepId(format!("{image}/group")), "group")?,
        subnet: builder.subnet.clone(),
        instance_profile: builder.instance_profile.clone(),
        public_address: builder.public_address,
        user_data: Some(Secret::new(platform.first_boot(
            crate::plan::release::EXPIRES.as_hours(),
            &host_key::told(&keys),
        ))),
        tags: steps.temporary_tags(&step.scope),
        token: format!("bakeline-{}-{image}", steps.run)
            .chars()
            .take(64)
            .collect(),
    };
    let id = steps.cloud.launch(&step.region, &request).await?;
    (context.note)(&format!("instance {id}"));
    let running = until(
        steps,
        LIMIT,
        &context.cancel,
        &format!("instance {id} to run"),
        || running(steps, &step.region, &id),
    )
    .await;
    let instance = match running {
        Ok(instance) => instance,
        Err(error) => {
            // The undo of a failed step finds the instance by its tags; saying its id here is for people.
            return Err(Error::new(
                error.kind,
                format!("instance {id} of {} did not start", request.ami),
            )
            .because(error));
        }
    };
    let address = if builder.public_address {
        instance.public_ip
    } else {
        instance.private_ip
    };
    let Some(address) = address else {
        return Err(Error::new(
            Kind::StepFailed,
            format!(
                "instance {id} has no {} address",
                if builder.public_address {
                    "public"
                } else {
                    "private"
                }
            ),
        ));
    };
    host_key::expect(steps, &step.scope, &keys, &[id.as_str(), &address])?;
    Ok(json!({ "instance": id, "address": address, "ami": request.ami }))
}

async fn running(steps: &Steps, region: &Region, id: &InstanceId) -> Result<Option<Instance>> {
    let Some(instance) = steps.cloud.instance(region, id).await? else {
        return Ok(None);
    };
    match instance.status.as_str() {
        "running" => Ok(Some(instance)),
        "pending" => Ok(None),
        other => {
            let why = instance
                .reason
                .as_deref()
                .map_or_else(String::new, |r| format!(" ({r})"));
            Err(Error::new(
                Kind::StepFailed,
                format!("it is {other} in {region}{why}"),
            ))
        }
    }
}

pub(super) async fn terminate(
    steps: &Steps,
    step: &Step,
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<Value> {
    let id = InstanceId(text_of(&context.outputs, boot, "instance")?);
    end(steps, &step.region, &id).await?;
    host_key::forget(steps, &step.scope);
    Ok(json!({ "terminated": id }))
}

/// Ends every instance of this image and run, whether its launch was answered or not.
pub(super) async fn undo(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    output: Option<&Value>,
) -> Result<()> {
    let mut ids: Vec<InstanceId> = steps
        .cloud
        .instances_tagged(&step.region, &steps.mine(image.as_str()))
        .await?
        .into_iter()
        .map(|i| i.id)
        .collect();
    let known = output
        .and_then(|o| o.get("instance"))
        .and_then(Value::as_str)
        .map(InstanceId::from);
    ids.extend(known.filter(|k| !ids.contains(k)));
    for id in ids {
        end(steps, &step.region, &id).await?;
    }
    host_key::forget(steps, &step.scope);
    Ok(())
}

/// Terminates and waits until it is gone, so that its group and volume are free.
pub(super) async fn end(steps: &Steps, region: &Region, id: &InstanceId) -> Result<()> {
    steps.cloud.terminate(region, id).await?;
    let never = CancellationToken::new();
    until(
        steps,
        LIMIT,
        &never,
        &format!("instance {id} to end"),
        || async {
            let instance = steps.cloud.instance(region, id).await?;
            Ok(instance
                .is_none_or(|i| i.status == "terminated")
                .then_some(()))
        },
    )
    .await
}
