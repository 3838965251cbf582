//! Owns removing one temporary thing that a dead run left, after reading once more that it is what it was.

use std::time::Duration;

use serde_json::{Value, json};

use super::wait::until;
use super::{Steps, tag};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, InstanceId, TemporaryKind, TemporaryResource};
use crate::plan::Step;

/// EC2 ends an instance, and lets go of what it held, within minutes.
const LIMIT: Duration = Duration::from_secs(600);

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    thing: &TemporaryResource,
    context: &StepContext<'_>,
) -> Result<Value> {
    let cloud = steps.at(step)?;
    match thing.kind {
        TemporaryKind::Instance => {
            terminate(steps, step, &InstanceId(thing.id.clone()), context).await?
        }
        TemporaryKind::Image => deregister(steps, step, thing).await?,
        TemporaryKind::Snapshot => cloud.delete_snapshot(&step.region, &thing.id).await?,
        TemporaryKind::Volume => cloud.delete_volume(&step.region, &thing.id).await?,
        TemporaryKind::SecurityGroup => super::access::free_group(steps, step, &thing.id).await?,
        TemporaryKind::CopyPermission => super::share::sweep(steps, step, thing).await?,
        TemporaryKind::KeyPair => cloud.delete_key_pair(&step.region, &thing.name).await?,
    }
    Ok(json!({ "removed": thing.id, "kind": thing.kind }))
}

async fn terminate(
    steps: &Steps,
    step: &Step,
    id: &InstanceId,
    context: &StepContext<'_>,
) -> Result<()> {
    let cloud = steps.at(step)?;
    cloud.terminate(&step.region, id).await?;
    until(
        steps,
        LIMIT,
        &context.cancel,
        &format!("instance {id} to end"),
        || async {
            let instance = cloud.instance(&step.region, id).await?;
            Ok(instance
                .is_none_or(|i| i.status == "terminated")
                .then_some(()))
        },
    )
    .await
}

/// What became a released AMI since the decision, or somebody else's, is left alone.
async fn deregister(steps: &Steps, step: &Step, thing: &TemporaryResource) -> Result<()> {
    let Some(ami) = tag::find(steps, step, &AmiId(thing.id.clone())).await? else {
        return Ok(());
    };
    let rests_on = [
        tags::CATALOG,
        tags::SELF,
        tags::STATE,
        tags::EXPIRES,
        tags::RUN,
    ];
    if let Some(key) = rests_on
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
        bare(steps, step, &ami).await?;
    }
    tag::deregister(steps, step, &ami).await
}

/// An AMI that only its name tells of must still have no tag at all, and nothing may have begun to use it.
async fn bare(steps: &Steps, step: &Step, ami: &Ami) -> Result<()> {
    let refused = |why: &str| {
        let text = format!("{} in {}: {why} since the decision", ami.id, step.region);
        Err(Error::new(Kind::Refused, text).hint("run `bakeline sweep` again"))
    };
    if let Some(key) = ami.tags.keys().next() {
        return refused(&format!("it got the tag `{key}`"));
    }
    match super::references::everywhere(steps, step, &ami.id)
        .await?
        .first()
    {
        Some(used) => refused(&format!("{} {} refers to it", used.kind, used.referrer)),
        None => Ok(()),
    }
}
