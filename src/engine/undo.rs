//! Undoes the steps of a failed scope.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::context::{
    EndedStep, Engine, Shared, StepContext, current_outputs, elapsed_since, emit, note_function,
    started_at, with_journal,
};
use super::event::Event;
use super::output::StepOutput;
use crate::error::Result;
use crate::plan::{Action, Step};

/// Steps that were not undone.
pub(super) struct RollbackResult {
    /// Steps whose undo failed.
    pub(super) stuck: Vec<String>,
    /// Steps left because the lock was lost.
    pub(super) left: Vec<String>,
    /// True if a move was not undone.
    pub(super) moved: bool,
}

/// Undoes every step, newest first, and continues after a failed undo. A kept candidate stays.
pub(super) async fn rollback_steps(
    shared: &Shared,
    done: Vec<EndedStep<'_>>,
    keeps_candidate: bool,
) -> RollbackResult {
    let (mut stuck, mut left) = (Vec::new(), Vec::new());
    let mut moved: Option<&Step> = None;
    let mut patience = shared.undo_patience;
    for ended in done.into_iter().rev() {
        let step = ended.step;
        if keeps_candidate && makes_candidate(&step.action) {
            continue;
        }
        let is_move = matches!(step.action, Action::MoveCurrent { .. });
        let lost = || shared.engine.effects.lock_loss().is_some();
        if lost() {
            moved = moved.or(is_move.then_some(step));
            left.push(step.id.to_string());
            continue;
        }
        if let Some(moved) = moved.filter(|_| serves_current(&step.action)) {
            // An AMI that may still be current must not be deregistered, and its users must be able to
            // launch it.
            stuck.push(format!(
                "{}: not removed, because {} could not be undone",
                step.id, moved.id
            ));
            continue;
        }
        match undo_step(shared, ended, &mut patience).await {
            Ok(()) => {}
            Err(_) if lost() => {
                moved = moved.or(is_move.then_some(step));
                left.push(step.id.to_string());
            }
            Err(e) => {
                moved = moved.or(is_move.then_some(step));
                let error = e.one_line();
                emit(
                    shared,
                    Event::UndoFailed {
                        scope: step.scope.clone(),
                        step: step.id.clone(),
                        error,
                    },
                );
                let hints: String = e.hints().iter().map(|h| format!("; {h}")).collect();
                stuck.push(format!("{}: {}{hints}", step.id, e.one_line()));
            }
        }
    }
    RollbackResult {
        stuck,
        left,
        moved: moved.is_some(),
    }
}

/// Returns whether the undo of a step takes away what users of a current AMI need.
fn serves_current(action: &Action) -> bool {
    makes_candidate(action) || matches!(action, Action::Copy { .. } | Action::AllowLaunch { .. })
}

/// Returns whether the undo of a step deregisters the candidate. The undo of the boot terminates the
/// instances.
fn makes_candidate(action: &Action) -> bool {
    matches!(action, Action::Build { .. } | Action::AdoptCandidate { .. })
}

async fn undo_step(shared: &Shared, ended: EndedStep<'_>, patience: &mut Duration) -> Result<()> {
    let EndedStep {
        step,
        output,
        record,
    } = ended;
    let undoing = with_journal(shared, &json!({}), |recorder, line| {
        record.start_undo(recorder, line)
    });
    let undone = repeat_undo(shared, step, output.as_ref(), patience).await;
    // The effect is undone even if the journal cannot record it.
    if let Ok(undoing) = undoing {
        let _written = match &undone {
            Ok(()) => with_journal(shared, &json!({}), |recorder, line| {
                undoing.succeed(recorder, line)
            }),
            Err(e) => {
                let data = json!({ "error": e.one_line() });
                with_journal(shared, &data, |recorder, line| undoing.fail(recorder, line))
            }
        };
    }
    undone
}

/// Undoes a step. Repeats it after transient errors while `patience` lasts: an undo is the last chance
/// to remove what a run has created.
pub(super) async fn repeat_undo(
    shared: &Shared,
    step: &Step,
    output: Option<&StepOutput>,
    patience: &mut Duration,
) -> Result<()> {
    let note = note_function(shared, step);
    // An undo is never cancelled: it would leave a partly undone scope.
    let context = StepContext {
        outputs: current_outputs(shared),
        started: started_at(shared, &step.id),
        cancel: CancellationToken::new(),
        note: &note,
    };
    let Engine { effects, clock, .. } = &shared.engine;
    let mut pause = Duration::from_secs(1);
    loop {
        let begun = clock.now();
        let error = match effects.undo(step, output, &context).await {
            Err(error) if error.is_transient() && effects.lock_loss().is_none() => error,
            other => return other,
        };
        if patience.is_zero() {
            return Err(error);
        }
        tracing::warn!(
            "cannot undo {} yet, trying again for up to {} s: {}",
            step.id,
            patience.as_secs(),
            error.one_line()
        );
        clock.sleep(pause.min(*patience)).await;
        *patience = patience.saturating_sub(elapsed_since(shared, begun));
        pause = (pause * 2).min(Duration::from_secs(15));
    }
}
