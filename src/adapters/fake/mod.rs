//! Implements the ports for tests: a stateful cloud that can fail at any call, a builder, a shell and
//! a clock.

mod calls;
mod cloud;
mod fake_clock;
mod late_parameters;
mod outage;
mod pace;
mod prerequisites;
mod refused_launches;
mod state;
mod store;
mod tools;
mod virtual_clock;
mod visibility;

pub use calls::FakeCloud;
pub use fake_clock::FakeClock;
pub use late_parameters::LateParameters;
pub use outage::{FailureExtent, Outage};
pub use pace::Pace;
pub use prerequisites::FakePrerequisites;
pub use refused_launches::RefusedLaunches;
pub use state::{ACCOUNT, FakeCloudState, FakeGroup, FakeInstance};
pub use store::MemoryStore;
pub use tools::{
    BuildBehavior, FakeBuilder, FakeProcesses, LocalShell, MemoryJournal, MemoryWorkspace,
};
pub use virtual_clock::VirtualClock;

use crate::ports::CloudErrorKind;

/// Time of an injected failure: before or after the effect of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultTiming {
    /// The call fails without an effect.
    Before,
    /// The call has its effect, but returns an error, as if the response was lost.
    After,
}

/// An injected error.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Port method that fails. `None` means every method.
    pub action: Option<&'static str>,
    /// ID or name of the resource that the call is about. `None` means any.
    pub about: Option<String>,
    /// Number of the matching call that fails, from 1.
    pub nth: usize,
    /// All later matching calls fail too.
    pub forever: bool,
    /// Time of the failure.
    pub when: FaultTiming,
    /// Kind of the returned error.
    pub kind: CloudErrorKind,
}

impl Fault {
    /// Creates a fault of the `nth` call of any method.
    #[must_use]
    pub fn call(nth: usize, when: FaultTiming) -> Self {
        Self {
            action: None,
            about: None,
            nth,
            forever: false,
            when,
            kind: CloudErrorKind::Other,
        }
    }

    /// Creates a fault of every call of a method.
    #[must_use]
    pub fn always(action: &'static str) -> Self {
        Self {
            action: Some(action),
            about: None,
            nth: 1,
            forever: true,
            when: FaultTiming::Before,
            kind: CloudErrorKind::Other,
        }
    }
}

/// A recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Port method.
    pub action: &'static str,
    /// ID or name of the resource.
    pub about: String,
    /// The method can change something.
    pub changes: bool,
}
