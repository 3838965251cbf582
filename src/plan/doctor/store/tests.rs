//! Owns the tests of what the doctor makes of a store that does not agree with the tags.

use std::collections::{BTreeMap, BTreeSet};

use super::compare;
use crate::catalog::{Catalog, load};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{
    Ami, AmiId, Evidence, INVENTORY_SCHEMA, Inventory, Manifest, StoreInventory, Tags,
};
use crate::plan::fingerprint::{Fingerprints, manifest};
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
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

fn ami(catalog: &Catalog, more: &[(&str, &str)]) -> Ami {
    let image = &catalog.images[&"jdk".into()];
    let prints = Fingerprints::new(catalog);
    let (recipe, checks) = (prints.recipe(image).digest(), prints.checks(&image.name));
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
        snapshots: Vec::new(),
        tags,
        public: false,
        last_launched: None,
        protected: false,
    }
}

fn whole(catalog: &Catalog) -> StoreInventory {
    let made = manifest(
        catalog,
        &catalog.images[&"jdk".into()],
        "20261101.1".parse().expect("it"),
        &"r1".into(),
    );
    StoreInventory {
        location: "here".to_owned(),
        unread: None,
        keys: BTreeSet::from([RECIPE, FACTS, BUILT, RESULT].map(str::to_owned)),
        recipes: BTreeMap::from([(RECIPE.to_owned(), made)]),
        found: BTreeMap::new(),
    }
}

/// What is done about it, then what is only said; `lost` stands before what nobody can make again.
fn healed(catalog: &Catalog, ami: Ami, store: StoreInventory) -> (Vec<String>, Vec<String>) {
    let inventory = Inventory {
        schema: INVENTORY_SCHEMA,
        taken: "2026-11-10T00:00:00Z".parse().expect("time"),
        account: "123456789012".to_owned(),
        caller: "me".to_owned(),
        commit: None,
        images: vec![ami],
        sources: BTreeMap::new(),
        references: Vec::new(),
        parameters: Vec::new(),
        unread: Vec::new(),
        evidence: Evidence {
            store: Some(store),
            ..Evidence::default()
        },
    };
    let (findings, steps) = compare(catalog, &inventory);
    let mended = findings
        .iter()
        .filter(|f| !f.lost && f.by_hand.is_none())
        .count();
    assert_eq!(
        mended,
        steps.len(),
        "every finding has its repair: {findings:?}"
    );
    let done = steps.into_iter().map(|s| match s.action {
        Action::Remember { key, text } => format!("{key} = {text}"),
        Action::Forget { key } => format!("{key} is removed"),
        other => panic!("{other:?}"),
    });
    let said = findings
        .into_iter()
        .filter(|f| f.lost || f.by_hand.is_some());
    (
        done.collect(),
        said.map(|f| {
            if f.lost {
                format!("lost {}", f.what)
            } else {
                f.what
            }
        })
        .collect(),
    )
}

