//! Tests the state table in two Regions and a second account: every transition, an error at every
//! call, a kill before every call followed by the doctor, and repeated runs.

mod encryption;
mod interrupted_move;
mod locations;
mod operations;
pub(super) mod shared;
mod shared_retirement;
mod sharing;
mod trial_launch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::invariants::excess_tags;
use super::{OTHER, TestEnv, catalog_with};
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

/// Returns an empty cloud with two accounts and two Regions.
pub(super) fn two_accounts() -> TestEnv {
    let setup = TestEnv::new().next_run(catalog_with(SETTINGS, &[]), "2026-11-22T12:00:00Z");
    for (account, region) in [
        (ACCOUNT, "us-east-1"),
        (OTHER, "eu-west-1"),
        (OTHER, "us-east-1"),
    ] {
        setup
            .cloud
            .open(account, &region.into(), FakeCloudState::default());
    }
    setup
}

pub(super) fn on_day(setup: &TestEnv, day: u32) -> TestEnv {
    let mut next = setup.next_run(
        Arc::clone(&setup.catalog),
        &format!("2026-11-{day:02}T12:00:00Z"),
    );
    next.options.on_failure = OnFailure::Continue;
    next
}

fn name(image: &str) -> ImageName {
    ImageName::from(image)
}

async fn release_on_day(setup: &TestEnv, images: &[&str], day: u32) -> TestEnv {
    let setup = on_day(setup, day);
    let images = images.iter().map(|i| name(i)).collect();
    let request = release::ReleaseRequest {
        images,
        force: true,
        run: format!("r{day}").as_str().into(),
    };
    let outcome = setup
        .execute(&release::plan_release(
            &setup.catalog,
            &setup.inventory(),
            &request,
        ))
        .await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    setup
}

/// Operation that a test performs.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Promote(&'static [&'static str]),
    Rollback(Version),
    Revoke(&'static str, Version),
    Hold(Version, bool),
    Doctor,
}

impl Operation {
    pub(super) fn plan(&self, setup: &TestEnv) -> Plan {
        // Run IDs are unique, because client tokens contain them.
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RunId(format!("deed{}", RUNS.fetch_add(1, Ordering::Relaxed)));
        let (catalog, inventory) = (&setup.catalog, setup.inventory());
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

    pub(super) async fn execute(&self, setup: &TestEnv) -> Outcome {
        setup.execute(&self.plan(setup)).await
    }

    pub(super) async fn succeed_on_day(&self, setup: &TestEnv, day: u32) -> TestEnv {
        let setup = on_day(setup, day);
        let outcome = self.execute(&setup).await;
        assert_eq!(outcome.kind(), None, "{self:?}: {outcome:?}");
        setup
    }
}

/// State, environment tag and current environments of a version at a location.
pub(super) type StateRow = (String, String, String);
/// Rows by location, image and version.
pub(super) type StateTable = BTreeMap<(String, String, String), StateRow>;

/// Versions of the pointers by location and name.
pub(super) type Pointers = BTreeMap<(String, String), String>;

/// Returns the state from tags, without IDs and times, and the pointers by version.
pub(super) fn state_table(setup: &TestEnv) -> (StateTable, Pointers) {
    let inventory = setup.inventory();
    let records = Record::read_all_published(&inventory.images, &"acme".into());
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
    let versions: StateTable = records
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

pub(super) const HOME: &str = "eu-west-1";
const PROD: [&str; 4] = [
    HOME,
    "us-east-1",
    "222222222222.eu-west-1",
    "222222222222.us-east-1",
];
const V: [&str; 3] = ["20261122.1", "20261124.1", "20261126.1"];

pub(super) fn version(n: usize) -> Version {
    V[n - 1].parse().expect("version")
}

/// Asserts the rows `(state, Environment, current)` of an image at a location, and both pointers by
/// version number.
fn assert_rows(
    setup: &TestEnv,
    location: &str,
    image: &str,
    rows: &[(&str, &str, &str)],
    latest: (usize, usize),
) {
    let (versions, pointers) = state_table(setup);
    let found_rows: Vec<(&str, &str, &str)> = versions
        .iter()
        .filter(|((p, i, _), _)| p == location && i == image)
        .map(|(_, (s, e, c))| (s.as_str(), e.as_str(), c.as_str()))
        .collect();
    assert_eq!(found_rows, rows, "{image} in {location}");
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

/// Asserts the invariants after a completed run: at most one current AMI, pointers match tags,
/// copies are complete, and nothing is shared.
fn assert_consistent(setup: &TestEnv, context: &str) {
    let inventory = setup.inventory();
    let excess = inventory.images.iter().find_map(excess_tags);
    assert_eq!(excess, None, "{context}");
    let repairs = diagnose(&setup.catalog.settings, &|_| true, &inventory).repairs;
    assert_eq!(repairs, Vec::new(), "{context}");
    // An independent check: at most one current AMI, and the pointer names it.
    let (versions, mut pointers) = state_table(setup);
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
    for record in Record::read_all_published(&inventory.images, &"acme".into()) {
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

/// Asserts that each location is consistent by itself, even if some are behind.
pub(super) fn assert_locations_consistent(setup: &TestEnv, context: &str) {
    let mut repairs = diagnose(&setup.catalog.settings, &|_| true, &setup.inventory()).repairs;
    // A version that is held in other locations becomes held here when the rollback is repeated.
    repairs.retain(|r| !matches!(r, Repair::SetTags { tags, .. } if tags.keys().eq([tags::STATE])));
    assert_eq!(repairs, Vec::new(), "{context}");
}

/// Asserts that no unfinished copy and no permission remains.
pub(super) fn assert_no_leftovers(setup: &TestEnv, context: &str) {
    let inventory = setup.inventory();
    for ami in &inventory.images {
        let (own, state) = (ami.tags.get(tags::SELF), ami.tags.get(tags::STATE));
        let is_foreign = own.is_some_and(|s| *s != ami.id.0);
        let is_complete = own.is_some()
            && state.is_some_and(|s| s != "candidate")
            && !ami.tags.contains_key(tags::EXPIRES);
        assert!(
            is_foreign || is_complete,
            "{context}: {} {:?}",
            ami.id,
            ami.tags
        );
    }
    let shared: Vec<_> = inventory
        .references
        .iter()
        .filter(|r| r.kind == "shared-with")
        .collect();
    assert!(shared.is_empty(), "{context}: {shared:?}");
}

pub(super) async fn two_versions() -> TestEnv {
    let setup = release_on_day(&two_accounts(), &["base"], 22).await;
    let setup = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 23)
        .await;
    release_on_day(&setup, &["base"], 24).await
}

pub(super) async fn promote_two_versions() -> TestEnv {
    Operation::Promote(&["base"])
        .succeed_on_day(&two_versions().await, 25)
        .await
}
