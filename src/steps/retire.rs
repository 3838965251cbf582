//! Retires an AMI stage by stage. Each stage first verifies that the AMI is ours, not current and
//! not in use.

use jiff::SignedDuration;

use super::{Steps, move_current, permissions, references, tag};
use crate::engine::StepOutput;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::ladder::Marks;
use crate::lifecycle::rules::SHARED;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, State, Tags, Timestamp};
use crate::plan::Step;

/// Delay of a deprecation. EC2 stores whole minutes and rejects times in the past.
const DEPRECATION_DELAY: SignedDuration = SignedDuration::from_mins(2);

/// Effect of a retirement stage on users of the AMI.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StageEffect {
    /// Deprecation: users are not affected, so users in other locations need not be known.
    Deprecate,
    /// Disabling or deregistration: users can no longer launch it.
    Unlaunchable { shared_ok: bool },
}

/// Returns the error for an AMI that has changed since the decision.
fn refusal(step: &Step, id: &AmiId, why: &str) -> Error {
    Error::new(Kind::Refused, format!("{id} in {}: {why}", step.region))
        .hint("run `bakeline prune` again to see the new decision")
}

/// Reads an AMI and its references. Fails if the facts of the decision have changed.
async fn require_unchanged(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    states: &[State],
    stage: StageEffect,
) -> Result<(Ami, Marks)> {
    let ami = tag::require_ami(steps, step, id).await?;
    let refusal = |why: &str| refusal(step, id, why);
    let Some(record) = Record::read(&ami, &steps.catalog.settings.name) else {
        return Err(refusal("its tags no longer name this catalog"));
    };
    if !states.contains(&record.state) {
        return Err(refusal(&format!(
            "its state is {} since the decision",
            record.state.as_str()
        )));
    }
    if !record.current.is_empty() {
        return Err(refusal("it became current since the decision"));
    }
    if ami.protected {
        return Err(refusal(
            "it has deregistration protection since the decision",
        ));
    }
    let cloud = steps.cloud_for(step)?;
    let used = match stage {
        StageEffect::Deprecate => references::references_in_region(steps, step, id).await?,
        StageEffect::Unlaunchable { .. } => references::all_references(steps, step, id).await?,
    };
    if let Some(used) = used.iter().find(|used| used.kind != SHARED) {
        return Err(refusal(&format!(
            "{} {} refers to it since the decision",
            used.kind, used.by
        )));
    }
    if stage == (StageEffect::Unlaunchable { shared_ok: false })
        && let Some(with) = cloud.permissions(&step.region, id).await?.first()
    {
        return Err(refusal(&format!(
            "it is shared with {with} since the decision"
        )));
    }
    let marks = Marks::of(&record);
    Ok((ami, marks))
}

fn current_second(steps: &Steps) -> Timestamp {
    let current_second = steps.clock.now();
    Timestamp::from_second(current_second.as_second()).unwrap_or(current_second)
}

/// Deprecates an AMI.
///
/// The state comes first: from then on no lookup and no build uses the AMI. The time comes last: if
/// the run is interrupted, the next prune finds no time and repeats the step.
pub(super) async fn deprecate(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    was: State,
) -> Result<StepOutput> {
    let (_, marks) = require_unchanged(
        steps,
        step,
        id,
        &[was, State::Retiring],
        StageEffect::Deprecate,
    )
    .await?;
    let cloud = steps.cloud_for(step)?;
    let current_second = current_second(steps);
    let was = marks
        .was
        .or((!matches!(was, State::Released | State::Retiring)).then_some(was));
    let text = |deprecated| {
        Marks {
            deprecated,
            disabled: None,
            was,
        }
        .format()
    };
    let state = (tags::STATE.to_owned(), State::Retiring.as_str().to_owned());
    let ids = [id.to_string()];
    cloud
        .tag(
            &step.region,
            &ids,
            &Tags::from([state, (tags::RETIRING.to_owned(), text(None))]),
        )
        .await?;
    let at = current_second
        .checked_add(DEPRECATION_DELAY)
        .unwrap_or(current_second);
    let at = Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(60)).unwrap_or(at);
    cloud.deprecate(&step.region, id, at).await?;
    cloud
        .tag(
            &step.region,
            &ids,
            &Tags::from([(tags::RETIRING.to_owned(), text(Some(current_second)))]),
        )
        .await?;
    Ok(StepOutput::Deprecated {
        deprecated: id.clone(),
        from: at,
    })
}

