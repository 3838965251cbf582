//! Owns the way out and back, acted out on the fakes with a clock: the ladder, restore, retiring an image.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{House, catalog_with, test_env};
use crate::catalog::Catalog;
use crate::error::Kind;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, ImageName, State};
use crate::plan::prune::saved::{SavedPrune, collect_facts, describe_changes};
use crate::plan::prune::{
    PruneOptions, exceeds_limits, plan_prune, plan_restore, plan_retirement, retire_objection,
};

/// A ladder that waits a day on each rung.
const WAITS: &str = "name: acme\nregions: [eu-west-1]\nretention: {keep: 1, disable_after: 1d, deregister_after: 1d}\n";

fn waits() -> Arc<Catalog> {
    catalog_with(WAITS, &[])
}

/// Two released versions of each image: the older one goes.
async fn two() -> House {
    let house = House::over(
        House::new().cloud.state(|w| w.clone()),
        waits(),
        "2026-11-22T12:00:00Z",
    );
    assert_eq!(house.release("r1").await.kind(), None);
    let house = house.next(waits(), "2026-11-23T12:00:00Z");
    assert_eq!(house.act(&house.plan("r2", true)).await.kind(), None);
    house.next(waits(), "2026-11-24T12:00:00Z")
}

/// The first version of an image that no other is layered on.
fn old(house: &House) -> AmiId {
    house.cloud.state(|w| {
        let own = w.own();
        let records = Record::read_all(&own, &"acme".into());
        records
            .iter()
            .filter(|r| r.image.as_str() == "b")
            .map(|r| r.ami.id.clone())
            .next_back()
            .expect("two versions")
    })
}

fn ami(house: &House, id: &AmiId) -> Option<Ami> {
    house.cloud.state(|w| w.images.get(id).cloned())
}

fn tag(house: &House, id: &AmiId, key: &str) -> String {
    ami(house, id)
        .and_then(|a| a.tags.get(key).cloned())
        .unwrap_or_default()
}

