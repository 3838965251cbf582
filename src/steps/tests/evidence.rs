//! Owns the proof that the doctor writes into the store what a release wrote, and touches nothing else there.

use std::collections::BTreeMap;

use super::House;
use super::life::{Deed, on, start};
use crate::evidence::{keys, manifest};
use crate::model::{Manifest, StoreInventory};
use crate::plan::step::{Action, Plan};
use crate::plan::{doctor, release};

type Objects = BTreeMap<String, Vec<u8>>;

fn objects(house: &House) -> Objects {
    house.store.objects.lock().expect("no panic").clone()
}

/// A house where everything is released, with its store as it should be.
async fn released() -> House {
    let house = House::new();
    let request = release::ReleaseRequest {
        images: Vec::new(),
        force: false,
        run: "r1".into(),
    };
    let outcome = house
        .act(&release::plan_release(
            &house.catalog,
            &house.facts(),
            &request,
        ))
        .await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    house
        .store
        .objects
        .lock()
        .expect("no panic")
        .insert(keys::report(&"acme".into(), &"r1".into()), b"{}".to_vec());
    house
}

/// What the doctor would do, with what the run directory has of what is missing.
fn plan(house: &House, found: &Objects) -> Plan {
    let held = objects(house);
    let recipe =
        |(key, bytes): (&String, &Vec<u8>)| Some((key.clone(), manifest::parse_manifest(bytes)?));
    let text = |(key, bytes): (&String, &Vec<u8>)| {
        (key.clone(), String::from_utf8_lossy(bytes).into_owned())
    };
    let mut inventory = house.facts();
    inventory.evidence.store = Some(StoreInventory {
        location: "memory".to_owned(),
        unreachable: None,
        keys: held.keys().cloned().collect(),
        recipes: held.iter().filter_map(recipe).collect(),
        recoverable: found
            .iter()
            .filter(|(key, _)| !held.contains_key(*key))
            .map(text)
            .collect(),
    });
    doctor::plan_repairs(&house.catalog, &inventory, "d1".into()).1
}

#[tokio::test]
async fn what_a_release_wrote_is_written_again_and_nothing_else() {
    let house = released().await;
    let whole = objects(&house);
    let evidence: Vec<&String> = whole
        .keys()
        .filter(|k| k.starts_with("acme/images/"))
        .collect();
    assert!(
        evidence.len() >= 8,
        "a recipe and facts of four images: {evidence:?}"
    );
    assert!(
        plan(&house, &whole).steps.is_empty(),
        "a whole store needs nothing"
    );
    house.store.objects.lock().expect("no panic").clear();
    let outcome = house.act(&plan(&house, &whole)).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let again = objects(&house);
    assert_eq!(again.len(), evidence.len() + 1, "{:?}", again.keys());
    for (key, bytes) in &again {
        match manifest::parse_manifest(bytes) {
            // Why it was built is written nowhere else.
            Some(made) => {
                let wanted = manifest::parse_manifest(&whole[key]).expect("a recipe");
                assert_eq!(
                    made,
                    Manifest {
                        reasons: Vec::new(),
                        ..wanted
                    },
                    "{key}"
                );
            }
            None => assert_eq!(bytes, &whole[key], "{key}"),
        }
    }
    assert!(plan(&house, &whole).steps.is_empty());
}

#[tokio::test]
async fn a_lock_a_journal_and_what_is_another_catalogs_are_nobodys_to_mend() {
    let house = released().await;
    let before = objects(&house);
    let mut one = plan(&house, &before);
    house
        .store
        .objects
        .lock()
        .expect("no panic")
        .retain(|key, _| !key.ends_with("base/x86_64/20261122.1/recipe.json"));
    let real = plan(&house, &before);
    assert_eq!(real.steps.len(), 1);
    let left = objects(&house);
    for key in [
        "acme/locks/Test/000001.json",
        "acme/runs/r1/journal/000001.json",
        "acme/schema.json",
        "acme/imagesx/a",
        "acme2/images/a",
    ] {
        for action in [
            Action::DeleteObject { key: key.into() },
            Action::PutObject {
                key: key.into(),
                text: "x".into(),
            },
        ] {
            one.steps = real.steps.clone();
            one.steps[0].action = action;
            assert!(house.act(&one).await.kind().is_some(), "{key}");
            assert_eq!(objects(&house), left, "{key}");
        }
    }
}

#[tokio::test]
async fn a_promotion_to_other_places_leaves_the_evidence_of_the_release_alone() {
    let house = on(&start(), 22);
    let request = release::ReleaseRequest {
        images: vec!["base".into()],
        force: false,
        run: "r1".into(),
    };
    assert_eq!(
        house
            .act(&release::plan_release(
                &house.catalog,
                &house.facts(),
                &request
            ))
            .await
            .kind(),
        None
    );
    let evidence = |house: &House| {
        let kept = |key: &&String| key.starts_with("acme/images/");
        objects(house)
            .keys()
            .filter(kept)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(evidence(&house).len() >= 2);
    let promoted = Deed::Promote(&["base"]).done(&house, 23).await;
    assert!(promoted.cloud.elsewhere().len() >= 3, "it was copied");
    assert_eq!(
        evidence(&promoted),
        Vec::<String>::new(),
        "the store of that run was empty before"
    );
}
