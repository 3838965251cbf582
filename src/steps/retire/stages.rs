//! Retires an AMI stage by stage. Each stage first verifies that the AMI is ours, not current and
//! not in use.

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::retirement::RetirementMarks;
use crate::lifecycle::rules::SHARED;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, State, Tags, Timestamp};
use crate::plan::Step;
use crate::steps::ami;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::move_current;
use crate::steps::references;
use crate::steps::retire::permissions;

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
pub(in crate::steps) fn refusal(step: &Step, id: &AmiId, why: &str) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("{id} in {}: {why}", step.region),
    )
    .hint("run `bakeline prune` again to see the new decision")
}

/// Reads an AMI and its references. Fails if the facts of the decision have changed.
async fn require_unchanged(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    states: &[State],
    stage: StageEffect,
) -> Result<(Ami, RetirementMarks)> {
    let ami = ami::require_ami(steps, step, id).await?;
    let refusal = |why: &str| refusal(step, id, why);
    let Some(record) = Record::read(&ami, &steps.catalog.settings) else {
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
    let mut used = match stage {
        StageEffect::Deprecate => references::references_in_region(steps, step, id).await?,
        StageEffect::Unlaunchable { .. } => references::all_references(steps, step, id).await?,
    };
    used.extend(references::receiver_references(steps, step, id, &ami.owner).await?);
    if let Some(used) = used.iter().find(|used| used.kind != SHARED) {
        return Err(refusal(&format!(
            "{} {} refers to it since the decision",
            used.kind, used.referrer
        )));
    }
    if stage == (StageEffect::Unlaunchable { shared_ok: false })
        && let Some(with) = references::unknown_receiver(steps, step, &ami).await?
    {
        return Err(refusal(&format!(
            "it is shared with {with} since the decision"
        )));
    }
    let marks = RetirementMarks::from_record(&record);
    Ok((ami, marks))
}

fn current_second(steps: &Steps) -> Timestamp {
    let now = steps.clock.now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// First stage: deprecation of an AMI. The state comes first: from then on no lookup and no build
/// uses the AMI. The time comes last: if the run is interrupted, the next prune finds no time and
/// repeats the step.
pub(in crate::steps) struct Deprecate<'a> {
    pub(in crate::steps) ami: &'a AmiId,
    pub(in crate::steps) was: &'a State,
}

#[async_trait]
impl StepEffect for Deprecate<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { ami: id, was: &was } = *self;
        let (_, marks) = require_unchanged(
            steps,
            step,
            id,
            &[was, State::Retiring],
            StageEffect::Deprecate,
        )
        .await?;
        let cloud = steps.cloud_for(step)?;
        let now = current_second(steps);
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
            .change(&step.region)
            .await?
            .tag(
                &step.region,
                &ids,
                &Tags::from([state, (tags::RETIRING.to_owned(), text(None))]),
            )
            .await?;
        let at = now.checked_add(DEPRECATION_DELAY).unwrap_or(now);
        let at =
            Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(60)).unwrap_or(at);
        cloud
            .change(&step.region)
            .await?
            .deprecate(&step.region, id, at)
            .await?;
        cloud
            .change(&step.region)
            .await?
            .tag(
                &step.region,
                &ids,
                &Tags::from([(tags::RETIRING.to_owned(), text(Some(now)))]),
            )
            .await?;
        Ok(StepOutput::Deprecated {
            deprecated: id.clone(),
            from: at,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { ami: id, was: &was } = *self;
        let Some((_, marks)) = find_retiring(steps, step, id).await? else {
            return Ok(());
        };
        if marks.disabled.is_some() || was == State::Retiring {
            return Ok(()); // It was retiring before this run, or has reached a later stage.
        }
        let cloud = steps.cloud_for(step)?;
        cloud
            .change(&step.region)
            .await?
            .cancel_deprecation(&step.region, id)
            .await?;
        let ids = [id.to_string()];
        let state = Tags::from([(tags::STATE.to_owned(), was.as_str().to_owned())]);
        cloud
            .change(&step.region)
            .await?
            .tag(&step.region, &ids, &state)
            .await?;
        Ok(cloud
            .change(&step.region)
            .await?
            .untag(&step.region, &ids, &[tags::RETIRING.to_owned()])
            .await?)
    }
}

/// Returns an AMI of this catalog if it is retiring.
async fn find_retiring(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Option<(Ami, RetirementMarks)>> {
    let Some(ami) = ami::find_listed(steps, step, id).await? else {
        return Ok(None);
    };
    let marks = Record::read(&ami, &steps.catalog.settings)
        .filter(|r| r.state == State::Retiring)
        .map(|r| RetirementMarks::from_record(&r));
    Ok(marks.map(|marks| (ami, marks)))
}

/// Second stage: records the launch permissions, disables the AMI, then tags it. An interrupted run
/// repeats the step.
pub(in crate::steps) struct Disable<'a> {
    pub(in crate::steps) ami: &'a AmiId,
    pub(in crate::steps) shared_ok: &'a bool,
}

#[async_trait]
impl StepEffect for Disable<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            ami: id,
            shared_ok: &shared_ok,
        } = *self;
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
            cloud
                .change(&step.region)
                .await?
                .disable(&step.region, id)
                .await?;
        }
        marks.disabled = Some(current_second(steps));
        let tag_update = Tags::from([(tags::RETIRING.to_owned(), marks.format())]);
        cloud
            .change(&step.region)
            .await?
            .tag(&step.region, &[id.to_string()], &tag_update)
            .await?;
        Ok(StepOutput::Disabled {
            disabled: id.clone(),
            permissions: recorded,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { ami: id, .. } = *self;
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
            .change(&step.region)
            .await?
            .tag(&step.region, &[id.to_string()], &tag_update)
            .await?)
    }
}

/// Last stage: deregistration of an AMI with its snapshots.
pub(in crate::steps) struct Deregister<'a> {
    pub(in crate::steps) ami: &'a AmiId,
    pub(in crate::steps) shared_ok: &'a bool,
}

#[async_trait]
impl StepEffect for Deregister<'_> {
    async fn probe(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<Option<StepOutput>> {
        let Self { ami: id, .. } = *self;
        let found = ami::find_listed(steps, step, id).await?;
        Ok(found.is_none().then(|| StepOutput::DeregisteredBefore {
            deregistered: id.clone(),
            already: true,
        }))
    }

    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            ami: id,
            shared_ok: &shared_ok,
        } = *self;
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
        ami::deregister(steps, step, &ami).await?;
        Ok(StepOutput::Deregistered {
            deregistered: id.clone(),
            snapshots: ami.snapshots,
        })
    }
}

/// Restore of an AMI: enables it, restores its permissions and state, cancels its deprecation.
/// Every part can be repeated. The tags come last, so that the next run completes an interrupted
/// one.
pub(in crate::steps) struct Restore<'a> {
    pub(in crate::steps) ami: &'a AmiId,
}

#[async_trait]
impl StepEffect for Restore<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { ami: id } = *self;
        let Some((ami, marks)) = find_retiring(steps, step, id).await? else {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("{id} in {} is not retiring", step.region),
            ));
        };
        let cloud = steps.cloud_for(step)?;
        let restored = if ami.status == "disabled" || marks.disabled.is_some() {
            permissions::enable(steps, step, id).await?
        } else {
            permissions::RestoredPermissions::default()
        };
        cloud
            .change(&step.region)
            .await?
            .cancel_deprecation(&step.region, id)
            .await?;
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
            refused: restored.refused,
        })
    }
}
