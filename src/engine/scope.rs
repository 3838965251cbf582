//! Owns one scope of a run: its steps in order, and the way back when one fails.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::journal::Phase;
use super::outcome::ScopeEnd;
use super::{Shared, StepContext, rounded};
use crate::error::{Error, Kind, Result};
use crate::plan::{Action, Step};

/// Runs the steps; on failure undoes, newest first, what was done.
pub(super) async fn run(shared: &Shared, steps: &[Step], permits: &Semaphore) -> ScopeEnd {
    let permit = tokio::select! {
        permit = permits.acquire() => permit,
        () = shared.cancel.cancelled() => return ScopeEnd::NotStarted { because: "the line was stopped".to_owned() },
    };
    let mut done: Vec<(&Step, Option<Value>)> = Vec::new();
    for step in steps {
        if shared.cancel.is_cancelled() {
            let error = Error::new(Kind::Interrupted, "cancelled before this step");
            return unwind(shared, step, error, done).await;
        }
        // What is not in the journal is not begun, and so needs no way back.
        if let Err(error) = record(
            shared,
            step,
            Phase::Started,
            &json!({ "action": step.action, "reason": step.reason }),
        ) {
            return unwind(shared, step, error, done).await;
        }
        match forward(shared, step).await {
            Ok(output) => done.push((step, Some(output))),
            Err(error) => {
                done.push((step, None));
                return unwind(shared, step, error, done).await;
            }
        }
    }
    drop(permit);
    let outputs = done
        .into_iter()
        .filter_map(|(step, output)| Some((step.id.to_string(), output?)))
        .collect();
    ScopeEnd::Done { outputs }
}

async fn forward(shared: &Shared, step: &Step) -> Result<Value> {
    let begun = shared.engine.clock.now();
    hear(
        shared,
        Event::StepStarted {
            scope: step.scope.clone(),
            step: step.id.clone(),
            verb: step.action.verb(),
        },
    );
    let note = notes(shared, step);
    let context = StepContext {
        outputs: outputs(shared),
        cancel: shared.cancel.clone(),
        note: &note,
    };
    let result = match shared.engine.effects.probe(step, &context).await {
        Ok(Some(output)) => Ok(output),
        Ok(None) => shared.engine.effects.perform(step, &context).await,
        Err(error) => Err(error),
    };
    let elapsed = since(shared, begun);
    match result {
        Ok(output) => {
            record(shared, step, Phase::Succeeded, &output)?;
            lock(&shared.outputs).insert(step.id.clone(), output.clone());
            hear(
                shared,
                Event::StepSucceeded {
                    scope: step.scope.clone(),
                    step: step.id.clone(),
                    elapsed,
                },
            );
            Ok(output)
        }
        Err(error) => {
            // The step's own error says more than a journal that can't be written.
            let _journalled = record(
                shared,
                step,
                Phase::Failed,
                &json!({ "error": error.one_line() }),
            );
            let (scope, text) = (step.scope.clone(), error.one_line());
            hear(
                shared,
                Event::StepFailed {
                    scope,
                    step: step.id.clone(),
                    verb: step.action.verb(),
                    error: text,
                    elapsed,
                },
            );
            Err(error)
        }
    }
}

/// Undoes what was done, newest first; goes on when one undo fails, because the others may still work. Without the lock
/// nothing is undone: another run may be at work on the same things.
async fn unwind(
    shared: &Shared,
    failed: &Step,
    error: Error,
    done: Vec<(&Step, Option<Value>)>,
) -> ScopeEnd {
    if let Some(end) = keep(shared, failed, &error).await {
        return end;
    }
    let (stuck, left) = take_back(shared, &done).await;
    let lost = shared.engine.effects.lost();
    let cancelled = error.kind == Kind::Interrupted;
    let mut hints: Vec<String> = error.hints().into_iter().map(str::to_owned).collect();
    let (step, verb, kind) = (
        failed.id.to_string(),
        failed.action.verb().to_owned(),
        error.kind,
    );
    let mut error = error.one_line();
    if let Some(why) = &lost
        && !error.contains(why.as_str())
    {
        error = if cancelled {
            why.clone()
        } else {
            format!("{error}; {why}")
        };
    }
    let fenced = !left.is_empty();
    if fenced {
        hints.push(format!(
            "not taken back, because another run may be at work: {}",
            left.join(", ")
        ));
        hints.push(
            "what is left carries bakeline:run and bakeline:expires; `bakeline sweep` finds it"
                .to_owned(),
        );
    }
    if !stuck.is_empty() {
        return ScopeEnd::Stuck {
            step,
            verb,
            error,
            left: stuck.into_iter().chain(left).collect(),
        };
    }
    if lost.is_some() && (cancelled || kind == Kind::Refused || fenced) {
        return ScopeEnd::Failed {
            step,
            verb,
            kind: Kind::Refused,
            error,
            hints,
        };
    }
    if cancelled {
        return ScopeEnd::Cancelled { step };
    }
    ScopeEnd::Failed {
        step,
        verb,
        kind,
        error,
        hints,
    }
}

