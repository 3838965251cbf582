//! Tests retirement and restore with a clock: the stages, restore, and retiring an image.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{TestEnv, catalog_with, test_env};
use crate::adapters::fake::ACCOUNT;
use crate::catalog::Catalog;
use crate::error::ErrorKind;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, ImageName, State};
use crate::plan::prune::{
    PruneOptions, plan_prune, plan_restore, plan_retirement, retire_objection,
};

/// Settings with a waiting time of one day before each stage.
const WAITS: &str = "name: acme\nregions: [eu-west-1]\n\
    retention: {keep: 1, disable_after: 1d, deregister_after: 1d}\n";

fn waiting_catalog() -> Arc<Catalog> {
    catalog_with(WAITS, &[])
}

/// Returns an environment with two released versions of each image. The older ones can be pruned.
pub(super) async fn two_versions() -> TestEnv {
    let setup = TestEnv::with_state(
        TestEnv::new().cloud.state(|w| w.clone()),
        waiting_catalog(),
        "2026-11-22T12:00:00Z",
    );
    assert_eq!(setup.release("r1").await.kind(), None);
    let setup = setup.next_run(waiting_catalog(), "2026-11-23T12:00:00Z");
    assert_eq!(
        setup.execute(&setup.release_plan("r2", true)).await.kind(),
        None
    );
    setup.next_run(waiting_catalog(), "2026-11-24T12:00:00Z")
}

/// Returns the first version of an image without child images.
pub(super) fn old_ami(setup: &TestEnv) -> AmiId {
    setup.cloud.state(|w| {
        let own = w.own();
        let records = Record::read_all_published(&own, &"acme".into());
        records
            .iter()
            .filter(|r| r.image.as_str() == "b")
            .map(|r| r.ami.id.clone())
            .next_back()
            .expect("two versions")
    })
}

fn ami(setup: &TestEnv, id: &AmiId) -> Option<Ami> {
    setup.cloud.state(|w| w.images.get(id).cloned())
}

fn tag(setup: &TestEnv, id: &AmiId, key: &str) -> String {
    ami(setup, id)
        .and_then(|a| a.tags.get(key).cloned())
        .unwrap_or_default()
}

