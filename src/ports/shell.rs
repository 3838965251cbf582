//! Owns the contract with a root shell on a target: where, as whom, within which bounds, and what can go wrong.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::Secret;

/// Where and as whom to run a script.
#[derive(Debug, Clone)]
pub struct Target {
    /// Address or, through SSM, the instance's id.
    pub host: String,
    /// The SSH port; OpenSSH's own choice where there is none.
    pub port: Option<u16>,
    /// The login user; OpenSSH's own choice where there is none. Scripts run as root, through `sudo -n` where that is another.
    pub user: Option<String>,
    /// The private key's file; whatever OpenSSH offers by itself where there is none.
    pub key: Option<PathBuf>,
    /// The known-hosts file; the user's own where there is none.
    pub known_hosts: Option<PathBuf>,
    /// What is made of the host's key.
    pub trust: Trust,
    /// Whose configuration of OpenSSH counts.
    pub config: SshConfig,
    /// Whether to go through an SSM session.
    pub ssm: bool,
}

/// What is made of a host's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It must be known beforehand.
    Known,
    /// The first one that is seen is written down and must stay.
    FirstUse,
}

/// Whose configuration of OpenSSH counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshConfig {
    /// Nobody's but what the run itself is told by `BAKELINE_SSH_CONFIG`.
    Ours,
    /// The user's own, as when they type `ssh`.
    Users,
    /// This file and nothing else.
    File(PathBuf),
}

/// What a script may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For how long to try again while the target does not let us in yet.
    pub patience: Duration,
    /// From login to last byte.
    pub time: Duration,
    /// The most bytes of standard output.
    pub bytes: usize,
}

impl Bounds {
    /// How long one collection may take unless somebody says so.
    pub const TIME: Duration = Duration::from_secs(300);
    /// How much one collection may answer unless somebody says so.
    pub const BYTES: usize = 32 << 20;
    /// For a fresh instance, which takes a while to let us in.
    pub const FRESH: Self = Self {
        patience: Duration::from_secs(300),
        time: Self::TIME,
        bytes: Self::BYTES,
    };
    /// For a machine that is up.
    pub const UP: Self = Self {
        patience: Duration::ZERO,
        time: Self::TIME,
        bytes: Self::BYTES,
    };
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellErrorKind {
    /// It does not answer, or the connection broke.
    Unreachable,
    /// It is not the host that it should be.
    HostKey,
    /// It lets us in as nobody.
    Login,
    /// It does not let us be root.
    Sudo,
    /// It has no `sh`, or none that starts.
    NoShell,
    /// It was not done in time.
    TooLong,
    /// It answered too much.
    TooMuch,
    /// We were told to stop.
    Cancelled,
    /// The program that talks to it can't be started here.
    Here,
}

/// Why a script did not run to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ShellError {
    /// What kind of failure it is.
    pub kind: ShellErrorKind,
    /// What is wrong, with what was said last.
    pub message: String,
}

/// What a script that ran came to.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Its standard output.
    pub out: Vec<u8>,
    /// The last line of its standard error; empty when there is none.
    pub last: String,
    /// From login to last byte.
    pub took: Duration,
}

/// A key that a host proves itself with.
#[derive(Debug, Clone)]
pub struct HostKey {
    /// `ed25519`, `ecdsa` or `rsa`.
    pub kind: String,
    /// The private half, as OpenSSH writes it.
    pub private: Secret,
    /// The public half: its type and the key, without a comment.
    pub public: String,
}

/// A root shell on a target.
#[async_trait]
pub trait Shell: Send + Sync {
    /// Waits until the target lets us in, runs the script once, returns its answer.
    async fn run(
        &self,
        target: &Target,
        script: &str,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Answer, ShellError>;
    /// New keys for a host that is about to boot for the first time, one of each kind that it would make for itself.
    async fn new_host_keys(&self) -> Result<Vec<HostKey>, ShellError>;
}
