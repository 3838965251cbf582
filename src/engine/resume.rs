//! Continues the scopes of an earlier attempt of a run, or undoes them.

use std::collections::BTreeMap;

use super::outcome::ScopeEnd;
use super::recovery::{RunProgress, ScopeProgress, ScopeStage, StepState, steps_of};
use super::scope::{EndedStep, current_outputs, fail_scope, note_function};
use super::{Shared, StepContext};
use crate::error::{Error, ErrorKind};
use crate::plan::{Plan, Scope, Step};

/// What to do with the unfinished scopes of an earlier attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Goal {
    /// Continue them, and start the others.
    #[default]
    Continue,
    /// Undo them, and start no others.
    Undo,
}

/// Earlier attempt of a run, and what to do with it. The default is a run without an earlier attempt.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Progress of the earlier attempt.
    pub progress: RunProgress,
    /// What to do.
    pub goal: Goal,
}

impl Recovery {
    /// Returns whether the earlier attempt has begun a scope.
    pub(super) fn has_begun(&self, scope: &Scope) -> bool {
        !self.progress.of(scope).is_empty()
    }

    /// Returns the scopes that need no work, with their ends.
    pub(super) fn ended_scopes(&self, plan: &Plan) -> BTreeMap<Scope, ScopeEnd> {
        let ended = self.progress.stages(plan).into_iter();
        ended
            .filter_map(|(scope, stage)| Some((scope.clone(), self.end(plan, scope, stage)?)))
            .collect()
    }

    fn end(&self, plan: &Plan, scope: &Scope, stage: ScopeStage) -> Option<ScopeEnd> {
        let progress = self.progress.of(scope);
        let steps = steps_of(plan, scope);
        match stage {
            ScopeStage::Done => {
                let output = |s: &&Step| Some((s.id.clone(), progress.output(&s.id)?.clone()));
                let outputs = steps.iter().filter_map(output).collect();
                Some(ScopeEnd::Done { outputs })
            }
            ScopeStage::Undone => {
                let last = steps.iter().rfind(|s| progress.state(&s.id).is_some())?;
                Some(ScopeEnd::Failed {
                    step: last.id.to_string(),
                    verb: last.action.verb().to_owned(),
                    kind: ErrorKind::StepFailed,
                    error: failure_text(&progress),
                    hints: Vec::new(),
                    undone: true,
                })
            }
            ScopeStage::NotStarted if self.goal == Goal::Undo => Some(ScopeEnd::NotStarted {
                because: "the run was aborted".to_owned(),
            }),
            ScopeStage::NotStarted | ScopeStage::Interrupted | ScopeStage::HalfUndone => None,
        }
    }
}

/// Returns the error of the step that failed in the earlier attempt.
fn failure_text(progress: &ScopeProgress) -> String {
    let error = progress.error().unwrap_or("the run was aborted");
    format!("{error} (in an earlier attempt of this run)")
}

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
