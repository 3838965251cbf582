//! Defines the events of a run, for the terminal, the run directory and the notifiers.

use std::time::Duration;

use super::outcome::{Outcome, ScopeEnd};
use crate::model::RunId;
use crate::plan::{Scope, StepId};

/// Event of a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// Start of the run.
    RunStarted { run: RunId, scopes: usize },
    /// Start of a step.
    StepStarted {
        scope: Scope,
        step: StepId,
        verb: &'static str,
    },
    /// Progress message of a step.
    Note { scope: Scope, text: String },
    /// Success of a step.
    StepSucceeded {
        scope: Scope,
        step: StepId,
        elapsed: Duration,
    },
    /// Failure of a step. Its scope is undone next.
    StepFailed {
        scope: Scope,
        step: StepId,
        verb: &'static str,
        error: String,
        elapsed: Duration,
    },
    /// Failure to undo a step.
    UndoFailed {
        scope: Scope,
        step: StepId,
        error: String,
    },
    /// End of a scope.
    ScopeFinished { scope: Scope, end: ScopeEnd },
    /// End of the run.
    RunFinished { outcome: Outcome },
}

/// Receiver of events. It cannot fail and must not block.
pub trait EventSink: Send + Sync {
    /// Handles an event. Events of one scope arrive in order.
    fn on_event(&self, event: &Event);
}
