//! Owns the proof that an error or a kill at any call of a promotion, a rollback or a revocation can be mended.

use super::{
    Deed, HOME, PROD, assert_consistent, assert_no_halves, assert_points, assert_rows, on,
    released, start, table, two_promoted, two_versions, v,
};
use crate::adapters::fake::{Fault, When};
use crate::lifecycle::tags;
use crate::steps::tests::House;

/// The deeds that faults and kills are tried on, each with the inventory before and what finishes it.
async fn deeds() -> Vec<(House, Deed)> {
    let (versions, promoted) = (two_versions().await, two_promoted().await);
    let layered = released(&start(), &["base", "a"], 22).await;
    vec![
        (versions, Deed::Promote(&["base"])),
        (promoted, Deed::Rollback(v(1))),
        (two_promoted().await, Deed::Revoke("base", v(2))),
        (
            Deed::Promote(&["base", "a"]).done(&layered, 23).await,
            Deed::Revoke("base", v(1)),
        ),
    ]
}

/// What must hold at every moment: of a move what always must; of a revocation that a pointer leaves an AMI only after
/// its state said so.
fn stand_guard(house: &House, deed: &Deed) {
    let Deed::Revoke(..) = deed else {
        return house.stand_guard();
    };
    let before = house.cloud.state(|w| w.parameters.clone());
    house.cloud.watch(move |state| {
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
    for (before, deed) in deeds().await {
        let clean = deed.done(&before, 28).await;
        let (wanted, calls) = (table(&clean), clean.cloud.calls());
        for (index, call) in calls.iter().enumerate() {
            for when in [When::Before, When::After]
                .into_iter()
                .take(1 + usize::from(call.changes))
            {
                let context = format!(
                    "{deed:?} {when:?} call {} ({} {})",
                    index + 1,
                    call.action,
                    call.about
                );
                let house = on(&before, 28);
                stand_guard(&house, &deed);
                house.cloud.fail(Fault::call(index + 1, when));
                let outcome = deed.act(&house).await;
                assert_eq!(
                    outcome.kind(),
                    Some(crate::error::Kind::StepFailed),
                    "{context}: {outcome:?}"
                );
                assert_eq!(house.cloud.seen(), Vec::<String>::new(), "{context}");
                if !matches!(deed, Deed::Revoke(..)) {
                    assert_points(&house, &context);
                    assert_no_halves(&house, &context);
                }
                let again = deed.done(&on(&house, 28), 28).await;
                assert_eq!(table(&again), wanted, "{context}, again");
                assert_consistent(&again, &context);
                assert_no_halves(&again, &context);
            }
        }
    }
}

#[tokio::test]
async fn killed_before_any_call_the_doctor_makes_it_consistent_and_done_again_it_ends_the_same() {
    for (before, deed) in deeds().await {
        let clean = deed.done(&before, 28).await;
        let (wanted, calls) = (table(&clean), clean.cloud.calls().len());
        let mut torn = 0;
        for at in 1..=calls {
            let context = format!("{deed:?} killed before call {at}");
            let house = on(&before, 28);
            let halted = house.cloud.halt_before(at);
            tokio::select! {
                outcome = deed.act(&house) => panic!("{context}: {outcome:?}"),
                () = halted.notified() => {}
            }
            let house = on(&house, 28);
            let plan = Deed::Doctor.plan(&house);
            torn += usize::from(!plan.steps.is_empty());
            let house = Deed::Doctor.done(&house, 28).await;
            assert_consistent(&house, &context);
            let again = deed.done(&house, 28).await;
            assert_eq!(table(&again), wanted, "{context}, again");
            assert_consistent(&again, &context);
            assert_no_halves(&again, &context);
        }
        assert!(
            torn > 3,
            "{deed:?}: the doctor had something to do only {torn} times"
        );
    }
}

#[tokio::test]
async fn a_rollback_never_makes_a_revoked_or_retiring_version_milder() {
    for state in ["revoked", "retiring"] {
        let house = two_promoted().await;
        // A revocation or a prune that was cut right after the state, at home.
        house.cloud.state(|w| {
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
        let house = Deed::Rollback(v(1)).done(&house, 26).await;
        assert_rows(
            &house,
            HOME,
            "base",
            &[("released", "Prod", "Prod"), (state, "", "Test")],
            (2, 1),
        );
        assert_rows(
            &house,
            PROD[1],
            "base",
            &[("released", "Prod", "Prod"), ("held", "Test", "")],
            (0, 1),
        );
    }
}
