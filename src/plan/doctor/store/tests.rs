//! Tests of the comparison of the store with the tags.

use std::collections::{BTreeMap, BTreeSet};

use super::audit_store;
use crate::catalog::{Catalog, load};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{
    Ami, AmiId, Evidence, INVENTORY_SCHEMA, Inventory, Manifest, StoreInventory, Tags,
};
use crate::plan::fingerprint::{Fingerprints, build_manifest};
use crate::plan::step::Action;

const RECIPE: &str = "acme/images/jdk/x86_64/20261101.1/recipe.json";
const FACTS: &str = "acme/images/jdk/x86_64/20261101.1/facts.json";
const BUILT: &str = "acme/images/jdk/x86_64/20261101.1/facts-build.json";
const RESULT: &str = "acme/runs/r1/result.json";

fn catalog(checks: &str) -> Catalog {
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            b"name: acme\nregions: [eu-west-1]\n".to_vec(),
        ),
        (
            "images/jdk.yaml".to_owned(),
            format!("source: {{owner: amazon, name: x-*}}\npackages: [jdk]\n{checks}").into_bytes(),
        ),
    ]);
    let (catalog, discrepancies) = load(&files);
    catalog.unwrap_or_else(|| panic!("{discrepancies:?}"))
}

fn ami(catalog: &Catalog, more: &[(&str, &str)]) -> Ami {
    let image = &catalog.images[&"jdk".into()];
    let prints = Fingerprints::new(catalog);
    let (recipe, checks) = (
        prints.recipe(image).digest(),
        prints.checks_digest(&image.name),
    );
    let mut tags: Tags = [
        (tags::SCHEMA, "1"),
        (tags::CATALOG, "acme"),
        (tags::SELF, "ami-1"),
        (tags::IMAGE, "jdk"),
        (tags::VERSION, "20261101.1"),
        (tags::ARCH, "x86_64"),
        (tags::STATE, "released"),
        (tags::RUN, "r1"),
        (tags::BASE, "eu-west-1:ami-0"),
        (tags::RECIPE, &recipe),
        (tags::CHECKS, &checks),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    tags.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    Ami {
        id: AmiId::from("ami-1"),
        region: "eu-west-1".into(),
        name: "acme/jdk/x86_64/20261101.1-r1".to_owned(),
        owner: "123456789012".to_owned(),
        arch: "x86_64".to_owned(),
        created: "2026-11-01T12:00:00Z".to_owned(),
        status: "available".to_owned(),
        root_device: "/dev/xvda".to_owned(),
        other_devices: Vec::new(),
        imds_v2: false,
        snapshots: Vec::new(),
        tags,
        public: false,
        last_launched: None,
        protected: false,
        deprecated: None,
    }
}

fn complete_store(catalog: &Catalog) -> StoreInventory {
    let manifest_of = build_manifest(
        catalog,
        &catalog.images[&"jdk".into()],
        "20261101.1".parse().expect("it"),
        &"r1".into(),
    );
    StoreInventory {
        location: "here".to_owned(),
        unreachable: None,
        keys: BTreeSet::from([RECIPE, FACTS, BUILT, RESULT].map(str::to_owned)),
        recipes: BTreeMap::from([(RECIPE.to_owned(), manifest_of)]),
        recoverable: BTreeMap::new(),
    }
}

/// Returns the repairs and the remaining reports. `lost` marks evidence that cannot be recreated.
fn audit(catalog: &Catalog, ami: Ami, store: StoreInventory) -> (Vec<String>, Vec<String>) {
    let inventory = Inventory {
        schema: INVENTORY_SCHEMA,
        captured_at: "2026-11-10T00:00:00Z".parse().expect("time"),
        account: "123456789012".to_owned(),
        caller: "me".to_owned(),
        commit: None,
        images: vec![ami],
        sources: BTreeMap::new(),
        skipped: BTreeMap::new(),
        references: Vec::new(),
        parameters: Vec::new(),
        unreachable: Vec::new(),
        unread_references: Vec::new(),
        evidence: Evidence {
            store: Some(store),
            ..Evidence::default()
        },
    };
    let (discrepancies, steps) = audit_store(catalog, &inventory);
    let repairable = discrepancies
        .iter()
        .filter(|f| !f.lost && f.manual_action.is_none())
        .count();
    assert_eq!(
        repairable,
        steps.len(),
        "every discrepancy has a repair: {discrepancies:?}"
    );
    let done = steps.into_iter().map(|s| match s.action {
        Action::PutObject { key, text } => format!("{key} = {text}"),
        Action::DeleteObject { key } => format!("{key} is removed"),
        other => panic!("{other:?}"),
    });
    let outcome = discrepancies
        .into_iter()
        .filter(|f| f.lost || f.manual_action.is_some());
    (
        done.collect(),
        outcome
            .map(|f| {
                if f.lost {
                    format!("lost {}", f.description)
                } else {
                    f.description
                }
            })
            .collect(),
    )
}

/// Returns the manifest that the only repair writes.
fn rebuilt_manifest(audit: (Vec<String>, Vec<String>)) -> Manifest {
    let ([one], []) = (audit.0.as_slice(), audit.1.as_slice()) else {
        panic!("{audit:?}")
    };
    let text = one
        .strip_prefix(&format!("{RECIPE} = "))
        .expect("the recipe");
    serde_json::from_str(text).expect("a manifest")
}

fn no_output() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

#[test]
fn consistent_store_has_no_discrepancies() {
    let acme = catalog("");
    let mut store = complete_store(&acme);
    store.keys.insert(keys::manifest(
        &"acme".into(),
        &"jdk".into(),
        "x86_64".parse().expect("it"),
        "20260101.1".parse().expect("it"),
    ));
    assert_eq!(audit(&acme, ami(&acme, &[]), store), no_output());
    // Retiring, revoked and candidate versions need no evidence.
    for state in ["candidate", "revoked", "retiring"] {
        assert_eq!(
            audit(
                &acme,
                ami(&acme, &[(tags::STATE, state)]),
                StoreInventory::default()
            ),
            no_output(),
            "{state}"
        );
    }
}

#[test]
fn doctor_rebuilds_recipe_only_from_matching_catalog() {
    let acme = catalog("");
    let missing = || {
        let mut store = complete_store(&acme);
        store.keys.remove(RECIPE);
        store.recipes.clear();
        store
    };
    let manifest_of = rebuilt_manifest(audit(&acme, ami(&acme, &[]), missing()));
    let expected = complete_store(&acme).recipes[RECIPE].clone();
    assert_eq!(
        manifest_of,
        Manifest {
            base: Some("eu-west-1:ami-0".to_owned()),
            ..expected.clone()
        }
    );
    for tag in [tags::RECIPE, tags::CHECKS] {
        let outcome = audit(&acme, ami(&acme, &[(tag, "older")]), missing());
        assert_eq!(
            outcome,
            (
                vec![],
                vec!["lost no recipe of jdk (x86_64) 20261101.1".to_owned()]
            ),
            "{tag}"
        );
    }
    // An invalid recipe is replaced if it can be rebuilt, and is otherwise not changed: a newer
    // bakeline may have written it.
    let unreadable = || StoreInventory {
        recipes: BTreeMap::new(),
        ..complete_store(&acme)
    };
    assert_eq!(
        rebuilt_manifest(audit(&acme, ami(&acme, &[]), unreadable())).recipe,
        expected.recipe
    );
    let left = audit(&acme, ami(&acme, &[(tags::RECIPE, "older")]), unreadable());
    assert_eq!(
        left,
        (
            vec![],
            vec!["lost no valid recipe of jdk (x86_64) 20261101.1".to_owned()]
        )
    );
}

#[test]
fn doctor_replaces_wrong_recipe_and_updates_checks() {
    let acme = catalog("");
    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut store = complete_store(&acme);
        change(store.recipes.get_mut(RECIPE).expect("it"));
        store
    };
    let kept = audit(
        &acme,
        ami(&acme, &[]),
        with(&|m| m.image = "jdk.x86_64".into()),
    );
    assert_eq!(
        kept,
        (vec![], vec![]),
        "the image had several architectures"
    );
    let wrong: [&dyn Fn(&mut Manifest); 4] = [
        &|m| m.recipe = "another".to_owned(),
        &|m| m.version = "20261101.2".parse().expect("it"),
        &|m| m.image = "jre".into(),
        &|m| m.arch = crate::model::Arch::Arm64,
    ];
    for change in wrong {
        let expected = complete_store(&acme).recipes[RECIPE].recipe.clone();
        assert_eq!(
            rebuilt_manifest(audit(&acme, ami(&acme, &[]), with(change))).recipe,
            expected
        );
        let older = ami(&acme, &[(tags::CHECKS, "older")]);
        assert_eq!(
            audit(&acme, older, with(change)),
            (vec![format!("{RECIPE} is removed")], vec![])
        );
    }
    // A recheck changed the tag, but the store did not accept the new manifest.
    let judged = catalog("checks: [{file: /etc/motd}]\n");
    let mut store = complete_store(&acme);
    store.recipes.get_mut(RECIPE).expect("it").reasons = vec!["it was time".to_owned()];
    let now = rebuilt_manifest(audit(&judged, ami(&judged, &[]), store.clone()));
    assert_eq!(
        (now.checks.as_str(), now.controls.len()),
        (ami(&judged, &[]).tags[tags::CHECKS].as_str(), 1)
    );
    assert_eq!(now.reasons, ["it was time"], "the rest stays");
    let outcome = audit(&judged, ami(&judged, &[(tags::CHECKS, "another")]), store);
    assert_eq!(
        outcome,
        (
            vec![],
            vec!["lost no current checks of jdk (x86_64) 20261101.1".to_owned()]
        )
    );
}

