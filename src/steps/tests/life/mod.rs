//! Owns DESIGN's table of states in two Regions and a second account: every transition, an error at every call, a kill
//! before every call with the doctor after it, and done again.

mod locations;
mod shared;
mod torn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{House, OTHER, catalog_with};
use crate::adapters::fake::{ACCOUNT, FakeCloudState};
use crate::catalog::OnFailure;
use crate::engine::outcome::Outcome;
use crate::lifecycle::doctor::{Repair, diagnose};
use crate::lifecycle::{Record, current, tags};
use crate::model::{EnvName, ImageName, RunId, Version, pointer_name};
use crate::plan::{Plan, doctor, hold, promote, release, revoke, rollback};

const SETTINGS: &str = r#"
name: acme
regions: [eu-west-1, us-east-1]
environments:
  - {name: Test, regions: [eu-west-1]}
  - name: Prod
    accounts: ["123456789012", "222222222222"]
    role: arn:aws:iam::222222222222:role/bakeline
"#;

/// An empty organisation with two Regions in two accounts.
pub(super) fn start() -> House {
    let house = House::new().next(catalog_with(SETTINGS, &[]), "2026-11-22T12:00:00Z");
    for (account, region) in [
        (ACCOUNT, "us-east-1"),
        (OTHER, "eu-west-1"),
        (OTHER, "us-east-1"),
    ] {
        house
            .cloud
            .open(account, &region.into(), FakeCloudState::default());
    }
    house
}

pub(super) fn on(house: &House, day: u32) -> House {
    let mut next = house.next(
        Arc::clone(&house.catalog),
        &format!("2026-11-{day:02}T12:00:00Z"),
    );
    next.options.on_failure = OnFailure::Continue;
    next
}

fn name(image: &str) -> ImageName {
    ImageName::from(image)
}

async fn released(house: &House, images: &[&str], day: u32) -> House {
    let house = on(house, day);
    let images = images.iter().map(|i| name(i)).collect();
    let request = release::ReleaseRequest {
        images,
        force: true,
        run: format!("r{day}").as_str().into(),
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
}

/// What a test does to an organisation.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Promote(&'static [&'static str]),
    Rollback(Version),
    Revoke(&'static str, Version),
    Hold(Version, bool),
    Doctor,
}

impl Deed {
    fn plan(&self, house: &House) -> Plan {
        // No run has the id of another: client tokens are made from it.
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RunId(format!("deed{}", RUNS.fetch_add(1, Ordering::Relaxed)));
        let (catalog, inventory) = (&house.catalog, house.facts());
        match self {
            Self::Promote(images) => {
                let images: Vec<ImageName> = images.iter().map(|i| name(i)).collect();
                promote::plan_promotion(catalog, &inventory, &images, &"Prod".into(), run)
            }
            Self::Rollback(to) => rollback::plan_rollback(
                catalog,
                &inventory,
                &catalog.images[&name("base")],
                &"Prod".into(),
                Some(*to),
                run,
            ),
            Self::Revoke(image, version) => {
                revoke::plan_revocation(catalog, &inventory, &name(image), *version, run)
            }
            Self::Hold(version, off) => hold::plan_hold(
                catalog,
                &inventory,
                &catalog.images[&name("base")],
                *version,
                *off,
                run,
            ),
            Self::Doctor => doctor::plan_repairs(catalog, &inventory, run).1,
        }
    }

    pub(super) async fn act(&self, house: &House) -> Outcome {
        house.act(&self.plan(house)).await
    }

    pub(super) async fn done(&self, house: &House, day: u32) -> House {
        let house = on(house, day);
        let outcome = self.act(&house).await;
        assert_eq!(outcome.kind(), None, "{self:?}: {outcome:?}");
        house
    }
}

/// One version at one location: state, environment tag, where it is current.
type Row = (String, String, String);
/// By location, image and version.
type Table = BTreeMap<(String, String, String), Row>;

/// What the tags say, without ids and times; and the pointers by version.
fn table(house: &House) -> (Table, BTreeMap<(String, String), String>) {
    let inventory = house.facts();
    let records = Record::read_all(&inventory.images, &"acme".into());
    let location =
        |r: &Record<'_>| crate::lifecycle::locations::ami_location(r.ami, ACCOUNT).to_string();
    let row = |r: &Record<'_>| {
        let mut envs: Vec<String> = current::parse(r.tag(tags::CURRENT))
            .into_keys()
            .map(|e| e.0)
            .collect();
        envs.sort_by_key(|e| e == "Prod");
        (
            r.state.as_str().to_owned(),
            r.tag("Environment").to_owned(),
            envs.join("+"),
        )
    };
    let versions: Table = records
        .iter()
        .map(|r| {
            (
                (location(r), r.image.0.clone(), r.version.to_string()),
                row(r),
            )
        })
        .collect();
    let version = |id: &str| {
        records
            .iter()
            .find(|r| r.ami.id.as_str() == id)
            .map(|r| r.version.to_string())
    };
    let pointers = inventory.parameters.iter().map(|p| {
        (
            (p.location.to_string(), p.name.clone()),
            version(&p.value).unwrap_or_else(|| p.value.clone()),
        )
    });
    let pointers = pointers.collect();
    (versions, pointers)
}

