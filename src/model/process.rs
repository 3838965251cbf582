//! Identifies processes.

use serde::{Deserialize, Serialize};

/// Identity of a process. Other processes on the same machine can check whether it still runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// ID of the kernel's boot: a machine that was restarted has another one.
    pub boot: String,
    /// PID namespace, such as that of a container.
    pub namespace: String,
    /// Process ID in that namespace.
    pub pid: u32,
    /// Start time in clock ticks since boot. It distinguishes processes, because the kernel reuses
    /// process IDs.
    pub started: u64,
}
