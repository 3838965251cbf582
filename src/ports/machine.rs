//! Defines the ports to this machine: version control, processes and the clock.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Commit, ProcessIdentity, Timestamp};

/// Version control system of the catalog.
pub trait Vcs: Send + Sync {
    /// Returns the current commit, or `None` outside of a work tree.
    fn commit(&self) -> Option<Commit>;
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
