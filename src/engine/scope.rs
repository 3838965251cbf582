//! Runs one scope: its steps in order, and their undo when one fails.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::sync::Semaphore;

use super::context::{
    EndedStep, Shared, StepContext, current_outputs, elapsed_since, emit, lock_mutex,
    note_function, started_at, with_journal,
};
use super::event::Event;
use super::journal::{FinishedStep, StartedStep};
use super::keep::{keep_candidate, keep_for_inspection};
use super::lock::loss::LockLoss;
use super::outcome::ScopeEnd;
use super::output::StepOutput;
use super::resume::{recorded_steps, reset_access, undo_recorded};
use super::undo::{RollbackResult, rollback_steps};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Step;

/// Runs the steps in order. After a failure, undoes the finished steps, newest first.
pub(super) async fn run_scope(shared: &Shared, steps: &[Step], permits: &Semaphore) -> ScopeEnd {
    let Some(scope) = steps.first().map(|step| &step.scope) else {
        return ScopeEnd::Done {
            outputs: BTreeMap::new(),
        };
    };
    let permit = tokio::select! {
        permit = permits.acquire() => Some(permit),
        // A scope that an earlier attempt has begun must be undone.
        () = shared.cancel.cancelled() => {
            if !shared.recovery.has_begun(scope) {
                let because = "skipped: the run was cancelled".to_owned();
                return ScopeEnd::NotStarted { because };
            }
            None
        }
    };
    if let Some(end) = undo_recorded(shared, steps).await {
        return end;
    }
    let mut earlier = shared.recovery.progress.of(scope);
    if let Err((step, error)) = reset_access(shared, steps, &mut earlier).await {
        let left = recorded_steps(&earlier, steps);
        return fail_scope(shared, (step, steps), error, left).await;
    }
    let mut done: Vec<EndedStep<'_>> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if let Some(output) = earlier.output(&step.id) {
            done.push(EndedStep::recorded(step, Some(output.clone())));
            continue;
        }
        let (ended, error) = if shared.cancel.is_cancelled() {
            let error = Error::new(ErrorKind::Interrupted, "cancelled before this step");
            (None, Some(error))
        } else {
            start_step(shared, step).await
        };
        let next = index + usize::from(ended.is_some());
        done.extend(ended);
        if let Some(error) = error {
            // The earlier attempt may have begun this step, and after a reset also later ones.
            done.extend(recorded_steps(&earlier, &steps[next..]));
            return fail_scope(shared, (step, steps), error, done).await;
        }
    }
    drop(permit);
    let outputs = done
        .into_iter()
        .filter_map(|ended| Some((ended.step.id.clone(), ended.output?)))
        .collect();
    ScopeEnd::Done { outputs }
}

/// Records the start of a step and runs it. Returns the step, unless it has not started, and its error.
async fn start_step<'s>(shared: &Shared, step: &'s Step) -> (Option<EndedStep<'s>>, Option<Error>) {
    let data = json!({ "action": step.action, "reason": step.reason });
    let started = with_journal(shared, &data, |recorder, line| {
        let mut times = lock_mutex(&shared.started);
        times.entry(step.id.clone()).or_insert(line.time);
        recorder.start(&step.id, line)
    });
    // A step that is not in the journal has not started and needs no undo.
    let started = match started {
        Ok(started) => started,
        Err(error) => return (None, Some(error)),
    };
    let (record, result) = run_step(shared, step, started).await;
    let (output, error) = match result {
        Ok(output) => (Some(output), None),
        Err(error) => (None, Some(error)),
    };
    let ended = EndedStep {
        step,
        output,
        record,
    };
    (Some(ended), error)
}

