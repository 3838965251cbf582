//! Continues the scopes of an earlier attempt of a run, or undoes them.

use super::context::{EndedStep, Shared};
use super::outcome::ScopeEnd;
use super::recovery::{Goal, ScopeProgress, ScopeStage, StepState, failure_text};
use super::scope::fail_scope;
use super::undo::repeat_undo;
use crate::error::{Error, ErrorKind};
use crate::plan::{Action, Step};

/// Returns those steps that the earlier attempt began and did not undo.
pub(super) fn recorded_steps<'s>(
    progress: &ScopeProgress,
    steps: &'s [Step],
) -> Vec<EndedStep<'s>> {
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
    let error = match progress.stage(steps.len()) {
        ScopeStage::HalfUndone => Error::new(ErrorKind::StepFailed, failure_text(&progress)),
        ScopeStage::Interrupted if shared.recovery.goal == Goal::Undo => {
            Error::new(ErrorKind::Interrupted, "the run was aborted")
        }
        _ => return None,
    };
    let failed = |step: &&Step| matches!(progress.state(&step.id), Some(StepState::Failed));
    let last = |step: &&Step| progress.state(&step.id).is_some();
    let step = steps.iter().find(failed).or(steps.iter().rfind(last))?;
    let left = recorded_steps(&progress, steps);
    Some(fail_scope(shared, (step, steps), error, left).await)
}

/// Removes the key pair, the security group and the instances of an earlier attempt, newest first, if a
/// step that has not ended needs an instance: the private key exists only on the machine of that
/// attempt. Removes these steps from the progress of the scope.
///
/// # Errors
/// The step whose resource could not be removed, and the reason.
pub(super) async fn reset_access<'s>(
    shared: &Shared,
    steps: &'s [Step],
    progress: &mut ScopeProgress,
) -> Result<(), (&'s Step, Error)> {
    let needs_instance =
        |step: &Step| progress.output(&step.id).is_none() && step.action.uses_instance();
    if progress.is_empty() || !steps.iter().any(needs_instance) {
        return Ok(());
    }
    let mut patience = shared.undo_patience;
    for step in steps.iter().rev() {
        let removed = match progress.state(&step.id) {
            // The store may lack the last lines of the journal, so that an instance may run.
            None => matches!(step.action, Action::Boot { .. }),
            Some(StepState::Begun) => step.action.uses_instance() || step.action.creates_access(),
            Some(_) => step.action.creates_access(),
        };
        if !removed {
            continue;
        }
        let output = progress.output(&step.id);
        if let Err(error) = repeat_undo(shared, step, output, &mut patience).await {
            return Err((step, error));
        }
        progress.reset(&step.id);
    }
    Ok(())
}
