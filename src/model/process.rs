//! Identifies processes.

use serde::{Deserialize, Serialize};

/// Identity of a process. Another process on the same machine can find out whether it has ended.
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