pub(super) async fn prune(setup: &TestEnv, run: &str, shared_ok: bool) {
    let wish = PruneOptions {
        keep: None,
        shared_ok,
    };
    let outcome = setup
        .execute(&plan_prune(&setup.catalog, &setup.inventory(), &wish, run.into()).1)
        .await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

async fn prune_at(setup: &TestEnv, now: &str, run: &str) -> TestEnv {
    let mut next = setup.next_run(Arc::clone(&setup.catalog), now);
    next.store = Arc::clone(&setup.store);
    prune(&next, run, true).await;
    next
}

/// The role of the environment belongs to the other accounts, so nothing is read with it at home.
#[tokio::test]
async fn retirement_works_if_an_environment_lists_the_account_of_the_builder() {
    let listed = format!(
        "{WAITS}environments:\n  - name: Test\n    accounts: ['{ACCOUNT}']\n    \
         role: arn:aws:iam::{ACCOUNT}:role/bakeline\n"
    );
    let catalog = catalog_with(&listed, &[]);
    let mut setup = two_versions().await;
    setup.catalog = Arc::clone(&catalog);
    let id = old_ami(&setup);
    prune(&setup, "x1", false).await;
    let setup = prune_at(&setup, "2026-11-25T12:00:00Z", "x2").await;
    assert_eq!(ami(&setup, &id).expect("it").status, "disabled");
}

#[tokio::test]
async fn retirement_moves_one_stage_per_day() {
    let setup = two_versions().await;
    let (id, before) = (old_ami(&setup), setup.cloud.state(|w| w.snapshots.len()));
    prune(&setup, "x1", false).await;
    assert_eq!(tag(&setup, &id, tags::STATE), "retiring");
    assert_eq!(
        tag(&setup, &id, tags::RETIRING),
        "deprecate=2026-11-24T12:00:00Z"
    );
    let at = setup
        .cloud
        .state(|w| w.deprecations.get(&id).copied())
        .expect("a deprecation time");
    let wait = at.as_second() - setup.now.as_second();
    assert!(
        (60..=120).contains(&wait) && at.as_second() % 60 == 0,
        "EC2 accepts whole minutes in the future: {wait}"
    );

    let setup = prune_at(&setup, "2026-11-25T11:59:59Z", "x2").await;
    assert_eq!(
        ami(&setup, &id).expect("it").status,
        "available",
        "the waiting time has not passed"
    );
    let setup = prune_at(&setup, "2026-11-25T12:00:00Z", "x3").await;
    assert_eq!(ami(&setup, &id).expect("it").status, "disabled");
    assert_eq!(
        tag(&setup, &id, tags::RETIRING),
        "deprecate=2026-11-24T12:00:00Z disable=2026-11-25T12:00:00Z"
    );
    let setup = prune_at(&setup, "2026-11-26T11:59:59Z", "x4").await;
    assert!(ami(&setup, &id).is_some());
    let setup = prune_at(&setup, "2026-11-26T12:00:00Z", "x5").await;
    assert!(ami(&setup, &id).is_none());
    let left = setup
        .cloud
        .state(|w| (w.snapshots.len(), w.orphans().len()));
    assert_eq!(
        left,
        (before - 4, 0),
        "the snapshots of the four old versions are deleted"
    );
}

#[tokio::test]
async fn restore_returns_ami_to_previous_state() {
    let who: Vec<String> = (0..25)
        .map(|n| format!("{}", 100_000_000_000_u64 + n))
        .collect();
    // The store records all permissions, and a tag the first 19. Without the store, a disabled AMI
    // that was shared with 25 accounts loses 6 of them.
    for (shared, keep_store, lost) in [(0, true, 0), (3, false, 0), (25, true, 0), (25, false, 6)] {
        for disabled in [false, true] {
            let setup = two_versions().await;
            let id = old_ami(&setup);
            setup.cloud.state(|w| {
                if shared > 0 {
                    w.permissions
                        .insert(id.clone(), who[..shared].iter().cloned().collect());
                }
            });
            let (was, permitted) = (
                ami(&setup, &id),
                setup.cloud.state(|w| w.permissions.clone()),
            );
            prune(&setup, "x1", true).await;
            let mut setup = if disabled {
                prune_at(&setup, "2026-11-25T12:00:00Z", "x2").await
            } else {
                setup
            };
            let context = format!("{shared} shared, store {keep_store}, disabled {disabled}");
            assert_eq!(
                ami(&setup, &id).expect("it").status == "disabled",
                disabled,
                "{context}"
            );
            if !keep_store {
                setup.store = Arc::default();
            }
            let found = ami(&setup, &id).expect("it");
            let outcome = setup
                .execute(&plan_restore(&setup.inventory(), &found, "b1".into()))
                .await;
            assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
            assert_eq!(ami(&setup, &id), was, "{context}");
            let now = setup.cloud.state(|w| {
                (
                    w.permissions.get(&id).map_or(0, BTreeSet::len),
                    w.deprecations.contains_key(&id),
                )
            });
            let missing = if disabled { lost } else { 0 };
            assert_eq!(
                now,
                (permitted.get(&id).map_or(0, BTreeSet::len) - missing, false),
                "{context}"
            );
            let text = format!("{outcome:?}");
            assert!(
                text.contains(&format!("lost: {missing}, refused: None }}")),
                "{context}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn disable_fails_without_permission_record() {
    let setup = two_versions().await;
    let id = old_ami(&setup);
    let who = (0..25)
        .map(|n| format!("{}", 100_000_000_000_u64 + n))
        .collect();
    setup.cloud.state(|w| w.permissions.insert(id.clone(), who));
    prune(&setup, "x1", true).await;
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-26T12:00:00Z");
    setup
        .store
        .read_only
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let wish = PruneOptions {
        keep: None,
        shared_ok: true,
    };
    let outcome = setup
        .execute(&plan_prune(&setup.catalog, &setup.inventory(), &wish, "x2".into()).1)
        .await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    assert_eq!(ami(&setup, &id).expect("it").status, "available");
    assert_eq!(setup.cloud.state(|w| w.permissions[&id].len()), 25);
}

#[tokio::test]
async fn disable_refuses_ami_shared_since_the_decision() {
    let setup = two_versions().await;
    let id = old_ami(&setup);
    prune(&setup, "x1", false).await;
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-26T12:00:00Z");
    let decided = plan_prune(
        &setup.catalog,
        &setup.inventory(),
        &PruneOptions::default(),
        "x2".into(),
    )
    .1;
    setup.cloud.state(|w| {
        w.permissions
            .entry(id.clone())
            .or_default()
            .insert("210987654321".to_owned())
    });
    assert_eq!(
        setup.execute(&decided).await.kind(),
        Some(ErrorKind::Refused)
    );
    assert_eq!(ami(&setup, &id).expect("it").status, "available");
    let again = plan_prune(
        &setup.catalog,
        &setup.inventory(),
        &PruneOptions::default(),
        "x3".into(),
    );
    let fate = again.0.iter().find(|f| f.ami == id).expect("it");
    assert_eq!(
        (fate.action(), fate.due_stages.len()),
        ("wait", 0),
        "{}",
        fate.reason()
    );
}

#[tokio::test]
async fn retiring_ami_is_not_found_or_built_on() {
    let setup = two_versions().await;
    prune(&setup, "x1", false).await;
    let own = setup.cloud.state(|w| w.own());
    let records = Record::read_all_published(&own, &"acme".into());
    let retiring: Vec<&Record<'_>> = records
        .iter()
        .filter(|r| r.state == State::Retiring)
        .collect();
    assert!(!retiring.is_empty() && retiring.iter().all(|r| !r.is_usable()));
    let plan = setup.release_plan("r3", true);
    assert!(retiring.iter().all(|r| {
        !serde_json::to_string(&plan)
            .expect("JSON")
            .contains(r.ami.id.as_str())
    }));
}

#[tokio::test]
async fn image_outside_catalog_stays_until_retired() {
    let setup = two_versions().await;
    let without_b = {
        let mut catalog = Catalog::clone(&setup.catalog);
        catalog.images.remove(&ImageName::from("b"));
        Arc::new(catalog)
    };
    let (image, wish) = (ImageName::from("b"), PruneOptions::default());
    assert!(
        retire_objection(&setup.catalog, &image).is_some_and(|why| why.contains("images/b.yaml")),
        "the image is in the catalog"
    );
    assert!(
        retire_objection(&without_b, &"a".into()).is_some()
            && retire_objection(&without_b, &image).is_none()
    );
    let mut parentless = Catalog::clone(&setup.catalog);
    parentless.images.remove(&ImageName::from("a"));
    assert!(
        retire_objection(&parentless, &"a".into()).is_some_and(|why| why.contains("parent of `b`"))
    );

    let setup = setup.next_run(without_b, "2026-11-24T12:00:00Z");
    let fates = plan_prune(&setup.catalog, &setup.inventory(), &wish, "x1".into()).0;
    let orphans: Vec<_> = fates.iter().filter(|f| f.image == image).collect();
    assert!(
        orphans.len() == 2
            && orphans.iter().all(|f| f
                .reason()
                .contains("not in the catalog (run `bakeline retire b`)"))
    );

    // One AMI is in use and stays. The other, current one loses its pointer and is deprecated.
    let used = old_ami(&setup);
    let (kind, by) = ("instance".to_owned(), "i-1".to_owned());
    setup.cloud.state(|w| {
        w.references.push(crate::model::Reference {
            ami: used.clone(),
            kind,
            referrer: by,
        })
    });
    let (fates, plan_) = plan_retirement(
        &setup.catalog,
        &setup.inventory(),
        &image,
        &wish,
        "t1".into(),
    );
    assert_eq!(
        fates.iter().map(|f| f.retire).collect::<Vec<_>>(),
        [true, false],
        "{fates:?}"
    );
    assert_eq!(setup.execute(&plan_).await.kind(), None);
    assert_eq!(setup.latest("b", test_env().as_str()), (None, None));
    assert_eq!(tag(&setup, &used, tags::STATE), "released");
    assert_eq!(tag(&setup, &fates[0].ami, tags::STATE), "retiring");
    // Later stages are the same as for any AMI.
    let setup = prune_at(&setup, "2026-11-25T12:00:00Z", "x2").await;
    assert_eq!(ami(&setup, &fates[0].ami).expect("it").status, "disabled");
}
