//! Defines the port that runs a script as root on a target.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::secret::Secret;
use crate::model::Region;

/// Machine and login for a script.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Host name or IP address, or the instance ID for a connection through SSM.
    pub host: String,
    /// SSH port. `None` leaves the choice to OpenSSH.
    pub port: Option<u16>,
    /// Login user. `None` leaves the choice to OpenSSH. Scripts run as root, with `sudo -n` if the
    /// login user is not root.
    pub user: Option<String>,
    /// Private key file. `None` leaves the choice to OpenSSH.
    pub key: Option<PathBuf>,
    /// Known-hosts file. `None` means the default of OpenSSH.
    pub known_hosts: Option<PathBuf>,
    /// Check of the host key.
    pub trust: HostKeyPolicy,
    /// Source of the OpenSSH configuration.
    pub config: SshConfig,
    /// Region of the SSM session to connect through. `None` means a direct connection.
    pub ssm: Option<Region>,
}

/// Check of a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// The key must be in the known-hosts file.
    Known,
    /// The first key is recorded in the known-hosts file and must not change.
    AcceptNew,
}

/// Source of the OpenSSH configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshConfig {
    /// No configuration except the file in `BAKELINE_SSH_CONFIG`.
    Isolated,
    /// The configuration of the user, as for a plain `ssh`.
    User,
    /// Only this file.
    File(PathBuf),
}

/// Limits of time and output for a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptLimits {
    /// Time in which a failed login is repeated.
    pub login_timeout: Duration,
    /// Time from login to the last byte of output.
    pub timeout: Duration,
    /// Largest number of bytes on standard output.
    pub max_bytes: usize,
}

impl ScriptLimits {
    /// Default time for a collection of facts.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
    /// Default size of collected facts in bytes.
    pub const DEFAULT_MAX_BYTES: usize = 32 << 20;
    /// Limits for a new instance, which accepts logins only after a while.
    pub const NEW_INSTANCE: Self = Self {
        login_timeout: Duration::from_secs(300),
        timeout: Self::DEFAULT_TIMEOUT,
        max_bytes: Self::DEFAULT_MAX_BYTES,
    };
    /// Limits for a machine that accepts logins.
    pub const RUNNING: Self = Self {
        login_timeout: Duration::ZERO,
        timeout: Self::DEFAULT_TIMEOUT,
        max_bytes: Self::DEFAULT_MAX_BYTES,
    };
}

/// Kind of a failed script run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellErrorKind {
    /// The target does not answer, or the connection broke.
    Unreachable,
    /// The host key is unknown or has changed.
    HostKey,
    /// The target refuses the login.
    Login,
    /// `sudo` refuses to run the script as root.
    Sudo,
    /// The target has no usable `sh`.
    NoShell,
    /// The script exceeded its time limit.
    Timeout,
    /// The script exceeded its output limit.
    OutputLimit,
    /// The run was cancelled.
    Cancelled,
    /// The local program for the connection could not be started.
    Local,
}

/// A script that did not run to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ShellError {
    /// Kind of the failure.
    pub kind: ShellErrorKind,
    /// Description of the failure, with the last line of standard error.
    pub message: String,
}

/// Output of a script that ran.
#[derive(Debug, Clone, Default)]
pub struct ScriptOutput {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Last line of standard error, or empty.
    pub last_stderr_line: String,
    /// Time from login to the last byte of output.
    pub elapsed: Duration,
}

/// A host key pair.
#[derive(Debug, Clone)]
pub struct HostKey {
    /// `ed25519`, `ecdsa` or `rsa`.
    pub kind: String,
    /// Private key in the format of OpenSSH.
    pub private: Secret,
    /// Public key: type and key, without a comment.
    pub public: String,
}

/// A root shell on a target.
#[async_trait]
pub trait Shell: Send + Sync {
    /// Waits until the target accepts the login, runs the script once and returns its output.
    async fn run(
        &self,
        target: &SshTarget,
        script: &str,
        limits: ScriptLimits,
        cancel: &CancellationToken,
    ) -> Result<ScriptOutput, ShellError>;
    /// Generates host keys for a new instance, one of each type that it would generate itself.
    async fn generate_host_keys(&self) -> Result<Vec<HostKey>, ShellError>;
}
