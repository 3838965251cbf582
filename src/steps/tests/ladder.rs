//! Owns DESIGN's table of states, acted out: release, promote, release, promote, and what prune then leaves.

use std::sync::Arc;

use super::guard::foreign;
use super::{House, region};
use crate::adapters::fake::{ACCOUNT, FakeCloudState};
use crate::lifecycle::{Record, current, tags};
use crate::model::{AmiId, EnvName};
use crate::plan::Action;
use crate::plan::prune::PruneOptions;

/// `Environment` and where it is current, of one image's versions, oldest first.
fn versions(house: &House) -> Vec<(String, String)> {
    house.cloud.state(|w| {
        let own = w.own();
        let mut records = Record::read_all(&own, &"acme".into());
        records.retain(|r| r.image.as_str() == "base");
        records.sort_by_key(|r| r.version);
        let names = |r: &Record<'_>| {
            let mut envs: Vec<EnvName> = current::parse(r.tag(tags::CURRENT)).into_keys().collect();
            envs.sort_by_key(|e| e.as_str() == "Prod");
            envs.iter()
                .map(|e| e.to_string())
                .collect::<Vec<_>>()
                .join("+")
        };
        records
            .iter()
            .map(|r| (r.tag("Environment").to_owned(), names(r)))
            .collect()
    })
}

fn ids(house: &House) -> Vec<AmiId> {
    house.cloud.state(|w| {
        let own = w.own();
        let mut records = Record::read_all(&own, &"acme".into());
        records.retain(|r| r.image.as_str() == "base");
        records.sort_by_key(|r| r.version);
        records.iter().map(|r| r.ami.id.clone()).collect()
    })
}

fn assert_latest(house: &House, test: usize, prod: Option<usize>) {
    let ids = ids(house);
    for (env, version) in [("Test", Some(test)), ("Prod", prod)] {
        let wanted = version.map(|v| ids[v - 1].clone());
        let (pointer, found) = house.latest("base", env);
        assert_eq!(found, wanted, "{env} by tags");
        assert_eq!(pointer.map(AmiId), wanted, "{env} by pointer");
    }
}

