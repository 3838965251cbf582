//! Tests that a prune or a restore that was killed before any call ends in the same state when
//! repeated.

use std::sync::Arc;

use super::{TestEnv, catalog_with};
use crate::adapters::fake::FakeCloudState;
use crate::lifecycle::{Record, tags};
use crate::model::AmiId;
use crate::plan::Plan;
use crate::plan::prune::{PruneOptions, plan_prune, plan_restore};

const WAITS: &str = "name: acme\nregions: [eu-west-1]\n\
    retention: {keep: 1, disable_after: 1d, deregister_after: 1d}\n";

/// Prune of the day, or restore of all retiring AMIs.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Prune,
    Restore,
}

impl Operation {
    fn plans(self, setup: &TestEnv) -> Vec<Plan> {
        let inventory = setup.inventory();
        match self {
            Self::Prune => {
                let wish = PruneOptions {
                    keep: None,
                    shared_ok: true,
                };
                vec![plan_prune(&setup.catalog, &inventory, &wish, "x".into()).1]
            }
            Self::Restore => {
                let is_retiring = |a: &&crate::model::Ami| {
                    a.tags.get(tags::STATE).is_some_and(|s| s == "retiring")
                };
                inventory
                    .images
                    .iter()
                    .filter(is_retiring)
                    .map(|ami| plan_restore(&inventory, ami, "x".into()))
                    .collect()
            }
        }
    }

    async fn execute(self, setup: &TestEnv) {
        for plan in self.plans(setup) {
            let outcome = setup.execute(&plan).await;
            assert_eq!(outcome.kind(), None, "{self:?}: {outcome:?}");
        }
    }
}

/// Returns the environment with the same cloud and store at another time.
pub(super) fn at_time(setup: &TestEnv, now: &str) -> TestEnv {
    let mut next = setup.next_run(Arc::clone(&setup.catalog), now);
    next.store
        .objects
        .lock()
        .expect("no panic")
        .clone_from(&setup.store.objects.lock().expect("no panic"));
    next.options = setup.options.clone();
    next
}

/// Returns an environment with two versions of each image. The older ones are shared with another
/// account.
pub(super) async fn two_versions() -> TestEnv {
    let waits = catalog_with(WAITS, &[]);
    let setup = TestEnv::with_state(
        TestEnv::new().cloud.state(|w| w.clone()),
        Arc::clone(&waits),
        "2026-11-22T12:00:00Z",
    );
    assert_eq!(setup.release("r1").await.kind(), None);
    let setup = setup.next_run(waits, "2026-11-23T12:00:00Z");
    assert_eq!(
        setup.execute(&setup.release_plan("r2", true)).await.kind(),
        None
    );
    setup.cloud.state(|w| {
        let own = w.own();
        let old: Vec<AmiId> = Record::read_all_published(&own, &"acme".into())
            .iter()
            .filter(|r| r.current.is_empty())
            .map(|r| r.ami.id.clone())
            .collect();
        assert_eq!(old.len(), 4);
        for id in old {
            w.permissions
                .insert(id, [String::from("333333333333")].into());
        }
    });
    setup
}

/// Returns the state without the ID counter and empty tags.
fn lasting_state(setup: &TestEnv) -> FakeCloudState {
    let mut inventory = setup.cloud.state(|w| w.clone());
    inventory.given = 0;
    inventory
        .images
        .values_mut()
        .for_each(|ami| ami.tags.retain(|_, value| !value.is_empty()));
    inventory
}

#[tokio::test]
async fn repeated_run_completes_killed_retirement() {
    let mut before = two_versions().await;
    let days = [
        ("24", Operation::Prune),
        ("25", Operation::Prune),
        ("25", Operation::Restore),
        ("26", Operation::Prune),
    ];
    for (day, operation) in days {
        let now = format!("2026-11-{day}T12:00:00Z");
        let start = at_time(&before, &now);
        let clean = at_time(&before, &now);
        operation.execute(&clean).await;
        let (wanted, calls) = (lasting_state(&clean), clean.cloud.calls().len());
        assert!(
            calls >= 12,
            "{operation:?} on the {day}th makes only {calls} calls"
        );
        for at in 1..=calls {
            let setup = at_time(&start, &now);
            let halted = setup.cloud.halt_before(at);
            tokio::select! {
                () = operation.execute(&setup) => {
                    panic!("{operation:?} ended before call {at} of {calls}")
                }
                () = halted.notified() => {}
            }
            let again = at_time(&setup, &now);
            operation.execute(&again).await;
            assert_eq!(
                lasting_state(&again),
                wanted,
                "{operation:?} on the {day}th, killed before call {at}"
            );
        }
        if matches!(operation, Operation::Prune) {
            before = clean;
        }
    }
    let gone = before.cloud.state(|w| w.own().len());
    assert_eq!(
        gone,
        4 + 2,
        "a manual copy and another catalog's AMI remain"
    );
}

#[tokio::test]
async fn restore_ignores_outdated_permission_record() {
    let setup = two_versions().await;
    setup.cloud.state(|w| {
        for id in std::mem::take(&mut w.permissions).into_keys() {
            w.images
                .get_mut(&id)
                .expect("it")
                .tags
                .insert(tags::PERMISSIONS.to_owned(), "1 333333333333".to_owned());
        }
    });
    let mut now = setup;
    for (day, operation) in [
        ("24", Operation::Prune),
        ("25", Operation::Prune),
        ("25", Operation::Restore),
    ] {
        now = at_time(&now, &format!("2026-11-{day}T12:00:00Z"));
        operation.execute(&now).await;
    }
    let given = now.cloud.state(|w| w.permissions.clone());
    assert!(
        given.values().all(std::collections::BTreeSet::is_empty),
        "{given:?}"
    );
}