const HOME: &str = "eu-west-1";
const PROD: [&str; 4] = [
    HOME,
    "us-east-1",
    "222222222222.eu-west-1",
    "222222222222.us-east-1",
];
const V: [&str; 3] = ["20261122.1", "20261124.1", "20261126.1"];

fn v(n: usize) -> Version {
    V[n - 1].parse().expect("version")
}

/// Asserts one image's rows `(state, Environment, current)` at a location, and both pointers by version number.
fn assert_rows(
    house: &House,
    location: &str,
    image: &str,
    rows: &[(&str, &str, &str)],
    latest: (usize, usize),
) {
    let (versions, pointers) = table(house);
    let mine: Vec<(&str, &str, &str)> = versions
        .iter()
        .filter(|((p, i, _), _)| p == location && i == image)
        .map(|(_, (s, e, c))| (s.as_str(), e.as_str(), c.as_str()))
        .collect();
    assert_eq!(mine, rows, "{image} in {location}");
    for (env, n) in [("Test", latest.0), ("Prod", latest.1)] {
        let pointer = pointer_name(
            &"acme".into(),
            &name(image),
            &EnvName::from(env),
            crate::model::Arch::X86_64,
        );
        let found = pointers
            .get(&(location.to_owned(), pointer))
            .map(String::as_str);
        assert_eq!(
            found,
            n.checked_sub(1).map(|n| V[n]),
            "{env} of {image} in {location}"
        );
    }
}

/// What must hold after every end of a run: one holder at most, pointers and tags agree, copies whole, nothing shared.
fn assert_consistent(house: &House, context: &str) {
    let inventory = house.facts();
    let repairs = diagnose(&house.catalog.settings, &inventory).repairs;
    assert_eq!(repairs, Vec::new(), "{context}");
    // What the doctor overlooks, this sees: one holder at most, and the pointer is it.
    let (versions, mut pointers) = table(house);
    let mut held: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for ((location, image, version), (state, _, envs)) in
        versions.iter().filter(|(_, r)| r.0 != "revoked")
    {
        assert!(
            matches!(state.as_str(), "released" | "held") || envs.is_empty(),
            "{context}: {image} {version}"
        );
        for env in envs.split('+').filter(|e| !e.is_empty()) {
            let pointer = format!("/bakeline/acme/{image}/{env}/x86_64");
            held.entry((location.clone(), pointer))
                .or_default()
                .push(version.clone());
        }
    }
    for (key, holders) in held {
        assert_eq!(
            pointers.remove(&key).into_iter().collect::<Vec<_>>(),
            holders,
            "{context}: {key:?}"
        );
    }
    assert!(pointers.is_empty(), "{context}: {pointers:?}");
    for record in Record::read_all(&inventory.images, &"acme".into()) {
        let revoked = record.state == crate::model::State::Revoked;
        let claims = !record.current.is_empty() || !record.tag("Environment").is_empty();
        assert!(
            !(revoked && claims),
            "{context}: {} {}",
            record.image,
            record.version
        );
    }
}

/// What must hold while some locations are behind: at each location there is one holder and the pointer says so.
fn assert_points(house: &House, context: &str) {
    let mut repairs = diagnose(&house.catalog.settings, &house.facts()).repairs;
    // A version that is held elsewhere already becomes so here when the rollback is done again.
    repairs.retain(|r| !matches!(r, Repair::SetTags { tags, .. } if tags.keys().eq([tags::STATE])));
    assert_eq!(repairs, Vec::new(), "{context}");
}

/// Nothing half-made and no permission is left.
fn assert_no_halves(house: &House, context: &str) {
    let inventory = house.facts();
    for ami in &inventory.images {
        let (own, state) = (ami.tags.get(tags::SELF), ami.tags.get(tags::STATE));
        let stranger = own.is_some_and(|s| *s != ami.id.0);
        let whole = own.is_some()
            && state.is_some_and(|s| s != "candidate")
            && !ami.tags.contains_key(tags::EXPIRES);
        assert!(stranger || whole, "{context}: {} {:?}", ami.id, ami.tags);
    }
    let shared: Vec<_> = inventory
        .references
        .iter()
        .filter(|r| r.kind == "shared-with")
        .collect();
    assert!(shared.is_empty(), "{context}: {shared:?}");
}

pub(super) async fn two_versions() -> House {
    let house = released(&start(), &["base"], 22).await;
    let house = Deed::Promote(&["base"]).done(&house, 23).await;
    released(&house, &["base"], 24).await
}

async fn two_promoted() -> House {
    Deed::Promote(&["base"])
        .done(&two_versions().await, 25)
        .await
}