/// The recipe that the only repair writes.
fn rewritten(healed: (Vec<String>, Vec<String>)) -> Manifest {
    let ([one], []) = (healed.0.as_slice(), healed.1.as_slice()) else {
        panic!("{healed:?}")
    };
    let text = one
        .strip_prefix(&format!("{RECIPE} = "))
        .expect("the recipe");
    serde_json::from_str(text).expect("a manifest")
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

#[test]
fn a_store_that_agrees_and_history_are_no_findings() {
    let acme = catalog("");
    let mut store = whole(&acme);
    store.keys.insert(keys::manifest(
        &"acme".into(),
        &"jdk".into(),
        "x86_64".parse().expect("it"),
        "20260101.1".parse().expect("it"),
    ));
    assert_eq!(healed(&acme, ami(&acme, &[]), store), nothing());
    // What is on the way out, withdrawn or not finished needs no evidence any more, or none yet.
    for state in ["candidate", "revoked", "retiring"] {
        assert_eq!(
            healed(
                &acme,
                ami(&acme, &[(tags::STATE, state)]),
                StoreInventory::default()
            ),
            nothing(),
            "{state}"
        );
    }
}

#[test]
fn a_recipe_is_made_again_only_from_the_catalog_that_the_tags_have_the_digests_of() {
    let acme = catalog("");
    let missing = || {
        let mut store = whole(&acme);
        store.keys.remove(RECIPE);
        store.recipes.clear();
        store
    };
    let made = rewritten(healed(&acme, ami(&acme, &[]), missing()));
    let wanted = whole(&acme).recipes[RECIPE].clone();
    assert_eq!(
        made,
        Manifest {
            base: Some("eu-west-1:ami-0".to_owned()),
            ..wanted.clone()
        }
    );
    for tag in [tags::RECIPE, tags::CHECKS] {
        let said = healed(&acme, ami(&acme, &[(tag, "older")]), missing());
        assert_eq!(
            said,
            (
                vec![],
                vec!["lost no recipe of jdk (x86_64) 20261101.1".to_owned()]
            ),
            "{tag}"
        );
    }
    // What can't be read is replaced by what can be made, and otherwise left: a newer bakeline may have written it.
    let unreadable = || StoreInventory {
        recipes: BTreeMap::new(),
        ..whole(&acme)
    };
    assert_eq!(
        rewritten(healed(&acme, ami(&acme, &[]), unreadable())).recipe,
        wanted.recipe
    );
    let left = healed(&acme, ami(&acme, &[(tags::RECIPE, "older")]), unreadable());
    assert_eq!(
        left,
        (
            vec![],
            vec!["lost no recipe that can be read of jdk (x86_64) 20261101.1".to_owned()]
        )
    );
}

#[test]
fn a_recipe_of_another_build_is_replaced_or_removed_and_other_checks_are_brought_up_to_date() {
    let acme = catalog("");
    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut store = whole(&acme);
        change(store.recipes.get_mut(RECIPE).expect("it"));
        store
    };
    let wrong: [&dyn Fn(&mut Manifest); 3] = [
        &|m| m.recipe = "another".to_owned(),
        &|m| m.version = "20261101.2".parse().expect("it"),
        &|m| m.image = "jre".into(),
    ];
    for change in wrong {
        let wanted = whole(&acme).recipes[RECIPE].recipe.clone();
        assert_eq!(
            rewritten(healed(&acme, ami(&acme, &[]), with(change))).recipe,
            wanted
        );
        let older = ami(&acme, &[(tags::CHECKS, "older")]);
        assert_eq!(
            healed(&acme, older, with(change)),
            (vec![format!("{RECIPE} is removed")], vec![])
        );
    }
    // A recheck moved the tag, and the store did not take the news.
    let judged = catalog("checks: [{file: /etc/motd}]\n");
    let mut store = whole(&acme);
    store.recipes.get_mut(RECIPE).expect("it").reasons = vec!["it was time".to_owned()];
    let now = rewritten(healed(&judged, ami(&judged, &[]), store.clone()));
    assert_eq!(
        (now.checks.as_str(), now.controls.len()),
        (ami(&judged, &[]).tags[tags::CHECKS].as_str(), 1)
    );
    assert_eq!(now.reasons, ["it was time"], "the rest stays");
    let said = healed(&judged, ami(&judged, &[(tags::CHECKS, "another")]), store);
    assert_eq!(
        said,
        (
            vec![],
            vec!["lost the checks passed last of jdk (x86_64) 20261101.1".to_owned()]
        )
    );
}

#[test]
fn facts_and_results_come_from_the_run_directory_or_are_lost() {
    let acme = catalog("");
    for (key, lost) in [
        (FACTS, "no facts"),
        (BUILT, "no facts of the build"),
        (RESULT, "no result of the run"),
    ] {
        let mut store = whole(&acme);
        store.keys.remove(key);
        let said = healed(&acme, ami(&acme, &[]), store.clone());
        assert_eq!(
            said,
            (
                vec![],
                vec![format!("lost {lost} of jdk (x86_64) 20261101.1")]
            )
        );
        store.found.insert(key.to_owned(), "{}".to_owned());
        assert_eq!(
            healed(&acme, ami(&acme, &[]), store),
            (vec![format!("{key} = {{}}")], vec![])
        );
    }
}

#[test]
fn launch_permissions_that_are_nowhere_are_said_and_a_store_that_is_away_is_a_finding_for_later() {
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
        healed(&acme, disabled(all), whole(&acme)),
        nothing(),
        "the tag has all of them"
    );
    let lost = "lost 1 of the 2 launch permissions of ami-1 in eu-west-1".to_owned();
    assert_eq!(
        healed(&acme, disabled("2 111111111111"), whole(&acme)),
        (vec![], vec![lost])
    );
    let mut store = whole(&acme);
    store
        .keys
        .insert("acme/permissions/eu-west-1/ami-1.json".to_owned());
    assert_eq!(healed(&acme, disabled("2 111111111111"), store), nothing());
    let away = StoreInventory {
        unread: Some("no answer".to_owned()),
        ..StoreInventory::default()
    };
    assert_eq!(
        healed(&acme, ami(&acme, &[]), away),
        (vec![], vec!["it could not be read: no answer".to_owned()])
    );
}