pub(super) async fn pruned(house: &House, run: &str, shared_ok: bool) {
    let wish = PruneOptions {
        keep: None,
        shared_ok,
    };
    let outcome = house
        .act(&plan_prune(&house.catalog, &house.facts(), &wish, run.into()).1)
        .await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

async fn later(house: &House, now: &str, run: &str) -> House {
    let mut next = house.next(Arc::clone(&house.catalog), now);
    next.store = Arc::clone(&house.store);
    pruned(&next, run, true).await;
    next
}

#[tokio::test]
async fn an_ami_goes_down_one_rung_a_day() {
    let house = two().await;
    let (id, before) = (old(&house), house.cloud.state(|w| w.snapshots.len()));
    pruned(&house, "x1", false).await;
    assert_eq!(tag(&house, &id, tags::STATE), "retiring");
    assert_eq!(
        tag(&house, &id, tags::RETIRING),
        "deprecate=2026-11-24T12:00:00Z"
    );
    let at = house
        .cloud
        .state(|w| w.deprecations.get(&id).copied())
        .expect("it is deprecated");
    let wait = at.as_second() - house.now.as_second();
    assert!(
        (60..=120).contains(&wait) && at.as_second() % 60 == 0,
        "EC2 takes minutes in the future: {wait}"
    );

    let house = later(&house, "2026-11-25T11:59:59Z", "x2").await;
    assert_eq!(
        ami(&house, &id).expect("it").status,
        "available",
        "not a second too early"
    );
    let house = later(&house, "2026-11-25T12:00:00Z", "x3").await;
    assert_eq!(ami(&house, &id).expect("it").status, "disabled");
    assert_eq!(
        tag(&house, &id, tags::RETIRING),
        "deprecate=2026-11-24T12:00:00Z disable=2026-11-25T12:00:00Z"
    );
    let house = later(&house, "2026-11-26T11:59:59Z", "x4").await;
    assert!(ami(&house, &id).is_some());
    let house = later(&house, "2026-11-26T12:00:00Z", "x5").await;
    assert!(ami(&house, &id).is_none());
    let left = house
        .cloud
        .state(|w| (w.snapshots.len(), w.orphans().len()));
    assert_eq!(
        left,
        (before - 4, 0),
        "the four old versions took their snapshots with them"
    );
}

#[tokio::test]
async fn what_is_needed_again_stays_on_its_rung_and_comes_back_as_it_was() {
    let who: Vec<String> = (0..25)
        .map(|n| format!("{}", 100_000_000_000_u64 + n))
        .collect();
    for (shared, keep_store, lost) in [(0, true, 0), (3, false, 0), (25, true, 0), (25, false, 6)] {
        for disabled in [false, true] {
            let house = two().await;
            let id = old(&house);
            house.cloud.state(|w| {
                if shared > 0 {
                    w.permissions
                        .insert(id.clone(), who[..shared].iter().cloned().collect());
                }
            });
            let (was, permitted) = (
                ami(&house, &id),
                house.cloud.state(|w| w.permissions.clone()),
            );
            pruned(&house, "x1", true).await;
            let mut house = if disabled {
                later(&house, "2026-11-25T12:00:00Z", "x2").await
            } else {
                house
            };
            let context = format!("{shared} shared, store {keep_store}, disabled {disabled}");
            assert_eq!(
                ami(&house, &id).expect("it").status == "disabled",
                disabled,
                "{context}"
            );
            if !keep_store {
                house.store = Arc::default();
            }
            let found = ami(&house, &id).expect("it");
            let outcome = house
                .act(&plan_restore(&house.facts(), &found, "b1".into()))
                .await;
            assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
            assert_eq!(ami(&house, &id), was, "{context}");
            let now = house.cloud.state(|w| {
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
            let said = format!("{outcome:?}");
            assert!(
                said.contains(&format!("\"lost\": Number({missing})")),
                "{context}: {said}"
            );
        }
    }
}

#[tokio::test]
async fn a_record_that_can_be_kept_nowhere_stops_the_disabling() {
    let house = two().await;
    let id = old(&house);
    let who = (0..25)
        .map(|n| format!("{}", 100_000_000_000_u64 + n))
        .collect();
    house.cloud.state(|w| w.permissions.insert(id.clone(), who));
    pruned(&house, "x1", true).await;
    let house = house.next(Arc::clone(&house.catalog), "2026-11-26T12:00:00Z");
    house
        .store
        .read_only
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let wish = PruneOptions {
        keep: None,
        shared_ok: true,
    };
    let outcome = house
        .act(&plan_prune(&house.catalog, &house.facts(), &wish, "x2".into()).1)
        .await;
    assert_eq!(outcome.kind(), Some(Kind::StepFailed), "{outcome:?}");
    assert_eq!(ami(&house, &id).expect("it").status, "available");
    assert_eq!(house.cloud.state(|w| w.permissions[&id].len()), 25);
}

#[tokio::test]
async fn what_is_shared_is_not_disabled_even_if_that_came_after_the_decision() {
    let house = two().await;
    let id = old(&house);
    pruned(&house, "x1", false).await;
    let house = house.next(Arc::clone(&house.catalog), "2026-11-26T12:00:00Z");
    let decided = plan_prune(
        &house.catalog,
        &house.facts(),
        &PruneOptions::default(),
        "x2".into(),
    )
    .1;
    house.cloud.state(|w| {
        w.permissions
            .entry(id.clone())
            .or_default()
            .insert("210987654321".to_owned())
    });
    assert_eq!(house.act(&decided).await.kind(), Some(Kind::Refused));
    assert_eq!(ami(&house, &id).expect("it").status, "available");
    let again = plan_prune(
        &house.catalog,
        &house.facts(),
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
async fn a_retiring_ami_is_neither_found_nor_built_upon() {
    let house = two().await;
    pruned(&house, "x1", false).await;
    let own = house.cloud.state(|w| w.own());
    let records = Record::read_all(&own, &"acme".into());
    let on_the_way: Vec<&Record<'_>> = records
        .iter()
        .filter(|r| r.state == State::Retiring)
        .collect();
    assert!(!on_the_way.is_empty() && on_the_way.iter().all(|r| !r.is_usable()));
    let plan = house.plan("r3", true);
    assert!(on_the_way.iter().all(|r| {
        !serde_json::to_string(&plan)
            .expect("JSON")
            .contains(r.ami.id.as_str())
    }));
}

#[tokio::test]
async fn an_image_that_left_the_catalog_stays_until_it_is_retired() {
    let house = two().await;
    let without_b = {
        let mut catalog = Catalog::clone(&house.catalog);
        catalog.images.remove(&ImageName::from("b"));
        Arc::new(catalog)
    };
    let (image, wish) = (ImageName::from("b"), PruneOptions::default());
    assert!(
        retire_objection(&house.catalog, &image).is_some_and(|why| why.contains("images/b.yaml")),
        "it is in the catalog"
    );
    assert!(
        retire_objection(&without_b, &"a".into()).is_some()
            && retire_objection(&without_b, &image).is_none()
    );
    let mut parentless = Catalog::clone(&house.catalog);
    parentless.images.remove(&ImageName::from("a"));
    assert!(
        retire_objection(&parentless, &"a".into()).is_some_and(|why| why.contains("parent of `b`"))
    );

    let house = house.next(without_b, "2026-11-24T12:00:00Z");
    let fates = plan_prune(&house.catalog, &house.facts(), &wish, "x1".into()).0;
    let orphans: Vec<_> = fates.iter().filter(|f| f.image == image).collect();
    assert!(
        orphans.len() == 2
            && orphans.iter().all(|f| f
                .reason()
                .contains("not in the catalog (run `bakeline retire b`)"))
    );

    // One is in use and stays; the other, current one loses its pointer and goes.
    let used = old(&house);
    let (kind, by) = ("instance".to_owned(), "i-1".to_owned());
    house.cloud.state(|w| {
        w.references.push(crate::model::Reference {
            ami: used.clone(),
            kind,
            referrer: by,
        })
    });
    let (fates, plan_) =
        plan_retirement(&house.catalog, &house.facts(), &image, &wish, "t1".into());
    assert_eq!(
        fates.iter().map(|f| f.retire).collect::<Vec<_>>(),
        [true, false],
        "{fates:?}"
    );
    assert_eq!(house.act(&plan_).await.kind(), None);
    assert_eq!(house.latest("b", test_env().as_str()), (None, None));
    assert_eq!(tag(&house, &used, tags::STATE), "released");
    assert_eq!(tag(&house, &fates[0].ami, tags::STATE), "retiring");
    // From there on it is like any other.
    let house = later(&house, "2026-11-25T12:00:00Z", "x2").await;
    assert_eq!(ami(&house, &fates[0].ami).expect("it").status, "disabled");
}

#[tokio::test]
async fn a_reviewed_prune_is_refused_when_a_fact_it_rests_on_moved() {
    let house = two().await;
    let (fates, decided) = plan_prune(
        &house.catalog,
        &house.facts(),
        &PruneOptions::default(),
        "x1".into(),
    );
    let saved = SavedPrune::new(
        &house.catalog,
        &house.facts(),
        PruneOptions::default(),
        fates.clone(),
        decided,
    );
    let text = serde_json::to_string(&saved).expect("JSON");
    let saved: SavedPrune = serde_json::from_str(&text).expect("it reads back");
    assert_eq!(
        describe_changes(&saved.facts, &collect_facts(&house.catalog, &house.facts())),
        Vec::<String>::new()
    );
    let id = old(&house);
    let change = |act: &dyn Fn(&mut crate::adapters::fake::FakeCloudState), words: &str| {
        let other = house.next(Arc::clone(&house.catalog), "2026-11-24T13:00:00Z");
        other.cloud.state(|w| act(w));
        let said = describe_changes(&saved.facts, &collect_facts(&other.catalog, &other.facts()));
        assert!(
            said.len() == 1 && said[0].contains(words) && said[0].contains(id.as_str()),
            "{words}: {said:?}"
        );
    };
    change(&|w| drop(w.images.remove(&id)), "is gone");
    change(
        &|w| w.images.get_mut(&id).expect("it").protected = true,
        "protected is \"true\", not \"false\"",
    );
    change(
        &|w| {
            drop(
                w.images
                    .get_mut(&id)
                    .expect("it")
                    .tags
                    .insert(tags::STATE.into(), "held".into()),
            )
        },
        "tag `bakeline:state`",
    );
    change(
        &|w| w.images.get_mut(&id).expect("it").last_launched = Some("2026-11-24T12:30:00Z".into()),
        "last launched",
    );
    let share = |w: &mut crate::adapters::fake::FakeCloudState| {
        w.permissions
            .insert(id.clone(), BTreeSet::from(["all".to_owned()]));
    };
    change(&share, "shared-with all refers to it now");
    let mut changed = Catalog::clone(&house.catalog);
    changed.settings.environments[0].retention.keep = 2;
    let said = describe_changes(&saved.facts, &collect_facts(&changed, &house.facts()));
    assert!(
        said.len() == 1 && said[0].contains("retention of Test"),
        "{said:?}"
    );

    let brakes = |most, percent| exceeds_limits(&crate::catalog::Brakes { most, percent }, &fates);
    let going =
        u32::try_from(fates.iter().filter(|f| !f.due_stages.is_empty()).count()).expect("few");
    assert_eq!((going, fates.len()), (4, 8));
    assert_eq!((brakes(4, 50), brakes(50, 100)), (None, None));
    assert!(brakes(3, 100).is_some_and(|why| why.contains("4 of 8") && why.contains("--most 4")));
    assert!(brakes(50, 49).is_some_and(|why| why.contains("--percent 50")));
}