/// Whether a step is of those that leave something to look at: a build, a boot, or a check. What fails later has begun to be
/// found, and half of that is left to nobody.
fn looked_at(action: &Action) -> bool {
    matches!(
        action,
        Action::Build { .. }
            | Action::Boot { .. }
            | Action::CheckBoot { .. }
            | Action::Recheck { .. }
    )
}

/// Leaves what failed for a person to look at, where that was asked for and there is something.
async fn keep(shared: &Shared, failed: &Step, error: &Error) -> Option<ScopeEnd> {
    let wanted = shared.keep_failed && matches!(error.kind, Kind::ChecksFailed | Kind::StepFailed);
    if !wanted || !looked_at(&failed.action) || shared.cancel.is_cancelled() {
        return None;
    }
    let kept = shared.engine.effects.keep(&failed.scope).await;
    let words = kept.unwrap_or_else(|e| {
        vec![format!(
            "what is left could not be listed: {}",
            e.one_line()
        )]
    });
    if words.is_empty() {
        return None;
    }
    let hints = error
        .hints()
        .into_iter()
        .map(str::to_owned)
        .chain(words)
        .collect();
    let (step, verb) = (failed.id.to_string(), failed.action.verb().to_owned());
    Some(ScopeEnd::Failed {
        step,
        verb,
        kind: error.kind,
        error: error.one_line(),
        hints,
    })
}

/// Undoes every step; what could not be undone, and what was left for want of the lock.
async fn take_back(shared: &Shared, done: &[(&Step, Option<Value>)]) -> (Vec<String>, Vec<String>) {
    let (mut stuck, mut left) = (Vec::new(), Vec::new());
    let mut moved: Option<&Step> = None;
    for (step, output) in done.iter().rev() {
        let lost = || shared.engine.effects.lost().is_some();
        if lost() {
            left.push(step.id.to_string());
            continue;
        }
        if let Some(moved) =
            moved.filter(|_| matches!(step.action, Action::Build { .. } | Action::Copy { .. }))
        {
            // What may still be current must not go.
            stuck.push(format!(
                "{}: left as it is, because {} could not be taken back",
                step.id, moved.id
            ));
            continue;
        }
        match undo(shared, step, output.as_ref()).await {
            Ok(()) => {}
            Err(_) if lost() => left.push(step.id.to_string()),
            Err(e) => {
                moved =
                    moved.or(matches!(step.action, Action::MoveCurrent { .. }).then_some(*step));
                let error = e.one_line();
                hear(
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
    (stuck, left)
}

async fn undo(shared: &Shared, step: &Step, output: Option<&Value>) -> Result<()> {
    let note = notes(shared, step);
    // The way back is not cancelled: a half-undone inventory is what nobody wants.
    let context = StepContext {
        outputs: outputs(shared),
        cancel: CancellationToken::new(),
        note: &note,
    };
    let journalled = record(shared, step, Phase::UndoStarted, &json!({}));
    let undone = shared.engine.effects.undo(step, output, &context).await;
    let (phase, text) = match &undone {
        Ok(()) => (Phase::Undone, json!({})),
        Err(e) => (Phase::UndoFailed, json!({ "error": e.one_line() })),
    };
    // What was taken back is clean, whether the journal could hold it or not.
    let _journalled = journalled.and_then(|()| record(shared, step, phase, &text));
    undone
}

fn record(shared: &Shared, step: &Step, phase: Phase, data: &Value) -> Result<()> {
    // The lock is held until the line is written: lines of scopes side by side must not overtake each other.
    let mut recorder = lock(&shared.recorder);
    recorder.record((shared.engine.clock.now(), &step.id, phase), data, |line| {
        shared.engine.journal.append(line)
    })
}

fn hear(shared: &Shared, event: Event) {
    shared.engine.listener.hear(&event);
}

fn notes<'s>(shared: &'s Shared, step: &'s Step) -> impl Fn(&str) + Send + Sync + 's {
    move |text| {
        hear(
            shared,
            Event::Note {
                scope: step.scope.clone(),
                text: text.to_owned(),
            },
        )
    }
}

fn outputs(shared: &Shared) -> super::Outputs {
    lock(&shared.outputs).clone()
}

fn since(shared: &Shared, begun: crate::model::Timestamp) -> Duration {
    rounded(Duration::try_from(shared.engine.clock.now() - begun).unwrap_or_default())
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
