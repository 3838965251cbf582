//! Owns what a run came to, scope by scope, and the exit code that follows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::error::Kind;
use crate::model::{RunId, Timestamp};

/// How one scope ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeEnd {
    /// Every step succeeded.
    Done {
        /// The outputs by step.
        outputs: BTreeMap<String, Value>,
    },
    /// A step failed; everything was taken back.
    Failed {
        /// The step.
        step: String,
        /// What it was doing.
        verb: String,
        /// What kind of failure.
        #[serde(skip)]
        kind: Kind,
        /// Why.
        error: String,
        /// What to do next.
        hints: Vec<String>,
    },
    /// Stopped because another failed or the user asked; everything was taken back.
    Cancelled {
        /// The step it was at.
        step: String,
    },
    /// Never begun.
    NotStarted {
        /// Why.
        because: String,
    },
    /// A step failed and something could not be taken back.
    Stuck {
        /// The step.
        step: String,
        /// What it was doing.
        verb: String,
        /// Why it failed.
        error: String,
        /// What is left, and why.
        left: Vec<String>,
    },
}

impl ScopeEnd {
    /// Whether everything succeeded.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    /// Whether it stops the line.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Stuck { .. })
    }

    pub(super) fn panicked(error: &str) -> Self {
        let text = format!("a defect in bakeline: {error}");
        Self::Stuck {
            step: "?".to_owned(),
            verb: "?".to_owned(),
            error: text.clone(),
            left: vec![text],
        }
    }

    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Done { .. } | Self::NotStarted { .. } | Self::Cancelled { .. } => None,
            Self::Failed { kind, .. } => Some(*kind),
            Self::Stuck { .. } => Some(Kind::Stuck),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The run.
    pub run: RunId,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Each scope's end.
    pub scopes: BTreeMap<String, ScopeEnd>,
}

impl Outcome {
    /// The worst kind of failure, or none.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let unfinished = self.scopes.values().any(|e| !e.is_done());
        let interrupted = (self.interrupted && unfinished).then_some(Kind::Interrupted);
        self.scopes
            .values()
            .filter_map(ScopeEnd::kind)
            .chain(interrupted)
            .max_by_key(|k| k.weight())
    }
}
