//! Owns the proof that a prune or a restore that was killed before any of its calls ends the same when it is done again.

use std::sync::Arc;

use super::{House, catalog_with};
use crate::adapters::fake::FakeCloudState;
use crate::lifecycle::{Record, tags};
use crate::model::AmiId;
use crate::plan::Plan;
use crate::plan::prune::{PruneOptions, plan_prune, plan_restore};

const WAITS: &str = "name: acme\nregions: [eu-west-1]\nretention: {keep: 1, disable_after: 1d, deregister_after: 1d}\n";

/// What is due on a day, or the way back for everything on the way out.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Prune,
    Restore,
}

impl Deed {
    fn plans(self, house: &House) -> Vec<Plan> {
        let inventory = house.facts();
        match self {
            Self::Prune => {
                let wish = PruneOptions {
                    keep: None,
                    shared_ok: true,
                };
                vec![plan_prune(&house.catalog, &inventory, &wish, "x".into()).1]
            }
            Self::Restore => {
                let out = |a: &&crate::model::Ami| {
                    a.tags.get(tags::STATE).is_some_and(|s| s == "retiring")
                };
                inventory
                    .images
                    .iter()
                    .filter(out)
                    .map(|ami| plan_restore(&inventory, ami, "x".into()))
                    .collect()
            }
        }
    }

    async fn act(self, house: &House) {
        for plan in self.plans(house) {
            let outcome = house.act(&plan).await;
            assert_eq!(outcome.kind(), None, "{self:?}: {outcome:?}");
        }
    }
}

/// The same inventory and store at another time.
fn on(house: &House, now: &str) -> House {
    let mut next = house.next(Arc::clone(&house.catalog), now);
    next.store
        .objects
        .lock()
        .expect("no panic")
        .clone_from(&house.store.objects.lock().expect("no panic"));
    next.options = house.options.clone();
    next
}

/// Two versions of each image, the older ones shared with somebody.
async fn two() -> House {
    let waits = catalog_with(WAITS, &[]);
    let house = House::over(
        House::new().cloud.state(|w| w.clone()),
        Arc::clone(&waits),
        "2026-11-22T12:00:00Z",
    );
    assert_eq!(house.release("r1").await.kind(), None);
    let house = house.next(waits, "2026-11-23T12:00:00Z");
    assert_eq!(house.act(&house.plan("r2", true)).await.kind(), None);
    house.cloud.state(|w| {
        let own = w.own();
        let old: Vec<AmiId> = Record::read_all(&own, &"acme".into())
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
    house
}

/// All that counts; an empty tag is none.
fn lasting(house: &House) -> FakeCloudState {
    let mut inventory = house.cloud.state(|w| w.clone());
    inventory.given = 0;
    inventory
        .images
        .values_mut()
        .for_each(|ami| ami.tags.retain(|_, value| !value.is_empty()));
    inventory
}

#[tokio::test]
async fn killed_before_any_call_and_done_again_it_ends_the_same() {
    let mut before = two().await;
    let days = [
        ("24", Deed::Prune),
        ("25", Deed::Prune),
        ("25", Deed::Restore),
        ("26", Deed::Prune),
    ];
    for (day, deed) in days {
        let now = format!("2026-11-{day}T12:00:00Z");
        let start = on(&before, &now);
        let clean = on(&before, &now);
        deed.act(&clean).await;
        let (wanted, calls) = (lasting(&clean), clean.cloud.calls().len());
        assert!(
            calls >= 12,
            "{deed:?} on the {day}th makes only {calls} calls"
        );
        for at in 1..=calls {
            let house = on(&start, &now);
            let halted = house.cloud.halt_before(at);
            tokio::select! {
                () = deed.act(&house) => panic!("{deed:?}: it ended before call {at} of {calls}"),
                () = halted.notified() => {}
            }
            let again = on(&house, &now);
            deed.act(&again).await;
            assert_eq!(
                lasting(&again),
                wanted,
                "{deed:?} on the {day}th, killed before call {at}"
            );
        }
        if matches!(deed, Deed::Prune) {
            before = clean;
        }
    }
    let gone = before.cloud.state(|w| w.own().len());
    assert_eq!(
        gone,
        4 + 2,
        "the old versions are gone, a hand copy and another catalog's AMI stay"
    );
}

#[tokio::test]
async fn a_record_of_an_earlier_time_gives_nobody_back_what_was_taken_from_them() {
    let house = two().await;
    house.cloud.state(|w| {
        for id in std::mem::take(&mut w.permissions).into_keys() {
            w.images
                .get_mut(&id)
                .expect("it")
                .tags
                .insert(tags::PERMISSIONS.to_owned(), "1 333333333333".to_owned());
        }
    });
    let mut now = house;
    for (day, deed) in [
        ("24", Deed::Prune),
        ("25", Deed::Prune),
        ("25", Deed::Restore),
    ] {
        now = on(&now, &format!("2026-11-{day}T12:00:00Z"));
        deed.act(&now).await;
    }
    let given = now.cloud.state(|w| w.permissions.clone());
    assert!(
        given.values().all(std::collections::BTreeSet::is_empty),
        "{given:?}"
    );
}
