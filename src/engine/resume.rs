//! Continues the scopes of an earlier attempt of a run, or undoes them.

use super::context::{Shared, StepContext};
use super::outcome::ScopeEnd;
use super::recovery::{Goal, ScopeProgress, ScopeStage, StepState, failure_text};
use super::scope::{EndedStep, current_outputs, fail_scope, note_function};
use crate::error::{Error, ErrorKind};
use crate::plan::Step;

/// Returns the steps that the earlier attempt began and did not undo.
pub(super) fn recorded_steps<'s>(shared: &Shared, steps: &'s [Step]) -> Vec<EndedStep<'s>> {
    let Some(scope) = steps.first().map(|s| &s.scope) else {
        return Vec::new();
    };
    let progress = shared.recovery.progress.of(scope);
    let left = |step: &'s Step| match progress.state(&step.id)? {
        StepState::Undone => None,
        _ => Some(EndedStep::recorded(
            step,
            progress.output(&step.id).cloned(),
        )),
    };
    steps.iter().filter_map(left).collect()
}

/// Undoes a scope whose undo has begun, or any begun scope if the run is aborted. Returns `None` if
/// the scope must continue or start.
pub(super) async fn undo_recorded(shared: &Shared, steps: &[Step]) -> Option<ScopeEnd> {
    let progress = shared.recovery.progress.of(&steps.first()?.scope);
    let all: Vec<&Step> = steps.iter().collect();
    let error = match progress.stage(&all) {
        ScopeStage::HalfUndone => Error::new(ErrorKind::StepFailed, failure_text(&progress)),
        ScopeStage::Interrupted if shared.recovery.goal == Goal::Undo => {
            Error::new(ErrorKind::Interrupted, "the run was aborted")
        }
        _ => return None,
    };
    let failed = |step: &&Step| matches!(progress.state(&step.id), Some(StepState::Failed(_)));
    let last = |step: &&Step| progress.state(&step.id).is_some();
    let step = steps.iter().find(failed).or(steps.iter().rfind(last))?;
    Some(fail_scope(shared, step, error, recorded_steps(shared, steps), false).await)
}

/// Removes the key pair, the security group and the instances of an earlier attempt, newest first, if a
/// step that has not ended needs an instance: the private key exists only on the machine of that
/// attempt. Returns the progress of the scope without the removed resources.
pub(super) async fn reset_access<'s>(
    shared: &Shared,
    steps: &'s [Step],
) -> Result<ScopeProgress, (&'s Step, Error)> {
    let Some(first) = steps.first() else {
        return Ok(ScopeProgress::default());
    };
    let mut progress = shared.recovery.progress.of(&first.scope);
    let needs_instance =
        |step: &Step| progress.output(&step.id).is_none() && step.action.uses_instance();
    if progress.is_empty() || !steps.iter().any(needs_instance) {
        return Ok(progress);
    }
    for step in steps.iter().rev() {
        let removed = match progress.state(&step.id) {
            None => false,
            Some(StepState::Begun) => step.action.uses_instance() || step.action.creates_access(),
            Some(_) => step.action.creates_access(),
        };
        if !removed {
            continue;
        }
        let note = note_function(shared, step);
        let context = StepContext {
            outputs: current_outputs(shared),
            cancel: shared.cancel.clone(),
            note: &note,
        };
        let (effects, output) = (&shared.engine.effects, progress.output(&step.id));
        if let Err(error) = effects.undo(step, output, &context).await {
            return Err((step, error));
        }
        progress.reset(&step.id);
    }
    Ok(progress)
}
