//! Defines the events of a run, for the terminal, the run directory and the notifiers.

use std::time::Duration;

use super::outcome::{Outcome, ScopeEnd};
use crate::model::RunId;
use crate::plan::StepId;

/// Event of a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// Start of the run.
    RunStarted { run: RunId, scopes: usize },
    /// Start of a step.
    StepStarted {
        scope: String,
        step: StepId,
        verb: &'static str,
    },
    /// Progress message of a step.
    Note { scope: String, text: String },
    /// Success of a step.
    StepSucceeded {
        scope: String,
        step: StepId,
        elapsed: Duration,
    },
    /// Failure of a step. Its scope is undone next.
    StepFailed {
        scope: String,
        step: StepId,
        verb: &'static str,
        error: String,
        elapsed: Duration,
    },
    /// Failure to undo a step.
    UndoFailed {
        scope: String,
        step: StepId,
        error: String,
    },
    /// End of a scope.
    ScopeFinished { scope: String, end: ScopeEnd },
    /// End of the run.
    RunFinished { outcome: Outcome },
}

/// Receiver of events. It cannot fail and must not block.
pub trait EventSink: Send + Sync {
    /// Handles an event. Events of one scope arrive in order.
    fn on_event(&self, event: &Event);
}
