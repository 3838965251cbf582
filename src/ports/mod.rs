//! Defines the ports: traits for everything outside of the program, with types of bakeline only.
//! Adapters implement them; engine and steps use them.

mod cloud;
mod retirement;
mod shell;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{AmiId, Commit, ProcessIdentity, Region, Timestamp};

pub use cloud::{
    Cloud, CloudError, CloudErrorKind, CloudResult, CopyRequest, GroupRequest, Identity,
    ImageQuery, Instance, LaunchRequest, TemporaryQuery,
};

pub use retirement::Retirement;
pub use shell::{
    HostKey, HostKeyPolicy, ScriptLimits, ScriptOutput, Shell, ShellError, ShellErrorKind,
    SshConfig, SshTarget,
};
pub use store::{Store, StoreError, StoreErrorKind, StoreResult};

/// A confidential text. `Debug` and `Display` mask it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret for the call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

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
}

/// Result of a build.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// Exit code of Packer. `None` after a signal.
    pub code: Option<i32>,
    /// AMIs that Packer reports as created, also after a failure.
    pub artifacts: Vec<(Region, AmiId)>,
    /// Masked error lines, oldest first.
    pub errors: Vec<String>,
    /// Set if bakeline cancelled the build.
    pub cancelled: bool,
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
    /// Checks that the builder and its plugins are installed on this machine.
    async fn check(&self) -> Result<(), BuilderError>;
    /// Validates a job without changes in the cloud.
    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError>;
    /// Runs a job. After a cancellation the builder cleans up.
    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError>;
}

/// Run directory: logs, reports and temporary files of a run.
pub trait Workspace: Send + Sync {
    /// Returns the path of the directory.
    fn root(&self) -> &Path;
    /// Writes a file and creates its parent directories. `private` means mode 0600.
    ///
    /// # Errors
    /// Fails with the path if the file cannot be written.
    fn write(&self, path: &str, content: &[u8], private: bool) -> std::io::Result<PathBuf>;
    /// Reads a file, if it exists.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// Deletes a file, if it exists.
    fn remove(&self, path: &str);
}

/// Append-only journal of a run.
pub trait Journal: Send + Sync {
    /// Appends a line and flushes it to disk.
    ///
    /// # Errors
    /// Fails if the line was not written. The step must not continue then.
    fn append(&self, line: &str) -> std::io::Result<()>;
}

/// Version control system of the catalog.
pub trait Vcs: Send + Sync {
    /// Returns the current commit, or `None` outside of a work tree.
    fn commit(&self) -> Option<Commit>;
}

/// Response to an HTTP request.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// First part of the body.
    pub body: String,
}

/// HTTP client for secret URLs.
#[async_trait]
pub trait Http: Send + Sync {
    /// Posts `body` as JSON. The error never contains the URL.
    async fn post_json(
        &self,
        url: &Secret,
        body: &serde_json::Value,
    ) -> Result<HttpResponse, String>;
    /// Waits before the next attempt.
    async fn pause(&self, time: Duration);
}

/// Processes of this machine.
pub trait Processes: Send + Sync {
    /// Returns the identity of this process, if the system provides it.
    fn current_process(&self) -> Option<ProcessIdentity>;
    /// Returns true if a process has certainly ended, and false in doubt.
    fn has_ended(&self, process: &ProcessIdentity) -> bool;
}

/// Source of the current time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
    /// Waits for a duration.
    async fn sleep(&self, time: Duration);
}
