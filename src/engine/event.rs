//! Owns what a run says while it runs: the one contract with terminal, run directory and notifiers.

use std::time::Duration;

use super::outcome::{Outcome, ScopeEnd};
use crate::model::RunId;
use crate::plan::StepId;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The run begins.
    RunStarted { run: RunId, scopes: usize },
    /// A step begins.
    StepStarted {
        scope: String,
        step: StepId,
        verb: &'static str,
    },
    /// Something worth saying within a step.
    Note { scope: String, text: String },
    /// A step is done.
    StepSucceeded {
        scope: String,
        step: StepId,
        elapsed: Duration,
    },
    /// A step failed; its scope is undone next.
    StepFailed {
        scope: String,
        step: StepId,
        verb: &'static str,
        error: String,
        elapsed: Duration,
    },
    /// Something could not be taken back.
    UndoFailed {
        scope: String,
        step: StepId,
        error: String,
    },
    /// A scope came to its end.
    ScopeFinished { scope: String, end: ScopeEnd },
    /// The run came to its end.
    RunFinished { outcome: Outcome },
}

/// Hears events. It can't fail and must not block.
pub trait Listener: Send + Sync {
    /// Called for each event, in order within a scope.
    fn hear(&self, event: &Event);
}
