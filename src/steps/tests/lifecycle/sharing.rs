//! Tests that a promotion removes the permissions that it granted, and no earlier ones.

use std::collections::BTreeSet;

use super::{OTHER, Operation, on_day, two_versions};
use crate::adapters::fake::{FakeCloudState, Fault};
use crate::lifecycle::tags;
use crate::model::{AmiId, Sharing, SnapshotId};
use crate::steps::tests::TestEnv;

/// Adds a second snapshot to the AMI that the tests promote, and returns both IDs.
fn original(setup: &TestEnv) -> (AmiId, Vec<SnapshotId>) {
    setup.cloud.state(|w| {
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

fn permitted_resources(inventory: &FakeCloudState) -> (BTreeSet<AmiId>, BTreeSet<SnapshotId>) {
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
async fn promotion_keeps_earlier_permissions() {
    let start = two_versions().await;
    for (image, count, fails) in [
        (false, 0, false),
        (true, 0, false),
        (true, 2, false),
        (false, 1, true),
        (true, 2, true),
    ] {
        let context = format!("AMI {image}, {count} snapshots, copying fails: {fails}");
        let setup = on_day(&start, 25);
        let (id, snapshots) = original(&setup);
        let before = Sharing {
            image,
            snapshots: snapshots.into_iter().take(count).collect(),
        };
        setup.cloud.state(|w| w.share(&id, &before, OTHER, true));
        let before = setup.cloud.state(|w| permitted_resources(w));
        if fails {
            setup.cloud.fail(Fault::always("copy_image"));
        }
        let outcome = Operation::Promote(&["base"]).execute(&setup).await;
        assert_eq!(outcome.kind().is_some(), fails, "{context}: {outcome:?}");
        assert_eq!(
            setup.cloud.state(|w| permitted_resources(w)),
            before,
            "{context}"
        );
        let sharing_tags = setup
            .inventory()
            .images
            .into_iter()
            .flat_map(|a| a.tags)
            .filter(|(k, _)| k.starts_with(tags::SHARING));
        assert_eq!(sharing_tags.collect::<Vec<_>>(), [], "{context}");
    }
}

#[tokio::test]
async fn next_run_removes_permissions_of_dead_run() {
    let setup = on_day(&two_versions().await, 25);
    let (id, snapshots) = original(&setup);
    setup.cloud.state(|w| {
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
    assert_eq!(
        Operation::Promote(&["base"]).execute(&setup).await.kind(),
        None
    );
    let left = (BTreeSet::new(), BTreeSet::from([snapshots[1].clone()]));
    assert_eq!(
        setup.cloud.state(|w| permitted_resources(w)),
        left,
        "the second snapshot was shared before"
    );
}

#[tokio::test]
async fn doctor_removes_copy_permissions_of_a_killed_promotion() {
    let start = two_versions().await;
    let clean = Operation::Promote(&["base"])
        .succeed_on_day(&start, 25)
        .await;
    let mut shares = 0;
    for at in 1..=clean.cloud.calls().len() {
        let setup = on_day(&start, 25);
        let halted = setup.cloud.halt_before(at);
        tokio::select! {
            outcome = Operation::Promote(&["base"]).execute(&setup) => panic!("{outcome:?}"),
            () = halted.notified() => {}
        }
        let setup = on_day(&setup, 25);
        shares += usize::from(setup.cloud.state(|w| permitted_resources(w)) != Default::default());
        let setup = Operation::Doctor.succeed_on_day(&setup, 25).await;
        assert_eq!(
            setup.cloud.state(|w| permitted_resources(w)),
            Default::default(),
            "killed before call {at}"
        );
        let left = setup
            .inventory()
            .images
            .into_iter()
            .flat_map(|a| a.tags)
            .filter(|(k, _)| k.starts_with(tags::SHARING));
        assert_eq!(left.collect::<Vec<_>>(), [], "killed before call {at}");
    }
    assert!(shares > 3, "only {shares} kills left a permission");
}
