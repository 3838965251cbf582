//! Owns the contracts with the outside, in our own types only; adapters implement them, engine and steps use them.

mod cloud;
mod ladder;
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

pub use ladder::Ladder;
pub use shell::{
    Answer, Bounds, HostKey, Shell, ShellError, ShellErrorKind, SshConfig, Target, Trust,
};
pub use store::{Store, StoreError, StoreErrorKind, StoreResult};

/// A text that must never be shown: `Debug` and `Display` mask it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself; only for the call that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
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

/// One image build handed to Packer.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// The folder with the rendered files.
    pub dir: PathBuf,
    /// The template's file name in it.
    pub template: String,
    /// Where the whole, redacted output goes.
    pub log: PathBuf,
    /// Texts to mask in the log and in errors.
    pub secrets: Vec<Secret>,
    /// Whether a build that fails leaves its instance for a person to look at.
    pub keep_failed: bool,
}

/// How a build ended.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// Packer's exit code; none when it was killed by a signal.
    pub code: Option<i32>,
    /// The AMIs it says it made, also when it failed.
    pub artifacts: Vec<(Region, AmiId)>,
    /// Its error lines, redacted, oldest first.
    pub errors: Vec<String>,
    /// Whether we cancelled it.
    pub cancelled: bool,
}

/// Why the builder can't be used at all.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct BuilderError {
    /// What is wrong.
    pub message: String,
    /// The next thing to do.
    pub hint: Option<String>,
}

/// Called with each thing the builder says, one line, redacted.
pub type OnLine<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// The image builder: Packer.
#[async_trait]
pub trait ImageBuilder: Send + Sync {
    /// Returns its version, checked against the oldest that works.
    async fn version(&self) -> Result<semver::Version, BuilderError>;
    /// Checks that everything a build needs on this machine is installed, plugins included.
    async fn check(&self) -> Result<(), BuilderError>;
    /// Checks a job without touching the cloud's state.
    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError>;
    /// Runs a job; cancelling lets it clean up.
    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError>;
}

/// The run directory: everything a run leaves for people.
pub trait Workspace: Send + Sync {
    /// The directory itself.
    fn root(&self) -> &Path;
    /// Writes a file (making folders); `private` means mode 0600.
    ///
    /// # Errors
    /// The path and what the system said.
    fn write(&self, path: &str, content: &[u8], private: bool) -> std::io::Result<PathBuf>;
    /// Reads a file if it is there.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// Removes a file; one that does not exist is fine.
    fn remove(&self, path: &str);
}

/// The append-only record of a run.
pub trait Journal: Send + Sync {
    /// Appends one line and makes sure it is on disk.
    ///
    /// # Errors
    /// What the system said; the step must not go on then.
    fn append(&self, line: &str) -> std::io::Result<()>;
}

/// The version control system the catalog lies in.
pub trait Vcs: Send + Sync {
    /// The commit checked out, or none outside a work tree.
    fn commit(&self) -> Option<Commit>;
}

/// What an HTTP call came to.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// The beginning of the body.
    pub body: String,
}

/// Sends JSON to a secret URL.
#[async_trait]
pub trait Http: Send + Sync {
    /// Posts `body`; the error never contains the URL.
    async fn post_json(&self, url: &Secret, body: &serde_json::Value)
    -> Result<HttpAnswer, String>;
    /// Waits before another try.
    async fn pause(&self, time: Duration);
}

/// The processes of this machine.
pub trait Processes: Send + Sync {
    /// Returns the identity of this process, where the machine can tell it.
    fn own(&self) -> Option<ProcessIdentity>;
    /// Returns whether it is certain that a process has ended. What cannot be known is false.
    fn has_ended(&self, process: &ProcessIdentity) -> bool;
}

/// The clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, time: Duration);
}
