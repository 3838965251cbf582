//! Tests each action of a release, a promotion, a rollback, a revocation and a prune with each kind of
//! fault. The judge is the complete state of the cloud, and the truth of the outcome.

use std::collections::BTreeSet;

use super::TestEnv;
use super::faults::{assert_state_matches_outcome, second_release};
use super::lifecycle::{
    Operation, assert_locations_consistent, assert_no_leftovers, on_day, promote_two_versions,
    state_table, two_versions, version,
};
use crate::adapters::fake::{Call, Fault, FaultTiming};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::ErrorKind;
use crate::lifecycle::{candidate, tags};
use crate::model::Ami;
use crate::ports::CloudErrorKind;

/// A kind of fault and the number of calls that fail. Without a number, all calls fail.
#[derive(Debug, Clone, Copy)]
struct FaultKind {
    name: &'static str,
    kind: CloudErrorKind,
    when: FaultTiming,
    calls: Option<usize>,
}

const fn fault(
    name: &'static str,
    kind: CloudErrorKind,
    when: FaultTiming,
    calls: Option<usize>,
) -> FaultKind {
    FaultKind {
        name,
        kind,
        when,
        calls,
    }
}

const KINDS: [FaultKind; 10] = {
    use CloudErrorKind::{
        Capacity, Credentials, Denied, Malformed, Quota, Throttled, Unavailable, Unreachable,
    };
    use FaultTiming::{After, Before};
    [
        fault("throttled for a minute", Throttled, Before, Some(6)),
        fault("throttled for good", Throttled, Before, None),
        fault("status 500", Unavailable, Before, Some(3)),
        fault("lost answer", Unreachable, After, Some(1)),
        fault("no connection", Unreachable, Before, Some(3)),
        fault("denied", Denied, Before, None),
        fault("used-up quota", Quota, Before, Some(3)),
        fault("no capacity", Capacity, Before, None),
        fault("expired session", Credentials, Before, None),
        fault("malformed answer", Malformed, After, Some(1)),
    ]
};

impl FaultKind {
    /// Returns whether the fault ends while the run repeats the call.
    fn is_survived(self) -> bool {
        self.kind.is_transient() && self.calls.is_some()
    }

    fn inject(self, setup: &TestEnv, action: &'static str) {
        let all = Fault {
            kind: self.kind,
            when: self.when,
            ..Fault::always(action)
        };
        match self.calls {
            None => setup.cloud.fail(all),
            Some(calls) => {
                for nth in 1..=calls {
                    setup.cloud.fail(Fault {
                        nth,
                        forever: false,
                        ..all.clone()
                    });
                }
            }
        }
    }
}

/// Returns each action of the calls with each kind of fault. A lost answer needs an effect.
fn cells(calls: &[Call]) -> Vec<(&'static str, FaultKind)> {
    let actions: BTreeSet<(&str, bool)> = calls.iter().map(|c| (c.action, c.changes)).collect();
    let of_action = |(action, changes)| {
        let fits = move |kind: &FaultKind| changes || kind.when == FaultTiming::Before;
        KINDS
            .into_iter()
            .filter(fits)
            .map(move |kind| (action, kind))
    };
    actions.into_iter().flat_map(of_action).collect()
}

