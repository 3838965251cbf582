//! Tests the state transitions of one image: release, promote, release, promote, and prune.

use std::sync::Arc;

use super::invariants::foreign_tags;
use super::{TestEnv, region};
use crate::adapters::fake::{ACCOUNT, FakeCloudState};
use crate::lifecycle::{Record, current, tags};
use crate::model::{AmiId, EnvName};
use crate::plan::Action;
use crate::plan::prune::PruneOptions;

/// Returns the environment tag and the current environments of each version, oldest first.
fn versions(setup: &TestEnv) -> Vec<(String, String)> {
    setup.cloud.state(|w| {
        let own = w.own();
        let mut records = Record::read_all_published(&own, &"acme".into());
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

fn ids(setup: &TestEnv) -> Vec<AmiId> {
    setup.cloud.state(|w| {
        let own = w.own();
        let mut records = Record::read_all_published(&own, &"acme".into());
        records.retain(|r| r.image.as_str() == "base");
        records.sort_by_key(|r| r.version);
        records.iter().map(|r| r.ami.id.clone()).collect()
    })
}

fn assert_latest(setup: &TestEnv, test: usize, prod: Option<usize>) {
    let ids = ids(setup);
    for (env, version) in [("Test", Some(test)), ("Prod", prod)] {
        let wanted = version.map(|v| ids[v - 1].clone());
        let (pointer, found) = setup.latest("base", env);
        assert_eq!(found, wanted, "{env} by tags");
        assert_eq!(pointer.map(AmiId), wanted, "{env} by pointer");
    }
}

async fn force_release(setup: &TestEnv, run: &str) {
    let outcome = setup.execute(&setup.release_plan(run, true)).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

fn rows(versions: &[(&str, &str)]) -> Vec<(String, String)> {
    versions
        .iter()
        .map(|(env, current)| ((*env).to_owned(), (*current).to_owned()))
        .collect()
}

#[tokio::test]
async fn release_and_promote_follow_state_table() {
    let setup = TestEnv::new();
    setup.watch_invariants();
    assert_eq!(setup.release("r1").await.kind(), None);
    assert_eq!(versions(&setup), rows(&[("Test", "Test")]));
    assert_latest(&setup, 1, None);

    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-23T12:00:00Z");
    assert_eq!(setup.promote("p1", "base").await.kind(), None);
    assert_eq!(versions(&setup), rows(&[("Prod", "Test+Prod")]));
    assert_latest(&setup, 1, Some(1));

    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T12:00:00Z");
    setup.watch_invariants();
    force_release(&setup, "r2").await;
    assert_eq!(
        versions(&setup),
        rows(&[("Prod", "Prod"), ("Test", "Test")])
    );
    assert_latest(&setup, 2, Some(1));

    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-25T12:00:00Z");
    assert_eq!(setup.promote("p2", "base").await.kind(), None);
    assert_eq!(
        versions(&setup),
        rows(&[("Prod", ""), ("Prod", "Test+Prod")])
    );
    assert_latest(&setup, 2, Some(2));
    setup.assert_clean("ladder");
    assert_eq!(setup.cloud.violations(), Vec::<String>::new());

    // The current version in Prod and its predecessor stay, even with a small `keep`.
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-26T12:00:00Z");
    assert_eq!(setup.prune("x1", 1).await.kind(), None);
    assert_eq!(
        versions(&setup),
        rows(&[("Prod", ""), ("Prod", "Test+Prod")])
    );
}

#[tokio::test]
async fn prune_keeps_parent_of_kept_child() {
    let setup = TestEnv::new();
    assert_eq!(setup.release("r1").await.kind(), None);
    // A forced build continues from the last good build, so b 2 is layered on a 1.
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T12:00:00Z");
    force_release(&setup, "r2").await;
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-25T12:00:00Z");
    assert_eq!(setup.prune("x1", 1).await.kind(), None);
    setup.cloud.state(|w| {
        let own = w.own();
        let records = Record::read_all_published(&own, &"acme".into());
        for record in &records {
            let Some((parent, version)) = &record.parent else {
                continue;
            };
            let there = records
                .iter()
                .any(|r| r.image == *parent && r.version == *version);
            assert!(
                there,
                "{} {} lost its parent {parent}@{version}",
                record.image, record.version
            );
        }
    });
}

#[tokio::test]
async fn prune_refuses_ami_used_since_the_decision() {
    for used in [true, false] {
        let setup = TestEnv::new();
        assert_eq!(setup.release("r1").await.kind(), None);
        let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T12:00:00Z");
        force_release(&setup, "r2").await;
        let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-25T12:00:00Z");
        let plan = crate::plan::prune::plan_prune(
            &setup.catalog,
            &setup.inventory(),
            &PruneOptions {
                keep: Some(1),
                shared_ok: false,
            },
            "x1".into(),
        )
        .1;
        assert!(!plan.steps.is_empty());
        for step in &plan.steps {
            setup.cloud.state(|w| {
                let id = AmiId(step.scope.to_string());
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
        let before = setup.cloud.state(|w| w.images.clone());
        let outcome = setup.execute(&plan).await;
        assert_eq!(
            outcome.kind(),
            Some(crate::error::ErrorKind::Refused),
            "{outcome:?}"
        );
        setup.cloud.state(|w| assert_eq!(w.images, before));
    }
}

#[tokio::test]
async fn disable_refuses_ami_in_parameter_of_another_region() {
    let regions = "regions: [eu-west-1, us-east-1]\n\
        retention: {keep: 1, disable_after: 0s, deregister_after: 0s}";
    let catalog = super::catalog_with(&format!("name: acme\n{regions}\n"), &[]);
    let setup = TestEnv::with_state(FakeCloudState::default(), catalog, "2026-11-22T12:00:00Z");
    let elsewhere = "us-east-1".into();
    setup
        .cloud
        .open(ACCOUNT, &elsewhere, FakeCloudState::default());
    let [old, _new] = ["20261101.1", "20261102.1"].map(|version| register(&setup, version));
    let wish = PruneOptions {
        keep: Some(1),
        shared_ok: false,
    };
    let plan =
        crate::plan::prune::plan_prune(&setup.catalog, &setup.inventory(), &wish, "x1".into()).1;
    assert!(
        plan.steps
            .iter()
            .any(|step| matches!(step.action, Action::Deregister { .. })),
        "{plan:?}"
    );
    let map = format!("{{\"eu-west-1\": \"{old}\"}}");
    setup.cloud.state_at(ACCOUNT, &elsewhere, |w| {
        w.parameters.insert("/central/amis".to_owned(), map)
    });
    let outcome = format!("{:?}", setup.execute(&plan).await);
    assert!(
        outcome.contains("parameter /central/amis in us-east-1 refers to it since the decision"),
        "{outcome}"
    );
    assert!(setup.cloud.state(|w| {
        w.images
            .get(&old)
            .is_some_and(|ami| ami.status == "available")
    }));
}

/// Registers a released AMI of `base` that is not current.
fn register(setup: &TestEnv, version: &str) -> AmiId {
    let mut own = foreign_tags("acme");
    own.remove(tags::CURRENT);
    own.insert(tags::VERSION.to_owned(), version.to_owned());
    setup.cloud.state(|w| {
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
async fn unchanged_image_is_not_rebuilt() {
    let setup = TestEnv::new();
    assert_eq!(setup.release("r1").await.kind(), None);
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T12:00:00Z");
    let plan = setup.release_plan("r2", false);
    assert!(plan.steps.is_empty(), "{:?}", plan.decisions);
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T13:00:00Z");
    force_release(&setup, "r2").await;
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T14:00:00Z");
    let plan = setup.release_plan("r3", false);
    assert!(
        plan.steps.is_empty(),
        "a build on the last good build is not out of date: {:?}",
        plan.decisions
    );
}
