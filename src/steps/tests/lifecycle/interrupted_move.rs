//! Owns the proof that an error or a kill at any call of a promotion, a rollback or a revocation can be mended.

use super::{
    HOME, Operation, PROD, assert_consistent, assert_no_halves, assert_points, assert_rows, on,
    released, start, table, two_promoted, two_versions, v,
};
use crate::adapters::fake::{Fault, When};
use crate::lifecycle::tags;
use crate::steps::tests::TestEnv;

/// The operations that faults and kills are tried on, each with the inventory before and what finishes it.
async fn operations() -> Vec<(TestEnv, Operation)> {
    let (versions, promoted) = (two_versions().await, two_promoted().await);
    let layered = released(&start(), &["base", "a"], 22).await;
    vec![
        (versions, Operation::Promote(&["base"])),
        (promoted, Operation::Rollback(v(1))),
        (two_promoted().await, Operation::Revoke("base", v(2))),
        (
            Operation::Promote(&["base", "a"]).done(&layered, 23).await,
            Operation::Revoke("base", v(1)),
        ),
    ]
}

/// What must hold at every moment: of a move what always must; of a revocation that a pointer leaves an AMI only after
/// its state said so.
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
        early.map(|name| format!("{name} moved before the state said why"))
    });
}

#[tokio::test]
async fn an_error_at_any_call_is_consistent_and_done_again_it_ends_the_same() {
    for (before, operation) in operations().await {
        let clean = operation.done(&before, 28).await;
        let (wanted, calls) = (table(&clean), clean.cloud.calls());
        for (index, call) in calls.iter().enumerate() {
            for when in [When::Before, When::After]
                .into_iter()
                .take(1 + usize::from(call.changes))
            {
                let context = format!(
                    "{operation:?} {when:?} call {} ({} {})",
                    index + 1,
                    call.action,
                    call.about
                );
                let setup = on(&before, 28);
                watch_invariants(&setup, &operation);
                setup.cloud.fail(Fault::call(index + 1, when));
                let outcome = operation.execute(&setup).await;
                assert_eq!(
                    outcome.kind(),
                    Some(crate::error::Kind::StepFailed),
                    "{context}: {outcome:?}"
                );
                assert_eq!(setup.cloud.seen(), Vec::<String>::new(), "{context}");
                if !matches!(operation, Operation::Revoke(..)) {
                    assert_points(&setup, &context);
                    assert_no_halves(&setup, &context);
                }
                let again = operation.done(&on(&setup, 28), 28).await;
                assert_eq!(table(&again), wanted, "{context}, again");
                assert_consistent(&again, &context);
                assert_no_halves(&again, &context);
            }
        }
    }
}

#[tokio::test]
async fn killed_before_any_call_the_doctor_makes_it_consistent_and_done_again_it_ends_the_same() {
    for (before, operation) in operations().await {
        let clean = operation.done(&before, 28).await;
        let (wanted, calls) = (table(&clean), clean.cloud.calls().len());
        let mut interrupted = 0;
        for at in 1..=calls {
            let context = format!("{operation:?} killed before call {at}");
            let setup = on(&before, 28);
            let halted = setup.cloud.halt_before(at);
            tokio::select! {
                outcome = operation.execute(&setup) => panic!("{context}: {outcome:?}"),
                () = halted.notified() => {}
            }
            let setup = on(&setup, 28);
            let plan = Operation::Doctor.plan(&setup);
            interrupted += usize::from(!plan.steps.is_empty());
            let setup = Operation::Doctor.done(&setup, 28).await;
            assert_consistent(&setup, &context);
            let again = operation.done(&setup, 28).await;
            assert_eq!(table(&again), wanted, "{context}, again");
            assert_consistent(&again, &context);
            assert_no_halves(&again, &context);
        }
        assert!(
            interrupted > 3,
            "{operation:?}: the doctor had something to do only {interrupted} times"
        );
    }
}

#[tokio::test]
async fn a_rollback_never_makes_a_revoked_or_retiring_version_milder() {
    for state in ["revoked", "retiring"] {
        let setup = two_promoted().await;
        // A revocation or a prune that was cut right after the state, at home.
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
        let setup = Operation::Rollback(v(1)).done(&setup, 26).await;
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