async fn run_step(
    shared: &Shared,
    step: &Step,
    record: StartedStep,
) -> (FinishedStep, Result<StepOutput>) {
    let begun = shared.engine.clock.now();
    emit(
        shared,
        Event::StepStarted {
            scope: step.scope.clone(),
            step: step.id.clone(),
            verb: step.action.verb(),
        },
    );
    let note = note_function(shared, step);
    let context = StepContext {
        outputs: current_outputs(shared),
        started: started_at(shared, &step.id),
        cancel: shared.cancel.clone(),
        note: &note,
    };
    let result = match shared.engine.effects.probe(step, &context).await {
        Ok(Some(output)) => Ok(output),
        Ok(None) => shared.engine.effects.perform(step, &context).await,
        Err(error) => Err(error),
    };
    let elapsed = elapsed_since(shared, begun);
    match result {
        Ok(output) => {
            let (record, written) = with_journal(shared, &output.to_json(), |recorder, line| {
                record.succeed(recorder, line)
            });
            if let Err(error) = written {
                return (record, Err(error));
            }
            lock_mutex(&shared.outputs).insert(step.id.clone(), output.clone());
            emit(
                shared,
                Event::StepSucceeded {
                    scope: step.scope.clone(),
                    step: step.id.clone(),
                    elapsed,
                },
            );
            (record, Ok(output))
        }
        Err(error) => {
            let data = json!({ "error": error.one_line() });
            // The step's own error is more useful than an error of the journal.
            let (record, _written) =
                with_journal(shared, &data, |recorder, line| record.fail(recorder, line));
            let (scope, text) = (step.scope.clone(), error.one_line());
            emit(
                shared,
                Event::StepFailed {
                    scope,
                    step: step.id.clone(),
                    verb: step.action.verb(),
                    error: text,
                    elapsed,
                },
            );
            (record, Err(error))
        }
    }
}

/// Undoes the steps of a failed scope and returns its end. `steps` are all steps of the scope.
///
/// Nothing is undone without the lock, because another run may be changing the same resources.
pub(super) async fn fail_scope(
    shared: &Shared,
    (failed, steps): (&Step, &[Step]),
    error: Error,
    done: Vec<EndedStep<'_>>,
) -> ScopeEnd {
    let kept = keep_candidate(shared, (failed, steps), &error, &done).await;
    if kept.is_none()
        && let Some(end) = keep_for_inspection(shared, failed, &error).await
    {
        return end;
    }
    let has_undo = done.iter().all(|ended| ended.step.action.has_undo());
    let keeps_candidate = kept.is_some();
    let result = rollback_steps(shared, done, keeps_candidate).await;
    let RollbackResult {
        mut stuck,
        left,
        moved,
    } = result;
    let lost = shared.engine.effects.lock_loss();
    let cancelled = error.kind == ErrorKind::Interrupted;
    let mut hints: Vec<String> = error.hints().into_iter().map(str::to_owned).collect();
    if !stuck.is_empty() {
        stuck.extend(kept.clone());
    }
    hints.extend(kept);
    let (step, verb, kind) = (
        failed.id.to_string(),
        failed.action.verb().to_owned(),
        error.kind,
    );
    let error = with_lock_loss(error.one_line(), lost.as_ref(), cancelled);
    let fenced = !left.is_empty();
    if fenced {
        hints.push(format!(
            "not undone, because another run may be changing the same resources: {}",
            left.join(", ")
        ));
        hints.push(
            "the remaining resources have the tags bakeline:run and bakeline:expires; \
             remove them with `bakeline sweep`"
                .to_owned(),
        );
    }
    if !stuck.is_empty() {
        return ScopeEnd::Stuck {
            step,
            verb,
            error,
            left: stuck.into_iter().chain(left).collect(),
            moved,
        };
    }
    let refused = lost.is_some() && (cancelled || kind == ErrorKind::Refused || fenced);
    if cancelled && !refused {
        // The candidate that a cancelled scope keeps is as it was before the run.
        return ScopeEnd::Cancelled {
            step,
            undone: has_undo,
        };
    }
    ScopeEnd::Failed {
        step,
        verb,
        kind: if refused { ErrorKind::Refused } else { kind },
        error,
        hints,
        undone: has_undo && !keeps_candidate && !fenced,
        moved,
    }
}

/// Adds the reason why the lock was lost to an error, or replaces the error of a cancelled step.
fn with_lock_loss(error: String, lost: Option<&LockLoss>, cancelled: bool) -> String {
    match lost.map(ToString::to_string) {
        Some(why) if !error.contains(&why) && cancelled => why,
        Some(why) if !error.contains(&why) => format!("{error}; {why}"),
        _ => error,
    }
}
