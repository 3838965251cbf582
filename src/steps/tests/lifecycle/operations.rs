//! Tests promotion, rollback, revocation and hold: AMI states and pointers in all locations.

use super::{
    HOME, Operation, PROD, assert_consistent, assert_no_leftovers, assert_rows, on_day,
    promote_two_versions, release_on_day, two_accounts, version,
};
use crate::lifecycle::tags;
use crate::plan::Scope;

#[tokio::test]
async fn promotions_follow_state_table_in_all_locations() {
    let setup = release_on_day(&two_accounts(), &["base"], 22).await;
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
    assert_rows(&setup, "us-east-1", "base", &[], (0, 0));

    let setup = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 23)
        .await;
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Prod", "Test+Prod")],
        (1, 1),
    );
    for location in &PROD[1..] {
        assert_rows(
            &setup,
            location,
            "base",
            &[("released", "Prod", "Prod")],
            (0, 1),
        );
    }
    assert!(
        Operation::Promote(&["base"]).plan(&setup).steps.is_empty(),
        "current AMIs are not changed"
    );

    let setup = release_on_day(&setup, &["base"], 24).await;
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Prod", "Prod"), ("released", "Test", "Test")],
        (2, 1),
    );

    let setup = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 25)
        .await;
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Prod", ""), ("released", "Prod", "Test+Prod")],
        (2, 2),
    );
    for location in &PROD[1..] {
        assert_rows(
            &setup,
            location,
            "base",
            &[("released", "Prod", ""), ("released", "Prod", "Prod")],
            (0, 2),
        );
    }
    assert_no_leftovers(&setup, "promoted");
}

#[tokio::test]
async fn held_version_stays_current_without_a_doctor() {
    let setup = promote_two_versions().await;
    let setup = Operation::Hold(version(2), false)
        .succeed_on_day(&setup, 26)
        .await;
    let kept = Operation::Promote(&["base"]).plan(&setup);
    assert_eq!(
        (&kept.decisions[0].reasons[..], kept.steps.len()),
        (&["already current in `Prod`, and held".to_owned()][..], 0)
    );
    let (account, region) = (crate::steps::tests::OTHER, "us-east-1".into());
    setup.cloud.state_at(account, &region, |w| w.images.clear());
    let refused = Operation::Promote(&["base"]).plan(&setup);
    let reason = &refused.decisions[0].reasons[0];
    assert!(
        refused.steps.is_empty() && reason.contains("--release-hold"),
        "it reaches no further location: {refused:?}"
    );
}

#[tokio::test]
async fn rollback_names_versions_that_become_held() {
    let setup = promote_two_versions().await;
    let plan = Operation::Rollback(version(1)).plan(&setup);
    let reasons = &plan.decisions[0].reasons;
    let held = format!("{} becomes held, and stays current in `Test`", version(2));
    assert_eq!(reasons.get(1), Some(&held), "{reasons:?}");
}

#[tokio::test]
async fn rollback_and_revocation_follow_state_table_in_all_locations() {
    let setup = promote_two_versions().await;
    let setup = Operation::Rollback(version(1))
        .succeed_on_day(&setup, 26)
        .await;
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Prod", "Prod"), ("held", "Test", "Test")],
        (2, 1),
    );
    for location in &PROD[1..] {
        assert_rows(
            &setup,
            location,
            "base",
            &[("released", "Prod", "Prod"), ("held", "Test", "")],
            (0, 1),
        );
    }
    let refused = Operation::Promote(&["base"]).plan(&setup);
    assert!(
        refused.steps.is_empty() && refused.decisions[0].reasons[0].contains("held"),
        "{:?}",
        refused.decisions
    );

    let setup = Operation::Revoke("base", version(2))
        .succeed_on_day(&setup, 27)
        .await;
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Prod", "Test+Prod"), ("revoked", "", "")],
        (1, 1),
    );
    for location in &PROD[1..] {
        assert_rows(
            &setup,
            location,
            "base",
            &[("released", "Prod", "Prod"), ("revoked", "", "")],
            (0, 1),
        );
    }
    assert_consistent(&setup, "revoked");
    // Snapshots have the state of their AMI.
    setup.cloud.state(|w| {
        let revoked = w
            .images
            .values()
            .find(|a| a.tags.get(tags::STATE).is_some_and(|s| s == "revoked"))
            .expect("it");
        assert_eq!(w.snapshots[&revoked.snapshots[0]][tags::STATE], "revoked");
    });
    assert!(
        Operation::Revoke("base", version(2))
            .plan(&setup)
            .steps
            .is_empty(),
        "revoked already"
    );
}

#[tokio::test]
async fn revoke_includes_children_and_deletes_unused_pointers() {
    let setup = release_on_day(&two_accounts(), &["base", "a", "b"], 22).await;
    let setup = Operation::Promote(&["a", "base"])
        .succeed_on_day(&setup, 23)
        .await;
    let setup = Operation::Revoke("base", version(1))
        .succeed_on_day(&setup, 24)
        .await;
    for image in ["base", "a", "b"] {
        assert_rows(&setup, HOME, image, &[("revoked", "", "")], (0, 0));
    }
    assert_rows(&setup, PROD[3], "a", &[("revoked", "", "")], (0, 0));
    assert_consistent(&setup, "nothing left");
}

#[tokio::test]
async fn hold_applies_to_all_locations_and_can_be_released() {
    let setup = Operation::Hold(version(2), false)
        .succeed_on_day(&promote_two_versions().await, 26)
        .await;
    assert_rows(
        &setup,
        PROD[1],
        "base",
        &[("released", "Prod", ""), ("held", "Prod", "Prod")],
        (0, 2),
    );
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Prod", ""), ("held", "Prod", "Test+Prod")],
        (2, 2),
    );
    let setup = Operation::Hold(version(2), true)
        .succeed_on_day(&setup, 27)
        .await;
    assert_rows(
        &setup,
        PROD[1],
        "base",
        &[("released", "Prod", ""), ("released", "Prod", "Prod")],
        (0, 2),
    );
}

#[tokio::test]
async fn child_is_promoted_with_or_after_its_parent() {
    let setup = on_day(
        &release_on_day(&two_accounts(), &["base", "a"], 22).await,
        23,
    );
    let alone = Operation::Promote(&["a"]).plan(&setup);
    assert!(alone.steps.is_empty());
    assert!(
        alone.decisions[0].reasons[0].contains("layered on base@20261122.1"),
        "{:?}",
        alone.decisions
    );
    let together = Operation::Promote(&["a", "base"]).plan(&setup);
    for location in &PROD {
        let at = |image: &str| -> Scope {
            let text = if *location == HOME {
                image.to_owned()
            } else {
                format!("{image}@{location}")
            };
            text.parse().expect("a scope")
        };
        let position = |scope: Scope| {
            together
                .scopes()
                .iter()
                .position(|(s, _)| **s == scope)
                .expect("a scope")
        };
        assert!(position(at("base")) < position(at("a")));
        let scopes = together.scopes();
        let needs = &scopes[position(at("a"))].1;
        assert_eq!(*needs, [&at("base")], "{location}");
    }
    assert_eq!(setup.execute(&together).await.kind(), None);
    assert_no_leftovers(&setup, "together");
}
