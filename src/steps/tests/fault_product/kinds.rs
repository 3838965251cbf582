//! Defines the kinds of faults, and the cells: each action of a command with each kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::fake::{Call, FailureExtent, FaultTiming, Outage};
use crate::ports::CloudErrorKind;
use crate::steps::tests::TestEnv;

/// Kind of a fault, as a call of a port sees it: the SDK has repeated the request before.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaultKind {
    pub(super) name: &'static str,
    kind: CloudErrorKind,
    /// The request has its effect, and only the response is lost.
    is_late: bool,
    extent: FailureExtent,
    takes: Duration,
}

const fn fault(
    name: &'static str,
    kind: CloudErrorKind,
    is_late: bool,
    extent: FailureExtent,
    seconds: u64,
) -> FaultKind {
    let takes = Duration::from_secs(seconds);
    FaultKind {
        name,
        kind,
        is_late,
        extent,
        takes,
    }
}

pub(super) const KINDS: [FaultKind; 9] = {
    use CloudErrorKind::{
        Capacity, Credentials, Denied, Malformed, NotFound, Throttled, Unavailable, Unreachable,
    };
    use FailureExtent::{Action, Calls, Session, Time};
    let minute = Time(Duration::from_secs(60));
    let moment = Time(Duration::from_secs(10));
    [
        fault("throttled for 60 s", Throttled, false, minute, 5),
        fault("status 500", Unavailable, false, Calls(3), 1),
        fault("reset", Unreachable, true, Calls(1), 1),
        fault("hang", Unreachable, true, Calls(1), 120),
        fault("denied", Denied, false, Action, 0),
        fault("NotFound for 10 s", NotFound, false, moment, 0),
        fault("no capacity", Capacity, false, Action, 0),
        fault("expired session", Credentials, false, Session, 0),
        fault("malformed answer", Malformed, true, Calls(1), 0),
    ]
};

impl FaultKind {
    /// Returns whether the fault ends while the run repeats the call.
    pub(super) fn is_survived(self) -> bool {
        let ends = matches!(
            self.extent,
            FailureExtent::Calls(_) | FailureExtent::Time(_)
        );
        self.kind.is_transient() && ends
    }
}

/// An action with a fault, from one of its calls on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    action: &'static str,
    changes: bool,
    after: usize,
    pub(super) kind: FaultKind,
}

impl Cell {
    pub(super) fn describe(self) -> String {
        let Self {
            action,
            after,
            kind,
            ..
        } = self;
        format!("{action} call {}: {}", after + 1, kind.name)
    }

    pub(super) fn inject(self, setup: &TestEnv) {
        let is_late = self.kind.is_late && self.changes;
        setup.cloud.fail_for(Outage {
            action: self.action,
            after: self.after,
            kind: self.kind.kind,
            when: if is_late {
                FaultTiming::After
            } else {
                FaultTiming::Before
            },
            extent: self.kind.extent,
            takes: self.kind.takes,
            clock: Arc::clone(&setup.clock),
        });
    }
}

/// Returns each action of the recorded calls with each kind, at its first and at its last call.
pub(super) fn cells(calls: &[Call]) -> Vec<Cell> {
    let mut actions: BTreeMap<&'static str, (bool, usize)> = BTreeMap::new();
    for call in calls {
        let (changes, count) = actions.entry(call.action).or_default();
        *changes |= call.changes;
        *count += 1;
    }
    let mut out = Vec::new();
    for (action, (changes, count)) in actions {
        for after in [0, count - 1].into_iter().take(count.min(2)) {
            out.extend(KINDS.map(|kind| Cell {
                action,
                changes,
                after,
                kind,
            }));
        }
    }
    out
}
