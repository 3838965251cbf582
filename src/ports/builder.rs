//! Defines the port that builds images: Packer.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::secret::Secret;
use crate::model::{AmiId, InstanceId, Region};

/// An image build for Packer.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// Directory with the rendered files.
    pub dir: PathBuf,
    /// File name of the template in this directory.
    pub template: String,
    /// Log file for the complete, masked output.
    pub log: PathBuf,
    /// Secrets to mask in the log and in errors.
    pub secrets: Vec<Secret>,
    /// Keeps the instance of a failed build for inspection.
    pub keep_failed: bool,
    /// Longest time of the build. After it, the builder stops and cleans up.
    pub timeout: Duration,
    /// Kills the builder without a clean-up. For a cloud that refuses all calls.
    pub kill: CancellationToken,
}

impl BuildJob {
    /// Returns the hint that names the log.
    #[must_use]
    pub fn log_hint(&self) -> String {
        format!("the complete log is {}", self.log.display())
    }
}

/// Result of a build.
#[derive(Debug, Clone, Default)]
pub struct BuildOutcome {
    /// Exit code of Packer. `None` after a signal.
    pub code: Option<i32>,
    /// AMIs that Packer reports as created, also after a failure.
    pub artifacts: Vec<(Region, AmiId)>,
    /// Masked error lines, oldest first.
    pub errors: Vec<String>,
    /// Set if bakeline cancelled the build.
    pub cancelled: bool,
    /// Set if the build took longer than its timeout.
    pub timed_out: bool,
    /// Set if Packer sent a request to launch its instance.
    pub launched: bool,
    /// Instance of the build, if Packer reported its ID.
    pub instance: Option<InstanceId>,
}

impl BuildOutcome {
    /// Returns whether Packer created its AMI. Packer also exits with 0 if a signal arrives while it
    /// starts, before it handles signals.
    #[must_use]
    pub fn has_ami(&self) -> bool {
        self.code == Some(0) && !self.artifacts.is_empty()
    }

    /// Returns whether bakeline stopped the build before its end.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.cancelled || self.timed_out
    }
}

/// A builder that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct BuilderError {
    /// Description of the problem.
    pub message: String,
    /// Next command or setting.
    pub hint: Option<String>,
}

/// Callback for each masked line of output.
pub type OnLine<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Builder of images: Packer.
#[async_trait]
pub trait ImageBuilder: Send + Sync {
    /// Returns the version of the builder. Versions that are too old are an error.
    async fn version(&self) -> Result<semver::Version, BuilderError>;
    /// Checks that the builder and its plugins are installed on this machine in supported versions.
    /// Returns a warning for each version that was not tested.
    async fn check(&self) -> Result<Vec<String>, BuilderError>;
    /// Validates a job without changes in the cloud.
    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError>;
    /// Runs a job. After a cancellation or the timeout, the builder cleans up.
    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError>;
}
