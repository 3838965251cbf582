//! Owns the way out of one AMI, rung by rung, after reading once more that it is ours, nowhere current and used by nothing.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Steps, current, permissions, references, tag};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::retirement::RetirementMarks;
use crate::lifecycle::rules::SHARED;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, State, Tags, Timestamp};
use crate::plan::Step;

/// From when an AMI is deprecated: EC2 keeps whole minutes and refuses the past.
const SOON: SignedDuration = SignedDuration::from_mins(2);

/// How far an AMI is about to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its users are not affected, so users in other locations need not be known.
    Deprecate,
    /// Disable or deregister: its users could no longer launch it.
    Beyond { shared_ok: bool },
}

/// Something changed since the decision.
fn refused(step: &Step, id: &AmiId, why: &str) -> Error {
    Error::new(Kind::Refused, format!("{id} in {}: {why}", step.region))
        .hint("run `bakeline prune` again to see the new decision")
}

/// Reads an AMI and all that would keep it; what was decided on must still hold.
async fn unchanged(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    states: &[State],
    stage: Stage,
) -> Result<(Ami, RetirementMarks)> {
    let ami = tag::ami(steps, step, id).await?;
    let refused = |why: &str| refused(step, id, why);
    let Some(record) = Record::read(&ami, &steps.catalog.settings.name) else {
        return Err(refused("its tags no longer say that this catalog made it"));
    };
    if !states.contains(&record.state) {
        return Err(refused(&format!(
            "it is {} since the decision",
            record.state.as_str()
        )));
    }
    if !record.current.is_empty() {
        return Err(refused("it became current since the decision"));
    }
    if ami.protected {
        return Err(refused(
            "it is protected from deregistration since the decision",
        ));
    }
    let cloud = steps.at(step)?;
    let used = match stage {
        Stage::Deprecate => references::in_region(steps, step, id).await?,
        Stage::Beyond { .. } => references::everywhere(steps, step, id).await?,
    };
    if let Some(used) = used.iter().find(|used| used.kind != SHARED) {
        return Err(refused(&format!(
            "{} {} refers to it since the decision",
            used.kind, used.referrer
        )));
    }
    if stage == (Stage::Beyond { shared_ok: false })
        && let Some(with) = cloud.permissions(&step.region, id).await?.first()
    {
        return Err(refused(&format!(
            "it is shared with {with} since the decision"
        )));
    }
    let marks = RetirementMarks::from_record(&record);
    Ok((ami, marks))
}