#[tokio::test]
async fn every_transition_of_the_table_at_every_place() {
    let house = released(&start(), &["base"], 22).await;
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Test", "Test")],
        (1, 0),
    );
    assert_rows(&house, "us-east-1", "base", &[], (0, 0));

    let house = Deed::Promote(&["base"]).done(&house, 23).await;
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Prod", "Test+Prod")],
        (1, 1),
    );
    for location in &PROD[1..] {
        assert_rows(
            &house,
            location,
            "base",
            &[("released", "Prod", "Prod")],
            (0, 1),
        );
    }
    assert!(
        Deed::Promote(&["base"]).plan(&house).steps.is_empty(),
        "what is there is left"
    );

    let house = released(&house, &["base"], 24).await;
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Prod", "Prod"), ("released", "Test", "Test")],
        (2, 1),
    );

    let house = Deed::Promote(&["base"]).done(&house, 25).await;
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Prod", ""), ("released", "Prod", "Test+Prod")],
        (2, 2),
    );
    for location in &PROD[1..] {
        assert_rows(
            &house,
            location,
            "base",
            &[("released", "Prod", ""), ("released", "Prod", "Prod")],
            (0, 2),
        );
    }
    assert_no_halves(&house, "promoted");

    let house = Deed::Rollback(v(1)).done(&house, 26).await;
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Prod", "Prod"), ("held", "Test", "Test")],
        (2, 1),
    );
    for location in &PROD[1..] {
        assert_rows(
            &house,
            location,
            "base",
            &[("released", "Prod", "Prod"), ("held", "Test", "")],
            (0, 1),
        );
    }
    let refused = Deed::Promote(&["base"]).plan(&house);
    assert!(
        refused.steps.is_empty() && refused.decisions[0].reasons[0].contains("held"),
        "{:?}",
        refused.decisions
    );

    let house = Deed::Revoke("base", v(2)).done(&house, 27).await;
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Prod", "Test+Prod"), ("revoked", "", "")],
        (1, 1),
    );
    for location in &PROD[1..] {
        assert_rows(
            &house,
            location,
            "base",
            &[("released", "Prod", "Prod"), ("revoked", "", "")],
            (0, 1),
        );
    }
    assert_consistent(&house, "revoked");
    // Snapshots mirror the state.
    house.cloud.state(|w| {
        let revoked = w
            .images
            .values()
            .find(|a| a.tags.get(tags::STATE).is_some_and(|s| s == "revoked"))
            .expect("it");
        assert_eq!(w.snapshots[&revoked.snapshots[0]][tags::STATE], "revoked");
    });
    assert!(
        Deed::Revoke("base", v(2)).plan(&house).steps.is_empty(),
        "revoked already"
    );
}

#[tokio::test]
async fn revoke_takes_the_descendants_and_deletes_a_pointer_that_has_nothing_left() {
    let house = released(&start(), &["base", "a", "b"], 22).await;
    let house = Deed::Promote(&["a", "base"]).done(&house, 23).await;
    let house = Deed::Revoke("base", v(1)).done(&house, 24).await;
    for image in ["base", "a", "b"] {
        assert_rows(&house, HOME, image, &[("revoked", "", "")], (0, 0));
    }
    assert_rows(&house, PROD[3], "a", &[("revoked", "", "")], (0, 0));
    assert_consistent(&house, "nothing left");
}

#[tokio::test]
async fn a_hold_is_at_every_place_and_can_be_released() {
    let house = Deed::Hold(v(2), false)
        .done(&two_promoted().await, 26)
        .await;
    assert_rows(
        &house,
        PROD[1],
        "base",
        &[("released", "Prod", ""), ("held", "Prod", "Prod")],
        (0, 2),
    );
    assert_rows(
        &house,
        HOME,
        "base",
        &[("released", "Prod", ""), ("held", "Prod", "Test+Prod")],
        (2, 2),
    );
    let house = Deed::Hold(v(2), true).done(&house, 27).await;
    assert_rows(
        &house,
        PROD[1],
        "base",
        &[("released", "Prod", ""), ("released", "Prod", "Prod")],
        (0, 2),
    );
}

#[tokio::test]
async fn a_child_goes_up_with_its_parent_or_after_it_but_not_before() {
    let house = on(&released(&start(), &["base", "a"], 22).await, 23);
    let alone = Deed::Promote(&["a"]).plan(&house);
    assert!(alone.steps.is_empty());
    assert!(
        alone.decisions[0].reasons[0].contains("layered on base@20261122.1"),
        "{:?}",
        alone.decisions
    );
    let together = Deed::Promote(&["a", "base"]).plan(&house);
    for location in &PROD {
        let at = |image: &str| {
            if *location == HOME {
                image.to_owned()
            } else {
                format!("{image}@{location}")
            }
        };
        let position = |scope: String| {
            together
                .scopes()
                .iter()
                .position(|(s, _)| *s == scope)
                .expect("a scope")
        };
        assert!(position(at("base")) < position(at("a")));
        let scopes = together.scopes();
        let needs = &scopes[position(at("a"))].1;
        assert_eq!(*needs, [at("base")], "{location}");
    }
    assert_eq!(house.act(&together).await.kind(), None);
    assert_no_halves(&house, "together");
}
