//! Owns the stand-ins for the outside in tests: a stateful cloud that can fail at any call, a builder, a shell, a clock.

mod calls;
mod cloud;
mod ladder;
mod state;
mod store;
mod tools;

pub use calls::FakeCloud;
pub use state::{ACCOUNT, FakeCloudState, FakeGroup, FakeInstance};
pub use store::MemoryStore;
pub use tools::{
    BuildMood, FakeBuilder, FakeClock, FakeProcesses, LocalShell, MemoryJournal, MemoryWorkspace,
};

use crate::ports::CloudErrorKind;

/// When a call fails: before or after it had its effect (the answer got lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing happened.
    Before,
    /// It happened, and the caller is told that it failed.
    After,
}

/// An error to be answered instead of the truth.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Only calls of this action count; none means every call.
    pub action: Option<&'static str>,
    /// Only calls about this thing (an id, a name) count.
    pub about: Option<String>,
    /// Which of these calls fails, from 1.
    pub nth: usize,
    /// Whether every later one fails too.
    pub forever: bool,
    /// Whether the effect is had.
    pub when: When,
    /// What the cloud says.
    pub kind: CloudErrorKind,
}

impl Fault {
    /// The `nth` call of all fails once.
    #[must_use]
    pub fn call(nth: usize, when: When) -> Self {
        Self {
            action: None,
            about: None,
            nth,
            forever: false,
            when,
            kind: CloudErrorKind::Other,
        }
    }

    /// Every call of an action fails.
    #[must_use]
    pub fn always(action: &'static str) -> Self {
        Self {
            action: Some(action),
            about: None,
            nth: 1,
            forever: true,
            when: When::Before,
            kind: CloudErrorKind::Other,
        }
    }
}

/// One call that was made: its action, what it was about, and what kind of call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The port's method.
    pub action: &'static str,
    /// The id or name it was about.
    pub about: String,
    /// Whether it can change anything.
    pub changes: bool,
}