pub(super) async fn undo_deprecate(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    was: State,
) -> Result<()> {
    let Some((_, marks)) = find_retiring(steps, step, id).await? else {
        return Ok(());
    };
    if marks.disabled.is_some() || was == State::Retiring {
        return Ok(()); // It was retiring before this run, or has reached a later stage.
    }
    let cloud = steps.cloud_for(step)?;
    cloud.cancel_deprecation(&step.region, id).await?;
    let ids = [id.to_string()];
    let state = Tags::from([(tags::STATE.to_owned(), was.as_str().to_owned())]);
    cloud.tag(&step.region, &ids, &state).await?;
    Ok(cloud
        .untag(&step.region, &ids, &[tags::RETIRING.to_owned()])
        .await?)
}

/// Returns an AMI of this catalog if it is retiring.
async fn find_retiring(steps: &Steps, step: &Step, id: &AmiId) -> Result<Option<(Ami, Marks)>> {
    let Some(ami) = tag::find(steps, step, id).await? else {
        return Ok(None);
    };
    let marks = Record::read(&ami, &steps.catalog.settings.name)
        .filter(|r| r.state == State::Retiring)
        .map(|r| Marks::of(&r));
    Ok(marks.map(|marks| (ami, marks)))
}

/// Records the launch permissions, disables the AMI, then tags it. An interrupted run repeats the
/// step.
pub(super) async fn disable(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    shared_ok: bool,
) -> Result<StepOutput> {
    let (ami, mut marks) = require_unchanged(
        steps,
        step,
        id,
        &[State::Retiring],
        StageEffect::Unlaunchable { shared_ok },
    )
    .await?;
    let cloud = steps.cloud_for(step)?;
    let mut recorded = Vec::new();
    if ami.status != "disabled" {
        recorded = permissions::record(steps, step, &ami).await?;
        cloud.disable(&step.region, id).await?;
    }
    marks.disabled = Some(current_second(steps));
    let tag_update = Tags::from([(tags::RETIRING.to_owned(), marks.format())]);
    cloud
        .tag(&step.region, &[id.to_string()], &tag_update)
        .await?;
    Ok(StepOutput::Disabled {
        disabled: id.clone(),
        permissions: recorded,
    })
}

pub(super) async fn undo_disable(steps: &Steps, step: &Step, id: &AmiId) -> Result<()> {
    let Some((ami, mut marks)) = find_retiring(steps, step, id).await? else {
        return Ok(());
    };
    if ami.status != "disabled" {
        return Ok(());
    }
    permissions::enable(steps, step, id).await?;
    marks.disabled = None;
    let tag_update = Tags::from([(tags::RETIRING.to_owned(), marks.format())]);
    Ok(steps
        .cloud_for(step)?
        .tag(&step.region, &[id.to_string()], &tag_update)
        .await?)
}