fn now(steps: &Steps) -> Timestamp {
    let now = steps.clock.now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The state first: from then on no lookup and no build uses it. The time last: a run that is cut in between is taken up by
/// the next prune, which finds no time and does it again.
pub(super) async fn deprecate(steps: &Steps, step: &Step, id: &AmiId, was: State) -> Result<Value> {
    let (_, marks) = unchanged(steps, step, id, &[was, State::Retiring], Stage::Deprecate).await?;
    let cloud = steps.at(step)?;
    let now = now(steps);
    let was = marks
        .was
        .or((!matches!(was, State::Released | State::Retiring)).then_some(was));
    let text = |deprecated| {
        RetirementMarks {
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
    let at = now.checked_add(SOON).unwrap_or(now);
    let at = Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(60)).unwrap_or(at);
    cloud.deprecate(&step.region, id, at).await?;
    cloud
        .tag(
            &step.region,
            &ids,
            &Tags::from([(tags::RETIRING.to_owned(), text(Some(now)))]),
        )
        .await?;
    Ok(json!({ "deprecated": id, "from": at }))
}

pub(super) async fn undo_deprecate(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    was: State,
) -> Result<()> {
    let Some((_, marks)) = on_the_ladder(steps, step, id).await? else {
        return Ok(());
    };
    if marks.disabled.is_some() || was == State::Retiring {
        return Ok(()); // It was on the ladder before this run, or is further down than this step took it.
    }
    let cloud = steps.at(step)?;
    cloud.cancel_deprecation(&step.region, id).await?;
    let ids = [id.to_string()];
    let state = Tags::from([(tags::STATE.to_owned(), was.as_str().to_owned())]);
    cloud.tag(&step.region, &ids, &state).await?;
    Ok(cloud
        .untag(&step.region, &ids, &[tags::RETIRING.to_owned()])
        .await?)
}

/// An own AMI that is on the way out.
async fn on_the_ladder(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Option<(Ami, RetirementMarks)>> {
    let Some(ami) = tag::find(steps, step, id).await? else {
        return Ok(None);
    };
    let marks = Record::read(&ami, &steps.catalog.settings.name)
        .filter(|r| r.state == State::Retiring)
        .map(|r| RetirementMarks::from_record(&r));
    Ok(marks.map(|marks| (ami, marks)))
}

/// Records who may launch it, disables it, then marks it: a run that is cut in between repeats the step.
pub(super) async fn disable(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    shared_ok: bool,
) -> Result<Value> {
    let (ami, mut marks) = unchanged(
        steps,
        step,
        id,
        &[State::Retiring],
        Stage::Beyond { shared_ok },
    )
    .await?;
    let cloud = steps.at(step)?;
    let mut recorded = Vec::new();
    if ami.status != "disabled" {
        recorded = permissions::record(steps, step, &ami).await?;
        cloud.disable(&step.region, id).await?;
    }
    marks.disabled = Some(now(steps));
    let mark = Tags::from([(tags::RETIRING.to_owned(), marks.format())]);
    cloud.tag(&step.region, &[id.to_string()], &mark).await?;
    Ok(json!({ "disabled": id, "permissions": recorded }))
}

pub(super) async fn undo_disable(steps: &Steps, step: &Step, id: &AmiId) -> Result<()> {
    let Some((ami, mut marks)) = on_the_ladder(steps, step, id).await? else {
        return Ok(());
    };
    if ami.status != "disabled" {
        return Ok(());
    }
    permissions::enable(steps, step, id).await?;
    marks.disabled = None;
    let mark = Tags::from([(tags::RETIRING.to_owned(), marks.format())]);
    Ok(steps
        .at(step)?
        .tag(&step.region, &[id.to_string()], &mark)
        .await?)
}

pub(super) async fn probe_deregister(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Option<Value>> {
    let found = tag::find(steps, step, id).await?;
    Ok(found
        .is_none()
        .then(|| json!({ "deregistered": id, "already": true })))
}

pub(super) async fn deregister(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    shared_ok: bool,
) -> Result<Value> {
    let (ami, _) = unchanged(
        steps,
        step,
        id,
        &[State::Retiring],
        Stage::Beyond { shared_ok },
    )
    .await?;
    if ami.status != "disabled" {
        return Err(refused(
            step,
            id,
            &format!("it is {} since the decision", ami.status),
        ));
    }
    tag::deregister(steps, step, &ami).await?;
    Ok(json!({ "deregistered": id, "snapshots": ami.snapshots }))
}

/// Back up: enabled, launchable by whom it was, not deprecated, in the state it had. Every part may be repeated; the tags
/// come last, so that a run that is cut is taken up by the next.
pub(super) async fn restore(steps: &Steps, step: &Step, id: &AmiId) -> Result<Value> {
    let Some((ami, marks)) = on_the_ladder(steps, step, id).await? else {
        return Err(Error::new(
            Kind::Refused,
            format!("{id} in {} is not on the way out", step.region),
        ));
    };
    let cloud = steps.at(step)?;
    let back = if ami.status == "disabled" || marks.disabled.is_some() {
        permissions::enable(steps, step, id).await?
    } else {
        permissions::Back::default()
    };
    cloud.cancel_deprecation(&step.region, id).await?;
    let state = crate::plan::prune::state_before(&marks);
    let wanted = [
        (tags::STATE, state.as_str()),
        (tags::RETIRING, ""),
        (tags::PERMISSIONS, ""),
    ];
    let wanted: Tags = wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    current::set(steps, step, std::slice::from_ref(&ami), &wanted).await?;
    Ok(json!({ "restored": id, "state": state, "permissions": back.given, "lost": back.lost }))
}

/// Takes an AMI's pointers away: the parameters that hold its id, then the tag.
pub(super) async fn unpoint(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    now: &str,
    pointers: &[String],
) -> Result<Value> {
    let ami = tag::ami(steps, step, id).await?;
    let record = Record::read(&ami, &steps.catalog.settings.name);
    let Some(record) = record else {
        return Err(refused(
            step,
            id,
            "its tags no longer say that this catalog made it",
        ));
    };
    let seen = record.tag(tags::CURRENT);
    if seen != now && !seen.is_empty() {
        return Err(refused(
            step,
            id,
            &format!(
                "tag `{}` is {seen:?} since the decision, not {now:?}",
                tags::CURRENT
            ),
        ));
    }
    let cloud = steps.at(step)?;
    for name in pointers {
        if cloud.parameter(&step.region, name).await?.as_deref() == Some(id.as_str()) {
            cloud.delete_parameter(&step.region, name).await?;
        }
    }
    cloud
        .untag(&step.region, &[id.to_string()], &[tags::CURRENT.to_owned()])
        .await?;
    Ok(json!({ "unpointed": id, "pointers": pointers }))
}

pub(super) async fn undo_unpoint(
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
        return Ok(()); // Somebody else's state is not taken back.
    }
    let cloud = steps.at(step)?;
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