/// Asserts that a run that is stuck names what it left, and that a sweep can find it.
fn assert_stuck_is_true(setup: &TestEnv, outcome: &Outcome, context: &str) {
    let stuck: Vec<&String> = outcome
        .scopes
        .values()
        .filter_map(|end| match end {
            ScopeEnd::Stuck { left, .. } => Some(left),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(!stuck.is_empty(), "{context}: {outcome:?}");
    setup.cloud.state(|state| {
        let expires = |tags: &crate::model::Tags| tags.contains_key(tags::EXPIRES);
        let live = state
            .instances
            .values()
            .filter(|i| i.status != "terminated");
        let temporary = live
            .map(|i| &i.tags)
            .chain(state.groups.values().map(|g| &g.tags))
            .chain(state.key_pairs.values());
        assert!(
            temporary.into_iter().all(expires),
            "{context}: a resource without expiry"
        );
    });
}

fn is_stuck(outcome: &Outcome) -> bool {
    let mut ends = outcome.scopes.values();
    ends.any(|end| matches!(end, ScopeEnd::Stuck { .. }))
}

#[tokio::test]
async fn release_is_undone_or_reported_for_each_fault() {
    let start = second_release().await;
    let next = || {
        start.next_run(
            std::sync::Arc::clone(&start.catalog),
            "2026-11-23T12:00:00Z",
        )
    };
    let clean = next();
    assert_eq!(clean.release("run2").await.kind(), None);
    let cells = cells(&clean.cloud.calls());
    assert!(cells.len() > 100, "{}", cells.len());
    let before = start.cloud.state(|state| state.clone());
    for (action, kind) in cells {
        let context = format!("{action}: {}", kind.name);
        let setup = next();
        kind.inject(&setup, action);
        let outcome = setup.release("run2").await;
        if is_stuck(&outcome) {
            assert!(!kind.is_survived(), "{context}: {outcome:?}");
            assert_stuck_is_true(&setup, &outcome, &context);
        } else {
            let kept = remove_kept_candidates(&setup, &outcome, &context);
            let is_refused = matches!(kind.kind, CloudErrorKind::Capacity | CloudErrorKind::Quota);
            assert_eq!(kept > 0, action == "launch" && is_refused, "{context}");
            assert_state_matches_outcome(&before, &setup, &outcome, &context);
            setup.assert_clean(&context);
        }
    }
}

/// Removes the candidates that wait for their boot checks, which the outcome must name. Returns their
/// number.
fn remove_kept_candidates(setup: &TestEnv, outcome: &Outcome, context: &str) -> usize {
    let kept: Vec<Ami> = setup.cloud.state(|state| {
        let own = state.own().into_iter();
        own.filter(|ami| candidate::awaits_checks(&ami.tags))
            .collect()
    });
    for ami in &kept {
        let is_named = outcome.scopes.values().any(|end| match end {
            ScopeEnd::Failed { hints, .. } => {
                let line = format!("kept: candidate {} ", ami.id);
                hints.iter().any(|hint| hint.starts_with(&line))
            }
            _ => false,
        });
        assert!(is_named, "{context}: {outcome:?}");
        setup.cloud.state(|state| {
            state.images.remove(&ami.id);
            state.snapshots.retain(|id, _| !ami.snapshots.contains(id));
        });
    }
    kept.len()
}

#[tokio::test]
async fn undo_survives_each_fault_that_ends() {
    let start = second_release().await;
    // The test instance accepts no login, so the release is undone.
    let next = || {
        let setup = start.next_run(
            std::sync::Arc::clone(&start.catalog),
            "2026-11-23T12:00:00Z",
        );
        *setup.shell.deaf.lock().expect("no panic") = true;
        setup
    };
    let clean = next();
    assert_eq!(
        clean.release("run2").await.kind(),
        Some(ErrorKind::StepFailed)
    );
    let calls = clean.cloud.calls();
    assert!(calls.iter().any(|call| call.action == "deregister"));
    for (action, kind) in cells(&calls) {
        if !kind.is_survived() {
            continue;
        }
        let context = format!("{action}: {}", kind.name);
        let setup = next();
        kind.inject(&setup, action);
        let outcome = setup.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::StepFailed),
            "{context}: {outcome:?}"
        );
        setup.assert_clean(&context);
    }
}

#[tokio::test]
async fn move_is_undone_or_reported_for_each_fault() {
    let promoted = promote_two_versions().await;
    let operations = [
        (two_versions().await, Operation::Promote(&["base"])),
        (promoted, Operation::Rollback(version(1))),
        (
            promote_two_versions().await,
            Operation::Revoke("base", version(2)),
        ),
    ];
    let mut all = Vec::new();
    for (before, operation) in &operations {
        let clean = operation.succeed_on_day(before, 28).await;
        let wanted = state_table(&clean);
        let cells = cells(&clean.cloud.calls());
        all.extend(
            cells
                .into_iter()
                .map(|cell| (before, operation, wanted.clone(), cell)),
        );
    }
    assert!(all.len() > 150, "{}", all.len());
    for (before, operation, wanted, (action, kind)) in all {
        let context = format!("{operation:?}, {action}: {}", kind.name);
        let setup = on_day(before, 28);
        kind.inject(&setup, action);
        let outcome = operation.execute(&setup).await;
        assert!(
            !is_stuck(&outcome) || !kind.is_survived(),
            "{context}: {outcome:?}"
        );
        if outcome.kind().is_none() {
            assert_eq!(state_table(&setup), wanted, "{context}");
            assert_no_leftovers(&setup, &context);
        } else if !is_stuck(&outcome) && !matches!(operation, Operation::Revoke(..)) {
            assert_locations_consistent(&setup, &context);
            assert_no_leftovers(&setup, &context);
        }
        // After the fault, a repetition completes the operation.
        let again = Operation::Doctor
            .succeed_on_day(&on_day(&setup, 28), 28)
            .await;
        let again = operation.succeed_on_day(&again, 28).await;
        assert_eq!(state_table(&again), wanted, "{context}, again");
        assert_no_leftovers(&again, &context);
    }
}
