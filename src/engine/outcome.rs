//! Defines the outcome of a run, scope by scope, and the exit code that follows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::output::StepOutput;
use crate::error::ErrorKind;
use crate::model::{RunId, Timestamp};
use crate::plan::{Scope, StepId};

/// End of a scope.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeEnd {
    /// Every step succeeded.
    Done {
        /// Outputs by step.
        outputs: BTreeMap<StepId, StepOutput>,
    },
    /// A step failed. Everything that has an undo was undone.
    Failed {
        /// Failed step.
        step: String,
        /// Description of the failed step.
        verb: String,
        /// Kind of the failure.
        #[serde(skip)]
        kind: ErrorKind,
        /// Error message.
        error: String,
        /// Next actions.
        hints: Vec<String>,
        /// True if the scope is as it was before.
        #[serde(skip)]
        undone: bool,
        /// True if a move was not undone, because the lock was lost.
        #[serde(skip)]
        moved: bool,
    },
    /// The scope was cancelled because another one failed or the user interrupted the run.
    /// Everything that has an undo was undone.
    Cancelled {
        /// Step that was running.
        step: String,
        /// True if the scope is as it was before.
        #[serde(skip)]
        undone: bool,
    },
    /// The scope did not start.
    NotStarted {
        /// Reason.
        because: String,
    },
    /// A step failed and at least one undo failed.
    Stuck {
        /// Failed step.
        step: String,
        /// Description of the failed step.
        verb: String,
        /// Error message.
        error: String,
        /// Resources that remain, and why.
        left: Vec<String>,
        /// True if the scope may have moved `current`.
        #[serde(skip)]
        moved: bool,
    },
}

impl ScopeEnd {
    /// Returns whether every step succeeded.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    /// Returns whether the scope failed. A failure may cancel the other scopes.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Stuck { .. })
    }

    pub(super) fn from_panic(error: &str) -> Self {
        Self::Stuck {
            step: "?".to_owned(),
            verb: "finish".to_owned(),
            error: format!("the task of this scope panicked: {error}; please report this"),
            left: vec![
                "resources of this scope, which were not undone; \
                 list them with `bakeline sweep`"
                    .to_owned(),
            ],
            moved: true,
        }
    }

    /// Returns whether a failed scope may have left a version current that was not before.
    #[must_use]
    pub fn may_have_moved(&self) -> bool {
        matches!(
            self,
            Self::Stuck { moved: true, .. } | Self::Failed { moved: true, .. }
        )
    }

    /// Returns the line that the progress shows at the end of a scope, except after success.
    #[must_use]
    pub fn closing_line(&self) -> Option<String> {
        match self {
            Self::Cancelled { step, undone: true } => {
                Some(format!("cancelled at {step}, cleaned up"))
            }
            Self::Cancelled { step, .. } => Some(format!("cancelled at {step}")),
            Self::Failed { undone: true, .. } => Some("cleaned up".to_owned()),
            Self::Failed { hints, .. } => {
                let left =
                    |hint: &String| hint.starts_with("not undone") || hint.starts_with("kept:");
                hints.iter().any(left).then(|| "not cleaned up".to_owned())
            }
            _ => None,
        }
    }

    /// Returns the status for messages: `done`, `failed`, `stuck`, `cancelled` or `not started`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Stuck { .. } => "stuck",
            Self::Cancelled { .. } => "cancelled",
            Self::NotStarted { .. } => "not started",
        }
    }

    fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Done { .. } | Self::NotStarted { .. } | Self::Cancelled { .. } => None,
            Self::Failed { kind, .. } => Some(*kind),
            Self::Stuck { .. } => Some(ErrorKind::Stuck),
        }
    }
}

/// Outcome of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// ID of the run.
    pub run: RunId,
    /// Start time.
    pub started: Timestamp,
    /// End time.
    pub ended: Timestamp,
    /// True if the user interrupted the run.
    pub interrupted: bool,
    /// True if the run lost its lock, so that another run may be changing the same resources.
    #[serde(skip)]
    pub lock_lost: bool,
    /// Scope whose failure cancelled the others.
    #[serde(skip)]
    pub stopped_by: Option<Scope>,
    /// End of each scope.
    pub scopes: BTreeMap<Scope, ScopeEnd>,
}

impl Outcome {
    /// Returns whether the run may remove what other runs left: the user does not wait for its end,
    /// and it still holds its locks.
    #[must_use]
    pub fn allows_sweep(&self) -> bool {
        !self.interrupted && !self.lock_lost
    }

    /// Returns the end of a scope.
    ///
    /// # Panics
    /// If the run has no such scope.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn end_of(&self, scope: &str) -> &ScopeEnd {
        &self.scopes[&scope.parse().expect("a scope")]
    }

    /// Returns the number of scopes with each status, done first.
    #[must_use]
    pub fn count_by_status(&self) -> Vec<(&'static str, usize)> {
        let statuses = ["done", "failed", "stuck", "cancelled", "not started"];
        let count = |status| {
            self.scopes
                .values()
                .filter(|e| e.status() == status)
                .count()
        };
        let counts = statuses.into_iter().map(|status| (status, count(status)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Returns the number of scopes with each status as text: `2 done, 1 failed`.
    #[must_use]
    pub fn counts_text(&self) -> String {
        let counts = self.count_by_status();
        let texts: Vec<String> = counts
            .iter()
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        texts.join(", ")
    }

    /// Returns the worst kind of failure, if there is one.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        let unfinished = self.scopes.values().any(|e| !e.is_done());
        let interrupted = (self.interrupted && unfinished).then_some(ErrorKind::Interrupted);
        self.scopes
            .values()
            .filter_map(ScopeEnd::kind)
            .chain(interrupted)
            .max_by_key(|k| k.weight())
    }
}
