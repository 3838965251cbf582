//! Owns moving what is current: set the new, publish, read back, then unset the old; and the way back.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Steps, resolve};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{current, tags};
use crate::model::{Ami, AmiId, Region, Tags};
use crate::plan::Step;
use crate::plan::step::Move;
use crate::ports::CloudErrorKind;

/// How long a published pointer may take to read back: AWS validates `aws:ec2:image` after the call.
const READ_BACK: Duration = Duration::from_secs(60);

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    moves: &[Move],
    context: &StepContext<'_>,
) -> Result<Value> {
    let mut done = Vec::new();
    for movement in moves {
        let ami = make_current(steps, step, movement, context).await?;
        done.push(json!({ "env": movement.env, "ami": ami, "region": step.region, "before": movement.before }));
    }
    Ok(json!({ "moves": done, "ami": done.last().and_then(|d| d.get("ami")).cloned() }))
}

/// Makes one AMI current in one environment and returns its ID: sets its tags, publishes it, reads both back, then updates
/// the AMIs that were current before.
pub(super) async fn make_current(
    steps: &Steps,
    step: &Step,
    movement: &Move,
    context: &StepContext<'_>,
) -> Result<AmiId> {
    let to = resolve(&movement.to, &context.outputs)?;
    let ami = super::tag::ami(steps, step, &to).await?;
    unmoved(
        &ami.tags,
        &movement.before,
        &movement.tags,
        &to,
        &step.region,
    )?;
    let mut holders = Vec::new();
    for holder in &movement.from {
        let now = super::tag::ami(steps, step, &holder.ami).await?;
        unmoved(
            &now.tags,
            &holder.before,
            &holder.after,
            &holder.ami,
            &step.region,
        )?;
        holders.push((now, &holder.after));
    }
    // A candidate that becomes current was released just now: its evidence is there before anybody finds it.
    if movement
        .before
        .get(tags::STATE)
        .is_some_and(|s| s == crate::model::State::Candidate.as_str())
    {
        super::evidence::keep(steps, step, &ami, context).await;
    }
    let mut wanted = movement.tags.clone();
    wanted.extend(
        movement
            .untag
            .iter()
            .map(|key| (key.clone(), String::new())),
    );
    set(steps, step, std::slice::from_ref(&ami), &wanted).await?;
    publish(steps, step, &movement.pointer, &to, context).await?;
    read_back(steps, step, &movement.tags, &to, context).await?;
    for (holder, after) in holders {
        set(steps, step, std::slice::from_ref(&holder), after).await?;
    }
    Ok(to)
}

/// Refuses when the tags a decision rests on have changed since, unless by this very step: it may be done twice.
pub(super) fn unmoved(
    now: &Tags,
    before: &Tags,
    after: &Tags,
    ami: &AmiId,
    region: &Region,
) -> Result<()> {
    for (key, value) in before {
        let seen = now.get(key).map_or("", String::as_str);
        if seen != value && after.get(key).is_none_or(|a| a != seen) {
            let text = format!(
                "{ami} in {region} changed since the plan: tag `{key}` is {seen:?}, not {value:?}"
            );
            return Err(Error::new(Kind::Refused, text).hint("another run moved it; plan again"));
        }
    }
    Ok(())
}

/// Sets all tags of a transition in one call, so that nobody sees half of it; an empty value, which no reader takes for
/// a tag, is removed afterwards. The snapshots mirror the state, and that they are no longer temporary.
pub(super) async fn set(steps: &Steps, step: &Step, amis: &[Ami], wanted: &Tags) -> Result<()> {
    let ids: Vec<String> = amis.iter().map(|a| a.id.to_string()).collect();
    if ids.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let cloud = steps.at(step)?;
    cloud.tag(&step.region, &ids, wanted).await?;
    let gone: Vec<String> = wanted
        .iter()
        .filter(|(_, v)| v.is_empty())
        .map(|(k, _)| k.clone())
        .collect();
    if !gone.is_empty() {
        cloud.untag(&step.region, &ids, &gone).await?;
    }
    let snapshots: Vec<String> = amis
        .iter()
        .flat_map(|a| &a.snapshots)
        .map(ToString::to_string)
        .collect();
    if snapshots.is_empty() {
        return Ok(());
    }
    if let Some(state) = wanted.get(tags::STATE) {
        cloud
            .tag(
                &step.region,
                &snapshots,
                &Tags::from([(tags::STATE.to_owned(), state.clone())]),
            )
            .await?;
    }
    if gone.iter().any(|key| key == tags::EXPIRES) {
        cloud
            .untag(&step.region, &snapshots, &[tags::EXPIRES.to_owned()])
            .await?;
    }
    Ok(())
}

