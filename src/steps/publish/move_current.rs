//! Makes an AMI current: tags the new AMI, publishes it, reads both back, then untags the old AMI.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::engine::{MovedAmi, StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{current, tags};
use crate::model::{Ami, AmiId, Region, Tags};
use crate::plan::Step;
use crate::plan::step::Move;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::creations::CreationKey;
use crate::steps::poll::poll_until;
use crate::steps::publish::pointer::{publish_pointer, restore_pointer};
use crate::steps::publish::read_back::{READ_BACK_LIMIT, wait_for_tags};

/// Moves of the current AMI. The undo restores the previous AMI first, so that one is always
/// current. It does not undo a state that another run has set.
pub(in crate::steps) struct MoveCurrent<'a> {
    pub(in crate::steps) moves: &'a [Move],
}

#[async_trait]
impl StepEffect for MoveCurrent<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { moves } = *self;
        let mut done = Vec::new();
        for movement in moves {
            let ami = make_current(steps, step, movement, context).await?;
            done.push(MovedAmi {
                env: movement.env.clone(),
                ami,
                region: step.region.clone(),
                before: movement.before.clone(),
            });
        }
        Ok(StepOutput::Moves {
            ami: done.last().map(|moved| moved.ami.clone()),
            moves: done,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { moves } = *self;
        for movement in moves {
            let movement = &movement.starting_at(context.started);
            let to = context.outputs.ami(&movement.to)?;
            let previous = movement.from.first().map(|holder| &holder.ami);
            let now = find_moved(steps, step, movement, &to).await?;
            let seen = now.as_ref().and_then(|ami| ami.tags.get(tags::CURRENT));
            let ours = movement.tags.get(tags::CURRENT).filter(|ours| {
                // An earlier attempt may have set another time.
                seen.is_some_and(|seen| current::has_same_environments(seen, ours))
            });
            let (Some(now), Some(_)) = (&now, ours) else {
                let others =
                    seen.is_some_and(|text| current::parse(text).contains_key(&movement.env));
                if !others {
                    restore_pointer(steps, step, &movement.pointer, &to, previous).await?;
                }
                continue;
            };
            for holder in &movement.from {
                let ami = crate::steps::ami::require_ami(steps, step, &holder.ami).await?;
                apply_tags(steps, step, std::slice::from_ref(&ami), &holder.before).await?;
            }
            restore_pointer(steps, step, &movement.pointer, &to, previous).await?;
            let mut old: Tags = movement
                .tags
                .keys()
                .map(|key| (key.clone(), String::new()))
                .collect();
            old.extend(movement.before.clone());
            if movement.untag.iter().any(|key| key == tags::EXPIRES) {
                // The AMI is temporary again, in case the undo of its build fails.
                old.insert(tags::EXPIRES.to_owned(), steps.expires.to_string());
            }
            apply_tags(steps, step, std::slice::from_ref(now), &old).await?;
            wait_for_tags(steps, step, &old, &to, context).await?;
        }
        Ok(())
    }
}

fn tags_key(step: &Step, ami: &AmiId) -> CreationKey {
    CreationKey::new(
        "tags of",
        ami.as_str(),
        step.account.as_deref(),
        &step.region,
    )
}

/// Returns the AMI of a move. If this run has set its tags, waits until EC2 would show them.
async fn find_moved(
    steps: &Steps,
    step: &Step,
    movement: &Move,
    to: &AmiId,
) -> Result<Option<Ami>> {
    let never = CancellationToken::new();
    let what = format!("the tags of {to} in {} to be read", step.region);
    poll_until(steps, READ_BACK_LIMIT, &never, &what, || async {
        let now = crate::steps::ami::find(steps, step, to).await?;
        let current = |tags: &Tags| tags.get(tags::CURRENT).cloned().unwrap_or_default();
        let is_shown = now.as_ref().is_some_and(|ami| {
            current::has_same_environments(&current(&ami.tags), &current(&movement.tags))
        });
        let set = steps.creations.get(&tags_key(step, to));
        let may_change = set.is_some_and(|set| set.is_new(steps.clock.now()));
        Ok((is_shown || !may_change).then_some(now))
    })
    .await
}

