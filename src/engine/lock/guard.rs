//! Checks the lock before probes and undos. The fenced ports check it before each change of a step.

use std::sync::Arc;

use async_trait::async_trait;

use super::loss::LockLoss;
use crate::engine::{Effects, StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::AmiId;
use crate::plan::{Scope, Step};

/// Lock of a run, checked before each change.
#[async_trait]
pub trait Guard: Send + Sync {
    /// Checks the lock. The fenced ports call it before each change, and this module before each
    /// probe and undo.
    ///
    /// # Errors
    /// Fails with the reason once the lock is lost, and on every later call.
    async fn check(&self) -> Result<(), LockLoss>;
    /// Returns the reason why the lock is lost, if it is.
    fn lock_loss(&self) -> Option<LockLoss>;
    /// Waits until the lock is lost.
    async fn wait_for_lock_loss(&self);
}

/// Effects that run only while the run holds its lock.
pub struct FencedEffects<E> {
    /// Inner effects. Their ports check the lock too, before each call.
    pub inner: E,
    /// Lock of the run.
    pub guard: Arc<dyn Guard>,
}

/// Returns the error of a run that lost its lock.
#[must_use]
pub fn lock_lost_error(loss: &LockLoss) -> Error {
    Error::new(ErrorKind::Refused, loss.to_string())
}

impl<E> FencedEffects<E> {
    async fn require_lock(&self) -> Result<()> {
        let held = self.guard.check().await;
        held.map_err(|loss| lock_lost_error(&loss))
    }
}

#[async_trait]
impl<E: Effects> Effects for FencedEffects<E> {
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<StepOutput>> {
        self.require_lock().await?;
        self.inner.probe(step, context).await
    }

    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<StepOutput> {
        self.inner.perform(step, context).await
    }

    async fn keep_for_inspection(&self, scope: &Scope) -> Result<Vec<String>> {
        self.inner.keep_for_inspection(scope).await
    }

    async fn keep_candidate(&self, failed: &Step, ami: &AmiId) -> Result<String> {
        self.require_lock().await?;
        self.inner.keep_candidate(failed, ami).await
    }

    async fn undo(
        &self,
        step: &Step,
        output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        self.require_lock().await?;
        self.inner.undo(step, output, context).await
    }

    fn lock_loss(&self) -> Option<LockLoss> {
        self.guard.lock_loss()
    }

    async fn wait_for_lock_loss(&self) {
        self.guard.wait_for_lock_loss().await;
    }
}