/// Writes the pointer and waits until it reads back.
pub(super) async fn publish(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    to: &AmiId,
    context: &StepContext<'_>,
) -> Result<()> {
    let catalog = Tags::from([(
        tags::CATALOG.to_owned(),
        steps.catalog.settings.name.to_string(),
    )]);
    steps
        .at(step)?
        .put_parameter(&step.region, pointer, to, &catalog)
        .await?;
    let what = format!("SSM parameter {pointer} in {} to read {to}", step.region);
    super::poll::until(steps, READ_BACK, &context.cancel, &what, || async {
        let value = steps.at(step)?.parameter(&step.region, pointer).await?;
        Ok((value.as_deref() == Some(to.as_str())).then_some(()))
    })
    .await
}

/// Waits until an AMI's tags read as they were written: for a while EC2 may answer what was before.
pub(super) async fn read_back(
    steps: &Steps,
    step: &Step,
    wanted: &Tags,
    id: &AmiId,
    context: &StepContext<'_>,
) -> Result<()> {
    let what = format!("the tags of {id} in {} to read back", step.region);
    let same = super::poll::until(steps, READ_BACK, &context.cancel, &what, || async {
        let now = super::tag::ami(steps, step, id).await?.tags;
        let differs = wanted
            .iter()
            .any(|(key, value)| now.get(key).map_or("", String::as_str) != value);
        Ok((!differs).then_some(()))
    });
    same.await.map_err(|e| match e.kind {
        Kind::StepFailed => e.hint("another writer may be at work; run again"),
        _ => e,
    })
}

/// Puts the old back first, so that there is always one, then takes the new away. Somebody else's state is not taken back.
pub(super) async fn undo(
    steps: &Steps,
    step: &Step,
    moves: &[Move],
    context: &StepContext<'_>,
) -> Result<()> {
    for movement in moves {
        let to = resolve(&movement.to, &context.outputs)?;
        let now = super::tag::find(steps, step, &to).await?;
        let seen = now.as_ref().and_then(|ami| ami.tags.get(tags::CURRENT));
        let ours = movement
            .tags
            .get(tags::CURRENT)
            .filter(|ours| seen == Some(*ours));
        let (Some(now), Some(_)) = (&now, ours) else {
            let others = seen.is_some_and(|text| current::parse(text).contains_key(&movement.env));
            if !others {
                // The tags may read as they were before, so the pointer may name the AMI all the same.
                restore_pointer(steps, step, movement, &to).await?;
            }
            continue;
        };
        for holder in &movement.from {
            let ami = super::tag::ami(steps, step, &holder.ami).await?;
            set(steps, step, std::slice::from_ref(&ami), &holder.before).await?;
        }
        restore_pointer(steps, step, movement, &to).await?;
        let mut old: Tags = movement
            .tags
            .keys()
            .map(|key| (key.clone(), String::new()))
            .collect();
        old.extend(movement.before.clone());
        if movement.untag.iter().any(|key| key == tags::EXPIRES) {
            // It is temporary again, in case that the undo of its making fails.
            old.insert(tags::EXPIRES.to_owned(), steps.expires.to_string());
        }
        set(steps, step, std::slice::from_ref(now), &old).await?;
        read_back(steps, step, &old, &to, context).await?;
    }
    Ok(())
}

/// Makes the pointer of a move name the AMI that it named before. A pointer that does not name the new AMI was not
/// written, so there is nothing to undo. AWS validates a value after the call, though, so a write may still be under way:
/// the old value is written all the same, and it is no failure if that is not possible.
async fn restore_pointer(steps: &Steps, step: &Step, movement: &Move, new: &AmiId) -> Result<()> {
    let cloud = steps.at(step)?;
    let written = cloud
        .parameter(&step.region, &movement.pointer)
        .await?
        .as_deref()
        == Some(new.as_str());
    let restored = match movement.from.first() {
        None => {
            cloud
                .delete_parameter(&step.region, &movement.pointer)
                .await
        }
        Some(holder) => {
            let catalog = Tags::from([(
                tags::CATALOG.to_owned(),
                steps.catalog.settings.name.to_string(),
            )]);
            cloud
                .put_parameter(&step.region, &movement.pointer, &holder.ami, &catalog)
                .await
        }
    };
    match restored {
        Err(error) if !written && error.kind != CloudErrorKind::Fenced => {
            tracing::debug!(%error, pointer = movement.pointer, "pointer was not written and stays as it is");
            Ok(())
        }
        other => Ok(other?),
    }
}
