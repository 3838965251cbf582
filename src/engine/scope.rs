//! Runs one scope: its steps in order, and their undo when one fails.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::context::{Shared, StepContext, round_to_millis};
use super::event::Event;
use super::journal::{FinishedStep, NewLine, Recorder, StartedStep};
use super::lock::loss::LockLoss;
use super::outcome::ScopeEnd;
use super::output::{Outputs, StepOutput};
use super::resume::{recorded_steps, reset_access, undo_recorded};
use super::undo::{RollbackResult, rollback_steps};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Action, Step};

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
        return fail_scope(shared, step, error, left, false).await;
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
            let is_release = steps
                .iter()
                .any(|step| matches!(step.action, Action::MoveCurrent { .. }));
            return fail_scope(shared, step, error, done, is_release).await;
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

/// Step that succeeded or failed. A failed step has no output.
pub(super) struct EndedStep<'s> {
    pub(super) step: &'s Step,
    pub(super) output: Option<StepOutput>,
    pub(super) record: FinishedStep,
}

impl<'s> EndedStep<'s> {
    /// Returns a step that ended in an earlier attempt.
    pub(super) fn recorded(step: &'s Step, output: Option<StepOutput>) -> Self {
        let record = FinishedStep::ended_before(step.id.clone());
        Self {
            step,
            output,
            record,
        }
    }
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

/// Undoes the steps of a failed scope and returns its end.
///
/// Nothing is undone without the lock, because another run may be changing the same resources.
pub(super) async fn fail_scope(
    shared: &Shared,
    failed: &Step,
    error: Error,
    done: Vec<EndedStep<'_>>,
    is_release: bool,
) -> ScopeEnd {
    let kept = keep_candidate(shared, failed, &error, &done, is_release).await;
    if kept.is_none()
        && let Some(end) = keep_for_inspection(shared, failed, &error).await
    {
        return end;
    }
    let has_undo = kept.is_none() && done.iter().all(|ended| ended.step.action.has_undo());
    let result = rollback_steps(shared, done, kept.is_some()).await;
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
    if lost.is_some() && (cancelled || kind == ErrorKind::Refused || fenced) {
        return ScopeEnd::Failed {
            step,
            verb,
            kind: ErrorKind::Refused,
            error,
            hints,
            undone: has_undo && !fenced,
            moved,
        };
    }
    if cancelled {
        let undone = has_undo;
        return ScopeEnd::Cancelled { step, undone };
    }
    ScopeEnd::Failed {
        step,
        verb,
        kind,
        error,
        hints,
        undone: has_undo,
        moved: false,
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

/// Returns whether a failed step leaves something to inspect: a build, a boot, or a check. A later
/// failure may leave a partly published AMI, which is never kept.
fn is_inspectable(action: &Action) -> bool {
    matches!(
        action,
        Action::Build { .. }
            | Action::Boot { .. }
            | Action::CheckBoot { .. }
            | Action::Recheck { .. }
    )
}

/// Keeps the candidate of a release if EC2 has no capacity to boot it. Returns one line about it.
async fn keep_candidate(
    shared: &Shared,
    failed: &Step,
    error: &Error,
    done: &[EndedStep<'_>],
    is_release: bool,
) -> Option<String> {
    let is_boot = matches!(failed.action, Action::Boot { .. });
    if !is_release || !is_boot || !error.is_for_capacity() {
        return None;
    }
    let ami = done.iter().find_map(|ended| match &ended.output {
        Some(StepOutput::Candidate { ami, .. }) => Some(ami),
        _ => None,
    })?;
    let kept = shared.engine.effects.keep_candidate(failed, ami).await;
    match kept {
        Ok(line) => Some(line),
        Err(error) => {
            let text = format!("the candidate {ami} cannot be kept: {}", error.one_line());
            note_function(shared, failed)(&format!("warning: {text}"));
            None
        }
    }
}

/// Keeps the resources of a failed scope if `--keep-failed` is set and there are any.
async fn keep_for_inspection(shared: &Shared, failed: &Step, error: &Error) -> Option<ScopeEnd> {
    let wanted =
        shared.keep_failed && matches!(error.kind, ErrorKind::ChecksFailed | ErrorKind::StepFailed);
    if !wanted || !is_inspectable(&failed.action) || shared.cancel.is_cancelled() {
        return None;
    }
    let kept = shared
        .engine
        .effects
        .keep_for_inspection(&failed.scope)
        .await;
    let lines = kept.unwrap_or_else(|e| {
        vec![format!(
            "the remaining resources could not be listed: {}",
            e.one_line()
        )]
    });
    if lines.is_empty() {
        return None;
    }
    let hints = error
        .hints()
        .into_iter()
        .map(str::to_owned)
        .chain(lines)
        .collect();
    let (step, verb) = (failed.id.to_string(), failed.action.verb().to_owned());
    Some(ScopeEnd::Failed {
        step,
        verb,
        kind: error.kind,
        error: error.one_line(),
        hints,
        undone: false,
        moved: false,
    })
}

/// Calls `record` with the recorder and the next line. The mutex is held until the line is written,
/// so that lines of parallel scopes stay in order.
pub(super) fn with_journal<T>(
    shared: &Shared,
    data: &Value,
    record: impl FnOnce(&mut Recorder, NewLine<'_>) -> T,
) -> T {
    let mut recorder = lock_mutex(&shared.recorder);
    let line = NewLine {
        time: shared.engine.clock.now(),
        data,
        journal: &*shared.engine.journal,
    };
    record(&mut recorder, line)
}

pub(super) fn emit(shared: &Shared, event: Event) {
    shared.engine.events.on_event(&event);
}

pub(super) fn note_function<'s>(
    shared: &'s Shared,
    step: &'s Step,
) -> impl Fn(&str) + Send + Sync + 's {
    move |text| {
        emit(
            shared,
            Event::Note {
                scope: step.scope.clone(),
                text: text.to_owned(),
            },
        )
    }
}

pub(super) fn current_outputs(shared: &Shared) -> Outputs {
    lock_mutex(&shared.outputs).clone()
}

pub(super) fn elapsed_since(shared: &Shared, started: crate::model::Timestamp) -> Duration {
    round_to_millis(Duration::try_from(shared.engine.clock.now() - started).unwrap_or_default())
}

fn lock_mutex<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