pub(super) async fn probe_deregister(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Option<StepOutput>> {
    let found = tag::find(steps, step, id).await?;
    Ok(found.is_none().then(|| StepOutput::DeregisteredBefore {
        deregistered: id.clone(),
        already: true,
    }))
}

pub(super) async fn deregister(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    shared_ok: bool,
) -> Result<StepOutput> {
    let (ami, _) = require_unchanged(
        steps,
        step,
        id,
        &[State::Retiring],
        StageEffect::Unlaunchable { shared_ok },
    )
    .await?;
    if ami.status != "disabled" {
        return Err(refusal(
            step,
            id,
            &format!("its state is {} since the decision", ami.status),
        ));
    }
    tag::deregister(steps, step, &ami).await?;
    Ok(StepOutput::Deregistered {
        deregistered: id.clone(),
        snapshots: ami.snapshots,
    })
}

/// Restores an AMI: enables it, restores its launch permissions and state, and cancels its
/// deprecation. Every part can be repeated. The tags come last, so that the next run completes an
/// interrupted one.
pub(super) async fn restore(steps: &Steps, step: &Step, id: &AmiId) -> Result<StepOutput> {
    let Some((ami, marks)) = find_retiring(steps, step, id).await? else {
        return Err(Error::new(
            Kind::Refused,
            format!("{id} in {} is not retiring", step.region),
        ));
    };
    let cloud = steps.cloud_for(step)?;
    let restored = if ami.status == "disabled" || marks.disabled.is_some() {
        permissions::enable(steps, step, id).await?
    } else {
        permissions::RestoredPermissions::default()
    };
    cloud.cancel_deprecation(&step.region, id).await?;
    let state = crate::plan::prune::state_before(&marks);
    let wanted = [
        (tags::STATE, state.as_str()),
        (tags::RETIRING, ""),
        (tags::PERMISSIONS, ""),
    ];
    let wanted: Tags = wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    move_current::apply_tags(steps, step, std::slice::from_ref(&ami), &wanted).await?;
    Ok(StepOutput::Restored {
        restored: id.clone(),
        state,
        permissions: restored.given,
        lost: restored.lost,
    })
}

/// Deletes the parameters that contain the ID of an AMI, then its `bakeline:current` tag.
pub(super) async fn clear_pointers(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    current_second: &str,
    pointers: &[String],
) -> Result<StepOutput> {
    let ami = tag::require_ami(steps, step, id).await?;
    let record = Record::read(&ami, &steps.catalog.settings.name);
    let Some(record) = record else {
        return Err(refusal(step, id, "its tags no longer name this catalog"));
    };
    let seen = record.tag(tags::CURRENT);
    if seen != current_second && !seen.is_empty() {
        return Err(refusal(
            step,
            id,
            &format!(
                "tag `{}` is {seen:?} since the decision, not {current_second:?}",
                tags::CURRENT
            ),
        ));
    }
    let cloud = steps.cloud_for(step)?;
    for name in pointers {
        if cloud.parameter(&step.region, name).await?.as_deref() == Some(id.as_str()) {
            cloud.delete_parameter(&step.region, name).await?;
        }
    }
    cloud
        .untag(&step.region, &[id.to_string()], &[tags::CURRENT.to_owned()])
        .await?;
    Ok(StepOutput::ClearedPointers {
        unpointed: id.clone(),
        pointers: pointers.to_vec(),
    })
}

pub(super) async fn undo_clear_pointers(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    was: &str,
    pointers: &[String],
) -> Result<()> {
    let Some(ami) = tag::find(steps, step, id).await? else {
        return Ok(());
    };
    let Some(record) = Record::read(&ami, &steps.catalog.settings.name) else {
        return Ok(());
    };
    if !record.tag(tags::CURRENT).is_empty() && record.tag(tags::CURRENT) != was {
        return Ok(()); // Another run has set this state.
    }
    let cloud = steps.cloud_for(step)?;
    let tag = Tags::from([(tags::CURRENT.to_owned(), was.to_owned())]);
    cloud.tag(&step.region, &[id.to_string()], &tag).await?;
    let catalog = Tags::from([(
        tags::CATALOG.to_owned(),
        steps.catalog.settings.name.to_string(),
    )]);
    for name in pointers {
        if cloud.parameter(&step.region, name).await?.is_none() {
            cloud
                .put_parameter(&step.region, name, id, &catalog)
                .await?;
        }
    }
    Ok(())
}
