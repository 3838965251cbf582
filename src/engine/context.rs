//! Defines what a run needs from outside, and the state that its tasks share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::event::{Event, EventSink};
use super::journal::{FinishedStep, NewLine, Recorder};
use super::lock::loss::LockLoss;
use super::output::{Outputs, StepOutput};
use super::recovery::Recovery;
use crate::error::Result;
use crate::model::{AmiId, Timestamp};
use crate::plan::{Scope, Step, StepId};
use crate::ports::{Clock, Journal};

/// Inputs of a running step.
pub struct StepContext<'e> {
    /// Outputs of the earlier steps.
    pub outputs: Outputs,
    /// Time at which the step first started, from the journal. A resumed run has the same time.
    pub started: Timestamp,
    /// Token that ends the step early. The step then cleans up what it can and fails.
    pub cancel: CancellationToken,
    /// Function that reports progress within the step.
    pub note: &'e (dyn Fn(&str) + Send + Sync),
}

/// Effects of the steps. Every method is idempotent.
#[async_trait]
pub trait Effects: Send + Sync {
    /// Returns the output if the effect of the step exists already.
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<StepOutput>>;
    /// Performs the effect.
    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<StepOutput>;
    /// Keeps the resources of a failed scope for inspection. Returns one line about each resource,
    /// with the command to log in.
    async fn keep_for_inspection(&self, scope: &Scope) -> Result<Vec<String>>;
    /// Keeps a candidate for the next run, because its checks did not run. Returns one line about the
    /// candidate.
    async fn keep_candidate(&self, failed: &Step, ami: &AmiId) -> Result<String>;
    /// Undoes the effect. `output` is absent if the step failed, so the effect may be partial.
    async fn undo(
        &self,
        step: &Step,
        output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()>;
    /// Returns the reason why the run lost its lock, if it did. No change is allowed after that,
    /// not even an undo.
    fn lock_loss(&self) -> Option<LockLoss> {
        None
    }
    /// Waits until the lock is lost.
    async fn wait_for_lock_loss(&self) {
        std::future::pending().await
    }
}

/// Runner of plans, with everything that it needs from outside.
#[derive(Clone)]
pub struct Engine {
    /// Effects of the steps.
    pub effects: Arc<dyn Effects>,
    /// Journal of the run.
    pub journal: Arc<dyn Journal>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Receiver of the events.
    pub events: Arc<dyn EventSink>,
}

/// State that the tasks of one run share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) recorder: Mutex<Recorder>,
    pub(super) outputs: Mutex<Outputs>,
    /// Times at which the steps first started.
    pub(super) started: Mutex<BTreeMap<StepId, Timestamp>>,
    pub(super) cancel: CancellationToken,
    pub(super) keep_failed: bool,
    pub(super) undo_patience: Duration,
    pub(super) recovery: Recovery,
}

/// Rounds a duration to milliseconds.
fn round_to_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
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

/// Returns the time at which a step first started.
pub(super) fn started_at(shared: &Shared, step: &StepId) -> Timestamp {
    let known = lock_mutex(&shared.started).get(step).copied();
    known.unwrap_or_else(|| shared.engine.clock.now())
}

pub(super) fn elapsed_since(shared: &Shared, started: crate::model::Timestamp) -> Duration {
    round_to_millis(Duration::try_from(shared.engine.clock.now() - started).unwrap_or_default())
}

pub(super) fn lock_mutex<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
