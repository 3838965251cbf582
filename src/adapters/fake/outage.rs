//! Injects errors that last for some calls or some time into an action of a fake cloud.

use std::sync::Arc;
use std::time::Duration;

use super::{FakeClock, FaultTiming};
use crate::model::Timestamp;
use crate::ports::{Clock as _, CloudErrorKind};

/// Extent of an outage, from the first failing call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureExtent {
    /// This number of calls of the action fails.
    Calls(usize),
    /// Calls of the action fail for this time.
    Time(Duration),
    /// All calls of the action fail.
    Action,
    /// All calls of all actions fail.
    Session,
}

/// Errors of the calls of an action.
#[derive(Debug, Clone)]
pub struct Outage {
    /// Port method that fails.
    pub action: &'static str,
    /// Number of its calls that succeed first.
    pub after: usize,
    /// Kind of the returned error.
    pub kind: CloudErrorKind,
    /// Time of the failure: before or after the effect of the call.
    pub when: FaultTiming,
    /// End of the outage.
    pub extent: FailureExtent,
    /// Duration of a failing call.
    pub takes: Duration,
    /// Clock of the run.
    pub clock: Arc<FakeClock>,
}

/// An outage with the calls so far.
pub(super) struct ActiveOutage {
    pub(super) outage: Outage,
    seen: usize,
    failed: usize,
    begun: Option<Timestamp>,
}

impl ActiveOutage {
    pub(super) fn new(outage: Outage) -> Self {
        Self {
            outage,
            seen: 0,
            failed: 0,
            begun: None,
        }
    }

    /// Counts a call and returns whether it fails.
    pub(super) fn fails(&mut self, action: &str) -> bool {
        let is_session = self.outage.extent == FailureExtent::Session && self.begun.is_some();
        if action != self.outage.action && !is_session {
            return false;
        }
        self.seen += 1;
        if self.seen <= self.outage.after {
            return false;
        }
        let now = self.outage.clock.now();
        let begun = *self.begun.get_or_insert(now);
        let fails = match self.outage.extent {
            FailureExtent::Calls(calls) => self.failed < calls,
            FailureExtent::Time(time) => now < begun + time,
            FailureExtent::Action | FailureExtent::Session => true,
        };
        self.failed += usize::from(fails);
        fails
    }

    /// Returns the number of failed calls.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }
}
