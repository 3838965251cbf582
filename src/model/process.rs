//! Identity of a process.

use serde::{Deserialize, Serialize};

/// A process, so that another one on the same machine can find out whether it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// ID of the kernel's boot: a machine that was restarted has another one.
    pub boot: String,
    /// PID namespace, such as that of a container.
    pub namespace: String,
    /// Process ID in that namespace.
    pub pid: u32,
    /// Start time in clock ticks after the boot: process IDs are used again.
    pub started: u64,
}