#[test]
fn doctor_restores_evidence_from_run_directory() {
    let acme = catalog("");
    for (key, lost) in [
        (FACTS, "no facts"),
        (BUILT, "no facts of the build"),
        (RESULT, "no result of the run"),
    ] {
        let mut store = complete_store(&acme);
        store.keys.remove(key);
        let outcome = audit(&acme, ami(&acme, &[]), store.clone());
        assert_eq!(
            outcome,
            (
                vec![],
                vec![format!("lost {lost} of jdk (x86_64) 20261101.1")]
            )
        );
        store.recoverable.insert(key.to_owned(), "{}".to_owned());
        assert_eq!(
            audit(&acme, ami(&acme, &[]), store),
            (vec![format!("{key} = {{}}")], vec![])
        );
    }
}

#[test]
fn doctor_reports_lost_permissions_and_unreachable_store() {
    let acme = catalog("");
    let disabled = |tag: &str| {
        let more = [(tags::STATE, "retiring"), (tags::PERMISSIONS, tag)];
        Ami {
            status: "disabled".to_owned(),
            ..ami(&acme, &more)
        }
    };
    let all = "2 111111111111 222222222222";
    assert_eq!(
        audit(&acme, disabled(all), complete_store(&acme)),
        no_output(),
        "the tag has all of them"
    );
    let lost = "lost 1 of the 2 launch permissions of ami-1 in eu-west-1".to_owned();
    assert_eq!(
        audit(&acme, disabled("2 111111111111"), complete_store(&acme)),
        (vec![], vec![lost])
    );
    let mut store = complete_store(&acme);
    store
        .keys
        .insert("acme/permissions/eu-west-1/ami-1.json".to_owned());
    assert_eq!(audit(&acme, disabled("2 111111111111"), store), no_output());
    let away = StoreInventory {
        unreachable: Some("no answer".to_owned()),
        ..StoreInventory::default()
    };
    assert_eq!(
        audit(&acme, ami(&acme, &[]), away),
        (
            vec![],
            vec!["the store could not be read: no answer".to_owned()]
        )
    );
}
