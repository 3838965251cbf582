//! Owns the proof that a promotion takes back what it let another account use, and nothing that was there before it.

use std::collections::BTreeSet;

use super::{Deed, OTHER, on, two_versions};
use crate::adapters::fake::{FakeCloudState, Fault};
use crate::lifecycle::tags;
use crate::model::{AmiId, Sharing, SnapshotId};
use crate::steps::tests::House;

/// The newest version at home, which is promoted, with a second snapshot.
fn original(house: &House) -> (AmiId, Vec<SnapshotId>) {
    house.cloud.state(|w| {
        let newest = |a: &&mut crate::model::Ami| {
            a.tags
                .get(tags::CURRENT)
                .is_some_and(|c| c.starts_with("Test="))
        };
        let ami = w
            .images
            .values_mut()
            .filter(|a| a.name.starts_with("acme/"))
            .find(newest)
            .expect("current in Test");
        if ami.snapshots.len() == 1 {
            ami.snapshots.push("snap-second".into());
        }
        (ami.id.clone(), ami.snapshots.clone())
    })
}

fn shared(inventory: &FakeCloudState) -> (BTreeSet<AmiId>, BTreeSet<SnapshotId>) {
    let images = inventory
        .permissions
        .iter()
        .filter(|(_, who)| who.contains(OTHER))
        .map(|(id, _)| id.clone());
    (
        images.collect(),
        inventory
            .volume_permissions
            .iter()
            .map(|(snapshot, _)| snapshot.clone())
            .collect(),
    )
}

#[tokio::test]
async fn a_promotion_leaves_the_permissions_that_were_there_before_it() {
    let start = two_versions().await;
    for (image, count, fails) in [
        (false, 0, false),
        (true, 0, false),
        (true, 2, false),
        (false, 1, true),
        (true, 2, true),
    ] {
        let context = format!("AMI {image}, {count} snapshots, copying fails: {fails}");
        let house = on(&start, 25);
        let (id, snapshots) = original(&house);
        let before = Sharing {
            image,
            snapshots: snapshots.into_iter().take(count).collect(),
        };
        house.cloud.state(|w| w.share(&id, &before, OTHER, true));
        let before = house.cloud.state(|w| shared(w));
        if fails {
            house.cloud.fail(Fault::always("copy_image"));
        }
        let outcome = Deed::Promote(&["base"]).act(&house).await;
        assert_eq!(outcome.kind().is_some(), fails, "{context}: {outcome:?}");
        assert_eq!(house.cloud.state(|w| shared(w)), before, "{context}");
        let marks = house
            .facts()
            .images
            .into_iter()
            .flat_map(|a| a.tags)
            .filter(|(k, _)| k.starts_with(tags::SHARING));
        assert_eq!(marks.collect::<Vec<_>>(), [], "{context}");
    }
}

#[tokio::test]
async fn what_a_dead_run_gave_is_taken_back_by_the_next() {
    let house = on(&two_versions().await, 25);
    let (id, snapshots) = original(&house);
    house.cloud.state(|w| {
        let all = Sharing {
            image: true,
            snapshots: snapshots.iter().cloned().collect(),
        };
        w.share(&id, &all, OTHER, true);
        let note = format!("ami {}", snapshots[0]);
        w.images
            .get_mut(&id)
            .expect("there")
            .tags
            .insert(format!("{}{OTHER}", tags::SHARING), note);
    });
    assert_eq!(Deed::Promote(&["base"]).act(&house).await.kind(), None);
    let left = (BTreeSet::new(), BTreeSet::from([snapshots[1].clone()]));
    assert_eq!(
        house.cloud.state(|w| shared(w)),
        left,
        "the second snapshot was shared by somebody else"
    );
}

#[tokio::test]
async fn doctor_removes_copy_permissions_of_a_killed_promotion() {
    let clean = Deed::Promote(&["base"])
        .done(&two_versions().await, 25)
        .await;
    let mut shares = 0;
    for at in 1..=clean.cloud.calls().len() {
        let house = on(&two_versions().await, 25);
        let halted = house.cloud.halt_before(at);
        tokio::select! {
            outcome = Deed::Promote(&["base"]).act(&house) => panic!("{outcome:?}"),
            () = halted.notified() => {}
        }
        let house = on(&house, 25);
        shares += usize::from(house.cloud.state(|w| shared(w)) != Default::default());
        let house = Deed::Doctor.done(&house, 25).await;
        assert_eq!(
            house.cloud.state(|w| shared(w)),
            Default::default(),
            "killed before call {at}"
        );
        let left = house
            .facts()
            .images
            .into_iter()
            .flat_map(|a| a.tags)
            .filter(|(k, _)| k.starts_with(tags::SHARING));
        assert_eq!(left.collect::<Vec<_>>(), [], "killed before call {at}");
    }
    assert!(shares > 3, "only {shares} kills left a permission");
}
