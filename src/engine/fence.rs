//! Owns the fence around a run's effects: what a run that lost its lock may still do, which is nothing.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Effects, StepContext};
use crate::error::{Error, Kind, Result};
use crate::plan::Step;

/// Says whether this run may still change anything.
#[async_trait]
pub trait Guard: Send + Sync {
    /// Asked right before each change.
    ///
    /// # Errors
    /// Why nothing may be changed any more; from then on always.
    async fn check(&self) -> Result<(), String>;
    /// Why nothing may be changed any more, if that is so.
    fn lost(&self) -> Option<String>;
    /// Waits until nothing may be changed any more.
    async fn until_lost(&self);
}

/// Effects behind a fence: no step begins without the lock, and the engine hears of its loss.
pub struct Fenced<E> {
    /// The effects themselves; their ports are fenced too, call by call.
    pub inner: E,
    /// The lock.
    pub guard: Arc<dyn Guard>,
}

/// The error of a run that lost its lock.
#[must_use]
pub fn refused(why: &str) -> Error {
    Error::new(Kind::Refused, why.to_owned())
}

#[async_trait]
impl<E: Effects> Effects for Fenced<E> {
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<Value>> {
        self.guard.check().await.map_err(|why| refused(&why))?;
        self.inner.probe(step, context).await
    }

    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<Value> {
        self.inner.perform(step, context).await
    }

    async fn keep(&self, scope: &str) -> Result<Vec<String>> {
        self.inner.keep(scope).await
    }

    async fn undo(
        &self,
        step: &Step,
        output: Option<&Value>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        self.guard.check().await.map_err(|why| refused(&why))?;
        self.inner.undo(step, output, context).await
    }

    fn lost(&self) -> Option<String> {
        self.guard.lost()
    }

    async fn until_lost(&self) {
        self.guard.until_lost().await;
    }
}
