//! Owns the proof that a location that fails holds no other up, and that it is made up for later.

use super::{
    Deed, HOME, PROD, V, assert_consistent, assert_no_halves, assert_rows, name, on, released,
    start, table, two_promoted, two_versions, v,
};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::engine::outcome::ScopeEnd;
use crate::lifecycle::tags;
use crate::model::{Location, Region};
use crate::plan::{release, revoke, rollback};
use crate::ports::CloudErrorKind;
use crate::steps::tests::{OTHER, catalog_with};

#[tokio::test]
async fn the_lowest_rungs_further_places_come_after_the_release_and_are_completed_later() {
    let settings = "name: acme\nregions: [eu-west-1, us-east-1]\n";
    let fresh = start().next(catalog_with(settings, &[]), "2026-11-22T12:00:00Z");
    let there = released(&fresh, &["base"], 22).await;
    assert_rows(
        &there,
        "us-east-1",
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
    // A Region whose copies fail: the image is released at home, the rest is said and made up for.
    let house = on(&fresh, 22);
    house
        .cloud
        .state_at(ACCOUNT, &"us-east-1".into(), |w| w.copies_fail = true);
    let request = release::ReleaseRequest {
        images: vec![name("base")],
        force: false,
        run: "r22".into(),
    };
    let outcome = house
        .act(&release::plan_release(
            &house.catalog,
            &house.facts(),
            &request,
        ))
        .await;
    assert!(outcome.scopes["base"].is_done(), "{outcome:?}");
    let ScopeEnd::Failed { error, .. } = &outcome.scopes["base@us-east-1"] else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("Client.InternalError: late"), "{error}");
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
    assert_no_halves(&house, "a late failure");
    let house = on(&house, 23);
    house
        .cloud
        .state_at(ACCOUNT, &"us-east-1".into(), |w| w.copies_fail = false);
    let request = release::ReleaseRequest {
        run: "r23".into(),
        ..request
    };
    let plan = release::plan_release(&house.catalog, &house.facts(), &request);
    assert!(
        plan.decisions[0]
            .reasons
            .iter()
            .any(|r| r.contains("not yet at all places")),
        "{:?}",
        plan.decisions
    );
    assert_eq!(house.act(&plan).await.kind(), None);
    assert_rows(
        &house,
        "us-east-1",
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
}

#[tokio::test]
async fn a_region_that_fails_is_said_the_others_finish_and_a_rerun_completes() {
    let house = on(&two_versions().await, 25);
    house
        .cloud
        .state_at(OTHER, &"us-east-1".into(), |w| w.copies_fail = true);
    let outcome = Deed::Promote(&["base"]).act(&house).await;
    let failed: Vec<&String> = outcome
        .scopes
        .iter()
        .filter(|(_, e)| !e.is_done())
        .map(|(s, _)| s)
        .collect();
    assert_eq!(failed, ["base@222222222222.us-east-1"]);
    assert_eq!(outcome.kind(), Some(crate::error::Kind::StepFailed));
    assert_consistent(&house, "one place failed");
    assert_no_halves(&house, "one place failed");
    assert_rows(
        &house,
        PROD[3],
        "base",
        &[("released", "Prod", "Prod")],
        (0, 1),
    );
    let house = on(&house, 26);
    house
        .cloud
        .state_at(OTHER, &"us-east-1".into(), |w| w.copies_fail = false);
    let plan = Deed::Promote(&["base"]).plan(&house);
    assert_eq!(
        plan.scopes().len(),
        1,
        "what is there is left: {:?}",
        plan.scopes()
    );
    assert_eq!(house.act(&plan).await.kind(), None);
    assert_rows(
        &house,
        PROD[3],
        "base",
        &[("released", "Prod", ""), ("released", "Prod", "Prod")],
        (0, 2),
    );
}

#[tokio::test]
async fn a_place_that_can_not_be_read_fails_alone() {
    let house = on(&two_promoted().await, 26);
    let gone = Location {
        account: None,
        region: Region::from("us-east-1"),
    };
    let mut inventory = house.facts();
    inventory
        .images
        .retain(|a| a.region != gone.region || a.owner != ACCOUNT);
    inventory.unreachable = vec![(gone, "DescribeImages in us-east-1: timed out".to_owned())];
    let image = &house.catalog.images[&name("base")];
    for plan in [
        rollback::plan_rollback(
            &house.catalog,
            &inventory,
            image,
            &"Prod".into(),
            None,
            "x".into(),
        ),
        revoke::plan_revocation(&house.catalog, &inventory, &name("base"), v(2), "x".into()),
    ] {
        let house = on(&house, 26);
        let outcome = house.act(&plan).await;
        let failed = outcome.scopes.iter().filter(|(_, e)| !e.is_done());
        let failed: Vec<&str> = failed
            .map(|(s, _)| s.split('@').next_back().unwrap_or(""))
            .collect();
        assert_eq!(failed, ["us-east-1"], "{outcome:?}");
        let (_, pointers) = table(&house);
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
async fn a_half_made_copy_becomes_this_runs_own_before_it_is_waited_for() {
    for vanishes in [false, true] {
        let house = on(&two_versions().await, 25);
        let mut original = house
            .facts()
            .images
            .into_iter()
            .find(|a| a.tags.get(tags::VERSION).is_some_and(|v| v == V[1]));
        let original = original.take().expect("the newest");
        let mut half = original.tags.clone();
        for key in [tags::SELF, tags::CURRENT, "Environment"] {
            half.remove(key);
        }
        let origin = format!("{HOME}:{}", original.id);
        for (key, value) in [
            (tags::STATE, "candidate"),
            (tags::ORIGIN, &origin),
            (tags::RUN, "dead"),
            (tags::EXPIRES, "past"),
        ] {
            half.insert(key.to_owned(), value.to_owned());
        }
        let there: Region = "us-east-1".into();
        let id = house.cloud.state_at(ACCOUNT, &there, |w| {
            w.register(&there, &original.name, ACCOUNT, &half)
        });
        if vanishes {
            let (about, kind) = (Some(id.0.clone()), CloudErrorKind::NotFound);
            house.cloud.fail(Fault {
                about,
                kind,
                ..Fault::always("images")
            });
        }
        let plan = Deed::Promote(&["base"]).plan(&house);
        let outcome = house.act(&plan).await;
        let first = house
            .cloud
            .calls()
            .into_iter()
            .find(|c| c.about == id.0)
            .expect("a call about it");
        assert_eq!(first.action, "tag", "before it is waited for");
        if vanishes {
            let ScopeEnd::Failed { error, .. } = &outcome.scopes["base@us-east-1"] else {
                panic!("{outcome:?}")
            };
            assert!(error.contains("was there and is gone"), "{error}");
            continue;
        }
        assert_eq!(outcome.kind(), None, "{outcome:?}");
        let now = house.cloud.state_at(ACCOUNT, &there, |w| {
            (w.images[&id].clone(), w.snapshots.clone())
        });
        assert_eq!(now.0.tags[tags::RUN], plan.run.0);
        assert_eq!(now.1[&now.0.snapshots[0]][tags::RUN], plan.run.0);
        assert_rows(
            &house,
            PROD[1],
            "base",
            &[("released", "Prod", ""), ("released", "Prod", "Prod")],
            (0, 2),
        );
    }
}
