//! Tests that a failing location does not stop the others, and that a later run completes it.

use super::{
    HOME, Operation, PROD, V, assert_consistent, assert_no_leftovers, assert_rows, name, on_day,
    promote_two_versions, release_on_day, state_table, two_accounts, two_versions, version,
};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::engine::outcome::ScopeEnd;
use crate::lifecycle::tags;
use crate::model::{Location, Region};
use crate::plan::{release, revoke, rollback};
use crate::ports::CloudErrorKind;
use crate::steps::tests::{OTHER, catalog_with};

#[tokio::test]
async fn release_publishes_to_other_locations_and_completes_later() {
    let settings = "name: acme\nregions: [eu-west-1, us-east-1]\n";
    let fresh = two_accounts().next_run(catalog_with(settings, &[]), "2026-11-22T12:00:00Z");
    let there = release_on_day(&fresh, &["base"], 22).await;
    assert_rows(
        &there,
        "us-east-1",
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
    // Copies to one Region fail: the image is released at home, and a later run completes the
    // Region.
    let setup = on_day(&fresh, 22);
    setup
        .cloud
        .state_at(ACCOUNT, &"us-east-1".into(), |w| w.copies_fail = true);
    let request = release::ReleaseRequest {
        images: vec![name("base")],
        force: false,
        run: "r22".into(),
    };
    let outcome = setup
        .execute(&release::plan_release(
            &setup.catalog,
            &setup.inventory(),
            &request,
        ))
        .await;
    assert!(outcome.end_of("base").is_done(), "{outcome:?}");
    let ScopeEnd::Failed { error, .. } = outcome.end_of("base@us-east-1") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("Client.InternalError: late"), "{error}");
    assert_rows(
        &setup,
        HOME,
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
    assert_no_leftovers(&setup, "a late failure");
    let setup = on_day(&setup, 23);
    setup
        .cloud
        .state_at(ACCOUNT, &"us-east-1".into(), |w| w.copies_fail = false);
    let request = release::ReleaseRequest {
        run: "r23".into(),
        ..request
    };
    let plan = release::plan_release(&setup.catalog, &setup.inventory(), &request);
    assert!(
        plan.decisions[0]
            .reasons
            .iter()
            .any(|r| r.contains("not yet at all locations")),
        "{:?}",
        plan.decisions
    );
    assert_eq!(setup.execute(&plan).await.kind(), None);
    assert_rows(
        &setup,
        "us-east-1",
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
}

#[tokio::test]
async fn failing_region_is_reported_and_completed_by_rerun() {
    let setup = on_day(&two_versions().await, 25);
    setup
        .cloud
        .state_at(OTHER, &"us-east-1".into(), |w| w.copies_fail = true);
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    let failed: Vec<String> = outcome
        .scopes
        .iter()
        .filter(|(_, e)| !e.is_done())
        .map(|(s, _)| s.to_string())
        .collect();
    assert_eq!(failed, ["base@222222222222.us-east-1"]);
    assert_eq!(outcome.kind(), Some(crate::error::Kind::StepFailed));
    assert_consistent(&setup, "one location failed");
    assert_no_leftovers(&setup, "one location failed");
    assert_rows(
        &setup,
        PROD[3],
        "base",
        &[("released", "Prod", "Prod")],
        (0, 1),
    );
    let setup = on_day(&setup, 26);
    setup
        .cloud
        .state_at(OTHER, &"us-east-1".into(), |w| w.copies_fail = false);
    let plan = Operation::Promote(&["base"]).plan(&setup);
    assert_eq!(
        plan.scopes().len(),
        1,
        "completed locations are not changed: {:?}",
        plan.scopes()
    );
    assert_eq!(setup.execute(&plan).await.kind(), None);
    assert_rows(
        &setup,
        PROD[3],
        "base",
        &[("released", "Prod", ""), ("released", "Prod", "Prod")],
        (0, 2),
    );
}

#[tokio::test]
async fn unreadable_location_fails_alone() {
    let setup = on_day(&promote_two_versions().await, 26);
    let gone = Location {
        account: None,
        region: Region::from("us-east-1"),
    };
    let mut inventory = setup.inventory();
    inventory
        .images
        .retain(|a| a.region != gone.region || a.owner != ACCOUNT);
    inventory.unreachable = vec![(gone, "DescribeImages in us-east-1: timed out".to_owned())];
    let image = &setup.catalog.images[&name("base")];
    for plan in [
        rollback::plan_rollback(
            &setup.catalog,
            &inventory,
            image,
            &"Prod".into(),
            None,
            "x".into(),
        ),
        revoke::plan_revocation(
            &setup.catalog,
            &inventory,
            &name("base"),
            version(2),
            "x".into(),
        ),
    ] {
        let setup = on_day(&setup, 26);
        let outcome = setup.execute(&plan).await;
        let failed = outcome.scopes.iter().filter(|(_, e)| !e.is_done());
        let failed: Vec<String> = failed
            .map(|(scope, _)| {
                scope
                    .location()
                    .map_or_else(String::new, ToString::to_string)
            })
            .collect();
        assert_eq!(failed, ["us-east-1"], "{outcome:?}");
        let (_, pointers) = state_table(&setup);
        let prod = |location: &str| {
            pointers
                .iter()
                .find(|((p, n), _)| p == location && n.ends_with("/Prod/x86_64"))
                .map(|(_, v)| v.clone())
        };
        assert_eq!(prod(PROD[2]).as_deref(), Some(V[0]));
        assert_eq!(prod("us-east-1").as_deref(), Some(V[1]));
    }
}

#[tokio::test]
async fn unfinished_copy_is_taken_over_before_waiting() {
    for vanishes in [false, true] {
        let setup = on_day(&two_versions().await, 25);
        let mut original = setup
            .inventory()
            .images
            .into_iter()
            .find(|a| a.tags.get(tags::VERSION).is_some_and(|v| v == V[1]));
        let original = original.take().expect("the newest");
        let mut tags_of_copy = original.tags.clone();
        for key in [tags::SELF, tags::CURRENT, "Environment"] {
            tags_of_copy.remove(key);
        }
        let origin = format!("{HOME}:{}", original.id);
        for (key, value) in [
            (tags::STATE, "candidate"),
            (tags::ORIGIN, &origin),
            (tags::RUN, "dead"),
            (tags::EXPIRES, "past"),
        ] {
            tags_of_copy.insert(key.to_owned(), value.to_owned());
        }
        let there: Region = "us-east-1".into();
        let id = setup.cloud.state_at(ACCOUNT, &there, |w| {
            w.register(&there, &original.name, ACCOUNT, &tags_of_copy)
        });
        if vanishes {
            let (about, kind) = (Some(id.0.clone()), CloudErrorKind::NotFound);
            setup.cloud.fail(Fault {
                about,
                kind,
                ..Fault::always("images")
            });
        }
        let plan = Operation::Promote(&["base"]).plan(&setup);
        let outcome = setup.execute(&plan).await;
        let first = setup
            .cloud
            .calls()
            .into_iter()
            .find(|c| c.about == id.0)
            .expect("a call about it");
        assert_eq!(first.action, "tag", "the copy is tagged before the wait");
        if vanishes {
            let ScopeEnd::Failed { error, .. } = outcome.end_of("base@us-east-1") else {
                panic!("{outcome:?}")
            };
            assert!(error.contains("disappeared"), "{error}");
            continue;
        }
        assert_eq!(outcome.kind(), None, "{outcome:?}");
        let now = setup.cloud.state_at(ACCOUNT, &there, |w| {
            (w.images[&id].clone(), w.snapshots.clone())
        });
        assert_eq!(now.0.tags[tags::RUN], plan.run.0);
        assert_eq!(now.1[&now.0.snapshots[0]][tags::RUN], plan.run.0);
        assert_rows(
            &setup,
            PROD[1],
            "base",
            &[("released", "Prod", ""), ("released", "Prod", "Prod")],
            (0, 2),
        );
    }
}