/// Makes one AMI current in one environment and returns its ID.
///
/// Sets its tags, publishes it and reads both back. Then updates the AMIs that were current before.
pub(in crate::steps) async fn make_current(
    steps: &Steps,
    step: &Step,
    movement: &Move,
    context: &StepContext<'_>,
) -> Result<AmiId> {
    let movement = &movement.starting_at(context.started);
    let to = context.outputs.ami(&movement.to)?;
    let ami = crate::steps::ami::require_ami(steps, step, &to).await?;
    let mut seen = without_times(&ami.tags, &movement.tags);
    require_unchanged(&seen, &movement.before, &movement.tags, &to, &step.region)?;
    let mut holders = Vec::new();
    for holder in &movement.from {
        let now = crate::steps::ami::require_ami(steps, step, &holder.ami).await?;
        seen = without_times(&now.tags, &holder.after);
        require_unchanged(
            &seen,
            &holder.before,
            &holder.after,
            &holder.ami,
            &step.region,
        )?;
        holders.push((now, &holder.after));
    }
    // A candidate that becomes current is released now. Its evidence must exist before a lookup
    // returns it.
    if movement
        .before
        .get(tags::STATE)
        .is_some_and(|s| s == crate::model::State::Candidate.as_str())
    {
        crate::steps::store::objects::store_release(steps, step, &ami, context).await;
    }
    let mut wanted = movement.tags.clone();
    wanted.extend(
        movement
            .untag
            .iter()
            .map(|key| (key.clone(), String::new())),
    );
    let tagged = apply_tags(steps, step, std::slice::from_ref(&ami), &wanted).await;
    if tagged.as_ref().map_or_else(Error::is_transient, |()| true) {
        let key = tags_key(step, &to);
        steps.creations.record(key, None, steps.clock.now());
    }
    tagged?;
    publish_pointer(steps, step, &movement.pointer, &to, context).await?;
    wait_for_tags(steps, step, &movement.tags, &to, context).await?;
    for (holder, after) in holders {
        apply_tags(steps, step, std::slice::from_ref(&holder), after).await?;
    }
    Ok(to)
}

/// Returns tags with the values that this move sets, where they differ only in their times: another move
/// of the step, or an earlier attempt, whose line the journal in the store may lack, has set them.
fn without_times(now: &Tags, after: &Tags) -> Tags {
    let mut out = now.clone();
    for key in [tags::CURRENT, tags::ROLLED_BACK] {
        if let (Some(seen), Some(wanted)) = (out.get_mut(key), after.get(key))
            && current::has_same_environments(seen, wanted)
        {
            seen.clone_from(wanted);
        }
    }
    out
}

/// Fails if the tags that a decision is based on have changed. A change by this step itself is
/// allowed, because the step may be repeated.
pub(in crate::steps) fn require_unchanged(
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
            return Err(
                Error::new(ErrorKind::Refused, text).hint("another run changed it; plan again")
            );
        }
    }
    Ok(())
}

/// Sets all tags of a transition in one call, so that no reader sees a part of it.
///
/// An empty value means that the tag is removed afterwards; readers ignore empty values. Snapshots
/// get the same state, and lose the tags of temporary resources with the AMI.
pub(in crate::steps) async fn apply_tags(
    steps: &Steps,
    step: &Step,
    amis: &[Ami],
    wanted: &Tags,
) -> Result<()> {
    let ids: Vec<String> = amis.iter().map(|a| a.id.to_string()).collect();
    if ids.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let cloud = steps.cloud_for(step)?;
    cloud
        .change(&step.region)
        .await?
        .tag(&step.region, &ids, wanted)
        .await?;
    let removed: Vec<String> = wanted
        .iter()
        .filter(|(_, v)| v.is_empty())
        .map(|(k, _)| k.clone())
        .collect();
    if !removed.is_empty() {
        cloud
            .change(&step.region)
            .await?
            .untag(&step.region, &ids, &removed)
            .await?;
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
            .change(&step.region)
            .await?
            .tag(
                &step.region,
                &snapshots,
                &Tags::from([(tags::STATE.to_owned(), state.clone())]),
            )
            .await?;
    }
    let temporary: Vec<String> = removed
        .into_iter()
        .filter(|key| key == tags::EXPIRES || key == tags::KEPT)
        .collect();
    if !temporary.is_empty() {
        cloud
            .change(&step.region)
            .await?
            .untag(&step.region, &snapshots, &temporary)
            .await?;
    }
    Ok(())
}
