//! Tests reviewed prunes and the limits of a prune.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::retirement::{old_ami, two_versions};
use crate::catalog::Catalog;
use crate::lifecycle::tags;
use crate::plan::prune::saved::{SavedPrune, collect_facts, describe_changes};
use crate::plan::prune::{PruneOptions, exceeds_limits, plan_prune};

#[tokio::test]
async fn reviewed_prune_is_refused_after_facts_changed() {
    let setup = two_versions().await;
    let (fates, decided) = plan_prune(
        &setup.catalog,
        &setup.inventory(),
        &PruneOptions::default(),
        "x1".into(),
    );
    let saved = SavedPrune::new(
        &setup.catalog,
        &setup.inventory(),
        PruneOptions::default(),
        fates,
        decided,
    );
    let text = serde_json::to_string(&saved).expect("JSON");
    let saved: SavedPrune = serde_json::from_str(&text).expect("valid JSON");
    assert_eq!(
        describe_changes(
            &saved.facts,
            &collect_facts(&setup.catalog, &setup.inventory())
        ),
        Vec::<String>::new()
    );
    let id = old_ami(&setup);
    let change = |act: &dyn Fn(&mut crate::adapters::fake::FakeCloudState), words: &str| {
        let other = setup.next_run(Arc::clone(&setup.catalog), "2026-11-24T13:00:00Z");
        other.cloud.state(|w| act(w));
        let messages = describe_changes(
            &saved.facts,
            &collect_facts(&other.catalog, &other.inventory()),
        );
        assert!(
            messages.len() == 1 && messages[0].contains(words) && messages[0].contains(id.as_str()),
            "{words}: {messages:?}"
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
    change(&share, "shared-with all (reference) was added");
    let mut changed = Catalog::clone(&setup.catalog);
    changed.settings.environments[0].retention.keep = 2;
    let messages = describe_changes(&saved.facts, &collect_facts(&changed, &setup.inventory()));
    assert!(
        messages.len() == 1 && messages[0].contains("retention of Test"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn prune_beyond_limits_names_the_option() {
    let setup = two_versions().await;
    let options = PruneOptions::default();
    let (fates, _) = plan_prune(&setup.catalog, &setup.inventory(), &options, "x1".into());
    let brakes = |most, percent| exceeds_limits(&crate::catalog::Brakes { most, percent }, &fates);
    let going =
        u32::try_from(fates.iter().filter(|f| !f.due_stages.is_empty()).count()).expect("few");
    assert_eq!((going, fates.len()), (4, 8));
    assert_eq!((brakes(4, 50), brakes(50, 100)), (None, None));
    assert!(brakes(3, 100).is_some_and(|why| why.contains("4 of 8") && why.contains("--most 4")));
    assert!(brakes(50, 49).is_some_and(|why| why.contains("--percent 50")));
}
