//! Wraps the ports that change the cloud: each change checks the lock first.

use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::guard::Guard;
use crate::model::Region;
use crate::ports::{
    BuildJob, BuildOutcome, BuilderError, Cloud, CloudError, CloudErrorKind, CloudReader,
    CloudResult, CloudWriter, ImageBuilder, OnLine,
};

/// Cloud of a run. Reads are available directly, changes only through [`FencedCloud::change`].
#[derive(Clone)]
pub struct FencedCloud {
    inner: Arc<dyn Cloud>,
    guard: Option<Arc<dyn Guard>>,
}

impl FencedCloud {
    /// Wraps a cloud. Without a guard the run needs no lock.
    #[must_use]
    pub fn new(inner: Arc<dyn Cloud>, guard: Option<Arc<dyn Guard>>) -> Self {
        Self { inner, guard }
    }

    /// Checks the lock and returns the cloud for one change in a Region.
    ///
    /// # Errors
    /// Fails if the run has lost its lock.
    pub async fn change(&self, region: &Region) -> CloudResult<&dyn CloudWriter> {
        if let Some(guard) = &self.guard {
            guard.check().await.map_err(|loss| CloudError {
                kind: CloudErrorKind::Fenced,
                action: "check of the lock",
                region: region.to_string(),
                message: loss.to_string(),
            })?;
        }
        Ok(&*self.inner)
    }
}

impl Deref for FencedCloud {
    type Target = dyn CloudReader;

    fn deref(&self) -> &Self::Target {
        &*self.inner
    }
}

/// Builder that starts nothing without the lock. When the lock is lost, the cancel token ends a
/// running build.
pub struct FencedBuilder {
    /// Inner builder.
    pub inner: Arc<dyn ImageBuilder>,
    /// Lock of the run.
    pub guard: Arc<dyn Guard>,
}

#[async_trait]
impl ImageBuilder for FencedBuilder {
    async fn version(&self) -> Result<semver::Version, BuilderError> {
        self.inner.version().await
    }

    async fn check(&self) -> Result<Vec<String>, BuilderError> {
        self.inner.check().await
    }

    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError> {
        self.inner.validate(job).await
    }

    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError> {
        if let Err(loss) = self.guard.check().await {
            return Err(BuilderError {
                message: loss.to_string(),
                hint: None,
            });
        }
        self.inner.build(job, cancel, on_line).await
    }
}
