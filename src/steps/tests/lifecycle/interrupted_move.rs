//! Tests that an error or a kill at any call of a promotion, rollback or revocation can be
//! repaired.

use super::{
    HOME, Operation, PROD, assert_consistent, assert_locations_consistent, assert_no_leftovers,
    assert_rows, on_day, promote_two_versions, release_on_day, state_table, two_accounts,
    two_versions, version,
};
use crate::adapters::fake::{Fault, FaultTiming};
use crate::lifecycle::tags;
use crate::matrix::select_cases;
use crate::steps::tests::TestEnv;

/// Returns the operations to interrupt, each with the environment before it.
async fn operations() -> Vec<(TestEnv, Operation)> {
    let (versions, promoted) = (two_versions().await, promote_two_versions().await);
    let layered = release_on_day(&two_accounts(), &["base", "a"], 22).await;
    vec![
        (versions, Operation::Promote(&["base"])),
        (promoted, Operation::Rollback(version(1))),
        (
            promote_two_versions().await,
            Operation::Revoke("base", version(2)),
        ),
        (
            Operation::Promote(&["base", "a"])
                .succeed_on_day(&layered, 23)
                .await,
            Operation::Revoke("base", version(1)),
        ),
    ]
}

/// Checks the invariants after every call. For a revocation: a pointer leaves an AMI only after its
/// state is `revoked`.
fn watch_invariants(setup: &TestEnv, operation: &Operation) {
    let Operation::Revoke(..) = operation else {
        return setup.watch_invariants();
    };
    let before = setup.cloud.state(|w| w.parameters.clone());
    setup.cloud.watch(move |state| {
        let moved = before
            .iter()
            .filter(|(name, value)| state.parameters.get(*name) != Some(value));
        let tag_of = |id: &str| {
            state
                .images
                .get(&id.into())
                .and_then(|a| a.tags.get(tags::STATE).cloned())
        };
        let early = moved
            .filter(|(_, id)| tag_of(id).as_deref() != Some("revoked"))
            .map(|(name, _)| name.clone())
            .next();
        early.map(|name| format!("{name} moved before the AMI was revoked"))
    });
}

#[tokio::test]
async fn repeated_run_completes_failed_operation() {
    for (before, operation) in operations().await {
        let clean = operation.succeed_on_day(&before, 28).await;
        let (wanted, calls) = (state_table(&clean), clean.cloud.calls());
        for (index, call) in select_cases("failed operations", 1, calls.iter().enumerate()) {
            for when in [FaultTiming::Before, FaultTiming::After]
                .into_iter()
                .take(1 + usize::from(call.changes))
            {
                let context = format!(
                    "{operation:?} {when:?} call {} ({} {})",
                    index + 1,
                    call.action,
                    call.about
                );
                let setup = on_day(&before, 28);
                watch_invariants(&setup, &operation);
                setup.cloud.fail(Fault::call(index + 1, when));
                let outcome = operation.execute(&setup).await;
                if outcome.kind().is_none() && !call.changes {
                    // A last read only waits until the next command sees the change.
                    assert_eq!(state_table(&setup), wanted, "{context}");
                    continue;
                }
                assert_eq!(
                    outcome.kind(),
                    Some(crate::error::ErrorKind::StepFailed),
                    "{context}: {outcome:?}"
                );
                assert_eq!(setup.cloud.violations(), Vec::<String>::new(), "{context}");
                if !matches!(operation, Operation::Revoke(..)) {
                    assert_locations_consistent(&setup, &context);
                    assert_no_leftovers(&setup, &context);
                }
                let again = operation.succeed_on_day(&on_day(&setup, 28), 28).await;
                assert_eq!(state_table(&again), wanted, "{context}, again");
                assert_consistent(&again, &context);
                assert_no_leftovers(&again, &context);
            }
        }
    }
}

#[tokio::test]
async fn doctor_repairs_operation_killed_before_any_call() {
    for (before, operation) in operations().await {
        let clean = operation.succeed_on_day(&before, 28).await;
        let (wanted, calls) = (state_table(&clean), clean.cloud.calls().len());
        let mut repaired = 0;
        for at in select_cases("killed operations", 1, 1..=calls) {
            let context = format!("{operation:?} killed before call {at}");
            let setup = on_day(&before, 28);
            let halted = setup.cloud.halt_before(at);
            tokio::select! {
                outcome = operation.execute(&setup) => panic!("{context}: {outcome:?}"),
                () = halted.notified() => {}
            }
            let setup = on_day(&setup, 28);
            let plan = Operation::Doctor.plan(&setup);
            repaired += usize::from(!plan.steps.is_empty());
            let setup = Operation::Doctor.succeed_on_day(&setup, 28).await;
            assert_consistent(&setup, &context);
            let again = operation.succeed_on_day(&setup, 28).await;
            assert_eq!(state_table(&again), wanted, "{context}, again");
            assert_consistent(&again, &context);
            assert_no_leftovers(&again, &context);
        }
        assert!(
            repaired > 3,
            "{operation:?}: the doctor had something to do only {repaired} times"
        );
    }
}

#[tokio::test]
async fn rollback_keeps_revoked_and_retiring_states() {
    for state in ["revoked", "retiring"] {
        let setup = promote_two_versions().await;
        // At home, a revocation or a prune was interrupted right after it set the state.
        setup.cloud.state(|w| {
            let current = |a: &&mut crate::model::Ami| {
                a.tags
                    .get(tags::CURRENT)
                    .is_some_and(|c| c.contains("Prod"))
            };
            let ami = w
                .images
                .values_mut()
                .filter(|a| a.name.starts_with("acme/"))
                .find(current)
                .expect("current");
            ami.tags.insert(tags::STATE.to_owned(), state.to_owned());
        });
        let setup = Operation::Rollback(version(1))
            .succeed_on_day(&setup, 26)
            .await;
        assert_rows(
            &setup,
            HOME,
            "base",
            &[("released", "Prod", "Prod"), (state, "", "Test")],
            (2, 1),
        );
        assert_rows(
            &setup,
            PROD[1],
            "base",
            &[("released", "Prod", "Prod"), ("held", "Test", "")],
            (0, 1),
        );
    }
}
