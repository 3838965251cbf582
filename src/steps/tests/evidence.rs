//! Tests that the doctor restores the evidence of a release and changes no other object.

use std::collections::BTreeMap;

use super::TestEnv;
use super::lifecycle::{Operation, on_day, two_accounts};
use crate::evidence::{keys, manifest};
use crate::model::{Manifest, StoreInventory};
use crate::plan::step::{Action, Plan};
use crate::plan::{doctor, release};

type Objects = BTreeMap<String, Vec<u8>>;

fn objects(setup: &TestEnv) -> Objects {
    setup.store.objects.lock().expect("no panic").clone()
}

/// Returns an environment in which all images are released and the store is complete.
async fn released_setup() -> TestEnv {
    let setup = TestEnv::new();
    let request = release::Request {
        images: Vec::new(),
        force: false,
        run: "r1".into(),
    };
    let outcome = setup
        .execute(&release::plan(&setup.catalog, &setup.inventory(), &request))
        .await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    setup
        .store
        .objects
        .lock()
        .expect("no panic")
        .insert(keys::report(&"acme".into(), &"r1".into()), b"{}".to_vec());
    setup
}

/// Returns the doctor's plan. `found` are the missing objects that the run directory has.
fn doctor_plan(setup: &TestEnv, found: &Objects) -> Plan {
    let held = objects(setup);
    let recipe = |(key, bytes): (&String, &Vec<u8>)| Some((key.clone(), manifest::read(bytes)?));
    let text = |(key, bytes): (&String, &Vec<u8>)| {
        (key.clone(), String::from_utf8_lossy(bytes).into_owned())
    };
    let mut inventory = setup.inventory();
    inventory.evidence.store = Some(StoreInventory {
        location: "memory".to_owned(),
        unread: None,
        keys: held.keys().cloned().collect(),
        recipes: held.iter().filter_map(recipe).collect(),
        found: found
            .iter()
            .filter(|(key, _)| !held.contains_key(*key))
            .map(text)
            .collect(),
    });
    doctor::plan(&setup.catalog, &inventory, "d1".into()).1
}

#[tokio::test]
async fn doctor_restores_release_evidence_only() {
    let setup = released_setup().await;
    let complete = objects(&setup);
    let evidence: Vec<&String> = complete
        .keys()
        .filter(|k| k.starts_with("acme/images/"))
        .collect();
    assert!(
        evidence.len() >= 8,
        "manifest and facts of four images: {evidence:?}"
    );
    assert!(
        doctor_plan(&setup, &complete).steps.is_empty(),
        "a complete store needs no repair"
    );
    setup.store.objects.lock().expect("no panic").clear();
    let outcome = setup.execute(&doctor_plan(&setup, &complete)).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let restored = objects(&setup);
    assert_eq!(restored.len(), evidence.len() + 1, "{:?}", restored.keys());
    for (key, bytes) in &restored {
        match manifest::read(bytes) {
            // The reasons of a build are stored only in its manifest.
            Some(made) => {
                let wanted = manifest::read(&complete[key]).expect("a recipe");
                assert_eq!(
                    made,
                    Manifest {
                        reasons: Vec::new(),
                        ..wanted
                    },
                    "{key}"
                );
            }
            None => assert_eq!(bytes, &complete[key], "{key}"),
        }
    }
    assert!(doctor_plan(&setup, &complete).steps.is_empty());
}

#[tokio::test]
async fn repair_rejects_keys_outside_evidence() {
    let setup = released_setup().await;
    let before = objects(&setup);
    let mut repair = doctor_plan(&setup, &before);
    setup
        .store
        .objects
        .lock()
        .expect("no panic")
        .retain(|key, _| !key.ends_with("base/x86_64/20261122.1/recipe.json"));
    let real = doctor_plan(&setup, &before);
    assert_eq!(real.steps.len(), 1);
    let left = objects(&setup);
    for key in [
        "acme/locks/Test/000001.json",
        "acme/runs/r1/journal/000001.json",
        "acme/schema.json",
        "acme/imagesx/a",
        "acme2/images/a",
    ] {
        for action in [
            Action::Forget { key: key.into() },
            Action::Remember {
                key: key.into(),
                text: "x".into(),
            },
        ] {
            repair.steps = real.steps.clone();
            repair.steps[0].action = action;
            assert!(setup.execute(&repair).await.kind().is_some(), "{key}");
            assert_eq!(objects(&setup), left, "{key}");
        }
    }
}

#[tokio::test]
async fn promotion_to_other_locations_keeps_release_evidence() {
    let setup = on_day(&two_accounts(), 22);
    let request = release::Request {
        images: vec!["base".into()],
        force: false,
        run: "r1".into(),
    };
    assert_eq!(
        setup
            .execute(&release::plan(&setup.catalog, &setup.inventory(), &request))
            .await
            .kind(),
        None
    );
    let evidence = |setup: &TestEnv| {
        let kept = |key: &&String| key.starts_with("acme/images/");
        objects(setup)
            .keys()
            .filter(kept)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(evidence(&setup).len() >= 2);
    let promoted = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 23)
        .await;
    assert!(promoted.cloud.elsewhere().len() >= 3, "the AMI was copied");
    assert_eq!(
        evidence(&promoted),
        Vec::<String>::new(),
        "the promotion wrote no evidence"
    );
}