async fn forced(house: &House, run: &str) {
    let outcome = house.act(&house.plan(run, true)).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

fn row(versions: &[(&str, &str)]) -> Vec<(String, String)> {
    versions
        .iter()
        .map(|(env, current)| ((*env).to_owned(), (*current).to_owned()))
        .collect()
}

#[tokio::test]
async fn the_table_of_states_holds() {
    let house = House::new();
    house.stand_guard();
    assert_eq!(house.release("r1").await.kind(), None);
    assert_eq!(versions(&house), row(&[("Test", "Test")]));
    assert_latest(&house, 1, None);

    let house = house.next(Arc::clone(&house.catalog), "2026-11-23T12:00:00Z");
    assert_eq!(house.promote("p1", "base").await.kind(), None);
    assert_eq!(versions(&house), row(&[("Prod", "Test+Prod")]));
    assert_latest(&house, 1, Some(1));

    let house = house.next(Arc::clone(&house.catalog), "2026-11-24T12:00:00Z");
    house.stand_guard();
    forced(&house, "r2").await;
    assert_eq!(versions(&house), row(&[("Prod", "Prod"), ("Test", "Test")]));
    assert_latest(&house, 2, Some(1));

    let house = house.next(Arc::clone(&house.catalog), "2026-11-25T12:00:00Z");
    assert_eq!(house.promote("p2", "base").await.kind(), None);
    assert_eq!(
        versions(&house),
        row(&[("Prod", ""), ("Prod", "Test+Prod")])
    );
    assert_latest(&house, 2, Some(2));
    house.assert_clean("ladder");
    assert_eq!(house.cloud.seen(), Vec::<String>::new());

    // What is current in Prod and the one before stay, however few are to be kept.
    let house = house.next(Arc::clone(&house.catalog), "2026-11-26T12:00:00Z");
    assert_eq!(house.prune("x1", 1).await.kind(), None);
    assert_eq!(
        versions(&house),
        row(&[("Prod", ""), ("Prod", "Test+Prod")])
    );
}

#[tokio::test]
async fn a_parent_stays_as_long_as_a_child_of_it() {
    let house = House::new();
    assert_eq!(house.release("r1").await.kind(), None);
    // Forced builds go on from the last good build, so b 2 is layered on a 1 by its tag.
    let house = house.next(Arc::clone(&house.catalog), "2026-11-24T12:00:00Z");
    forced(&house, "r2").await;
    let house = house.next(Arc::clone(&house.catalog), "2026-11-25T12:00:00Z");
    assert_eq!(house.prune("x1", 1).await.kind(), None);
    house.cloud.state(|w| {
        let own = w.own();
        let records = Record::read_all(&own, &"acme".into());
        for record in &records {
            let Some((parent, version)) = &record.parent else {
                continue;
            };
            let there = records
                .iter()
                .any(|r| r.image == *parent && r.version == *version);
            assert!(
                there,
                "{} {} has lost its parent {parent}@{version}",
                record.image, record.version
            );
        }
    });
}

#[tokio::test]
async fn prune_refuses_what_became_current_or_used_since_the_decision() {
    for used in [true, false] {
        let house = House::new();
        assert_eq!(house.release("r1").await.kind(), None);
        let house = house.next(Arc::clone(&house.catalog), "2026-11-24T12:00:00Z");
        forced(&house, "r2").await;
        let house = house.next(Arc::clone(&house.catalog), "2026-11-25T12:00:00Z");
        let plan = crate::plan::prune::plan_prune(
            &house.catalog,
            &house.facts(),
            &PruneOptions {
                keep: Some(1),
                shared_ok: false,
            },
            "x1".into(),
        )
        .1;
        assert!(!plan.steps.is_empty());
        for step in &plan.steps {
            house.cloud.state(|w| {
                let id = AmiId(step.scope.clone());
                if used {
                    let (kind, by) = ("launch-template".to_owned(), "lt-1".to_owned());
                    w.references.push(crate::model::Reference {
                        ami: id,
                        kind,
                        referrer: by,
                    });
                } else {
                    let tags = &mut w.images.get_mut(&id).expect("it").tags;
                    tags.insert(
                        tags::CURRENT.to_owned(),
                        "Prod=2026-11-25T11:00:00Z".to_owned(),
                    );
                }
            });
        }
        let before = house.cloud.state(|w| w.images.clone());
        let outcome = house.act(&plan).await;
        assert_eq!(
            outcome.kind(),
            Some(crate::error::Kind::Refused),
            "{outcome:?}"
        );
        house.cloud.state(|w| assert_eq!(w.images, before));
    }
}

#[tokio::test]
async fn disable_refuses_ami_in_parameter_of_another_region() {
    let regions = "regions: [eu-west-1, us-east-1]\nretention: {keep: 1, disable_after: 0s, deregister_after: 0s}";
    let catalog = super::catalog_with(&format!("name: acme\n{regions}\n"), &[]);
    let house = House::over(FakeCloudState::default(), catalog, "2026-11-22T12:00:00Z");
    let elsewhere = "us-east-1".into();
    house
        .cloud
        .open(ACCOUNT, &elsewhere, FakeCloudState::default());
    let [old, _new] = ["20261101.1", "20261102.1"].map(|version| register(&house, version));
    let wish = PruneOptions {
        keep: Some(1),
        shared_ok: false,
    };
    let plan = crate::plan::prune::plan_prune(&house.catalog, &house.facts(), &wish, "x1".into()).1;
    assert!(
        plan.steps
            .iter()
            .any(|step| matches!(step.action, Action::Deregister { .. })),
        "{plan:?}"
    );
    let map = format!("{{\"eu-west-1\": \"{old}\"}}");
    house.cloud.state_at(ACCOUNT, &elsewhere, |w| {
        w.parameters.insert("/central/amis".to_owned(), map)
    });
    let outcome = format!("{:?}", house.act(&plan).await);
    assert!(
        outcome.contains("parameter /central/amis in us-east-1 refers to it since the decision"),
        "{outcome}"
    );
    assert!(house.cloud.state(|w| {
        w.images
            .get(&old)
            .is_some_and(|ami| ami.status == "available")
    }));
}

/// Adds a released AMI of `base` that is current nowhere.
fn register(house: &House, version: &str) -> AmiId {
    let mut own = foreign("acme");
    own.remove(tags::CURRENT);
    own.insert(tags::VERSION.to_owned(), version.to_owned());
    house.cloud.state(|w| {
        let id = w.register(
            &region(),
            &format!("acme/base/x86_64/{version}-r1"),
            ACCOUNT,
            &own,
        );
        w.images
            .get_mut(&id)
            .expect("it")
            .tags
            .insert(tags::SELF.to_owned(), id.to_string());
        id
    })
}

#[tokio::test]
async fn nothing_is_built_twice_for_no_reason() {
    let house = House::new();
    assert_eq!(house.release("r1").await.kind(), None);
    let house = house.next(Arc::clone(&house.catalog), "2026-11-24T12:00:00Z");
    let plan = house.plan("r2", false);
    assert!(plan.steps.is_empty(), "{:?}", plan.decisions);
    let house = house.next(Arc::clone(&house.catalog), "2026-11-24T13:00:00Z");
    forced(&house, "r2").await;
    let house = house.next(Arc::clone(&house.catalog), "2026-11-24T14:00:00Z");
    let plan = house.plan("r3", false);
    assert!(
        plan.steps.is_empty(),
        "a build on the last good build is not out of date: {:?}",
        plan.decisions
    );
}
