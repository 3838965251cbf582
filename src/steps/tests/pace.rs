//! Tests in virtual time that promotions are as fast as the rates and the copies of AWS allow.

use std::sync::Arc;
use std::time::Duration;

use super::invariants::excess_tags;
use super::{TestEnv, catalog_with, region};
use crate::adapters::fake::{ACCOUNT, FakeCloudState, Pace, VirtualClock};
use crate::catalog::OnFailure;
use crate::engine::Engine;
use crate::engine::lock::fence::FencedCloud;
use crate::matrix::select_cases;
use crate::model::{ImageName, RunId};
use crate::plan::promote::plan_promotion;
use crate::plan::release::{ReleaseRequest, plan_release};
use crate::steps::Steps;

/// Duration of a copy. AWS documents none; copies between Regions take minutes.
const COPY: Duration = Duration::from_secs(600);
/// Concurrent copies for each destination (Amazon EBS endpoints and quotas).
const SLOTS: usize = 20;

/// Returns the settings of a catalog whose environment Prod has these Regions and accounts.
fn settings(regions: usize, accounts: usize) -> String {
    let regions: Vec<String> = (1..=regions).map(|n| format!("eu-west-{n}")).collect();
    let accounts: Vec<String> = account_ids(accounts)
        .iter()
        .map(|id| format!("\"{id}\""))
        .collect();
    format!(
        "name: acme\nregions: [{}]\nenvironments:\n  - {{name: Test, regions: [eu-west-1]}}\n  \
         - name: Prod\n    accounts: [{}]\n    role: arn:aws:iam::222222222222:role/bakeline\n",
        regions.join(", "),
        accounts.join(", ")
    )
}

/// Returns account IDs. The first is the account of the builder.
fn account_ids(accounts: usize) -> Vec<String> {
    let others = (1..accounts).map(|n| format!("2222222{n:05}"));
    [ACCOUNT.to_owned()].into_iter().chain(others).collect()
}

/// Returns an environment in which images are released at home, and the images.
async fn release_images(
    images: usize,
    regions: usize,
    accounts: usize,
) -> (TestEnv, Vec<ImageName>) {
    let names: Vec<String> = (1..=images).map(|n| format!("img{n:03}")).collect();
    let vendor = "source: {owner: \"136693071363\", name: debian-12-*}\n";
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), vendor)).collect();
    let catalog = catalog_with(&settings(regions, accounts), &files);
    let mut setup = TestEnv::new().next_run(Arc::clone(&catalog), "2026-11-22T12:00:00Z");
    for account in account_ids(accounts) {
        for there in &catalog.settings.regions {
            if account != ACCOUNT || *there != region() {
                setup.cloud.open(&account, there, FakeCloudState::default());
            }
        }
    }
    setup.options.on_failure = OnFailure::Continue;
    let images: Vec<ImageName> = names.iter().map(|name| name.as_str().into()).collect();
    let request = ReleaseRequest {
        images: images.clone(),
        force: false,
        run: RunId::from("r1"),
    };
    let mut inventory = setup.inventory();
    let vendor_ami = inventory.sources[&ImageName::from("base")].clone();
    let sources = images.iter().cloned();
    inventory
        .sources
        .extend(sources.map(|image| (image, vendor_ami.clone())));
    let plan = plan_release(&catalog, &inventory, &request);
    assert_eq!(setup.execute(&plan).await.kind(), None);
    (setup, images)
}

/// Promotes images to all locations under the rates of AWS. Returns the time, the number of copies, and
/// the number of calls that read AMIs.
async fn promote_in_virtual_time(
    images: usize,
    regions: usize,
    accounts: usize,
) -> (Duration, usize, usize) {
    let (mut setup, images) = release_images(images, regions, accounts).await;
    setup
        .cloud
        .watch(|state| state.images.values().find_map(excess_tags));
    let clock = Arc::new(VirtualClock::new(setup.now));
    setup
        .cloud
        .set_pace(Pace::new(Arc::clone(&clock), COPY, SLOTS));
    setup.options.location_jobs = 1024;
    setup.options.jobs = 64;
    let (inventory, run) = (setup.inventory(), RunId::from("p1"));
    let plan = plan_promotion(&setup.catalog, &inventory, &images, &"Prod".into(), run);
    assert!(!plan.steps.is_empty(), "{:?}", plan.decisions);
    let others = account_ids(accounts).into_iter().skip(1).map(|id| {
        let cloud = Arc::new(setup.cloud.for_account(&id));
        (id, FencedCloud::new(cloud, None))
    });
    let steps = Steps {
        others: others.collect(),
        clock: Arc::clone(&clock) as _,
        ..setup.steps(&plan.run)
    };
    let engine = Engine {
        effects: Arc::new(steps),
        journal: Arc::clone(&setup.journal) as _,
        clock: Arc::clone(&clock) as _,
        events: Arc::clone(&setup.events) as _,
    };
    let outcome = clock.drive(engine.run(&plan, &setup.options)).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    assert_eq!(setup.cloud.violations(), Vec::<String>::new());
    let calls = setup.cloud.calls();
    let count = |action: &str| calls.iter().filter(|c| c.action == action).count();
    (clock.elapsed(), count("copy_image"), count("images"))
}

/// Asserts that a duration is within a factor of its lower bound.
fn assert_within(took: Duration, bound: Duration, factor: f64, what: &str) {
    let ratio = took.as_secs_f64() / bound.as_secs_f64();
    assert!(
        ratio <= factor,
        "{what}: {} s, bound {} s, ratio {ratio:.3}",
        took.as_secs(),
        bound.as_secs()
    );
}

#[tokio::test]
async fn one_image_reaches_120_locations_in_the_time_of_a_copy() {
    let (took, copies, _) = promote_in_virtual_time(1, 6, 20).await;
    assert_eq!(copies, 119, "all locations except home");
    assert_within(took, COPY, 1.1, "1 image to 120 locations");
}

#[tokio::test]
async fn accounts_wait_for_a_free_tag_of_the_original() {
    // An AMI without tags of users has 29 free tags, and each account needs one.
    let (took, copies, _) = promote_in_virtual_time(1, 1, 40).await;
    assert_eq!(copies, 39, "all accounts except home");
    assert_within(took, COPY * 2, 1.1, "1 image to 40 accounts");
    assert!(took > COPY * 2, "the first copies use all tags: {took:?}");
}

#[tokio::test]
async fn many_images_reach_all_locations_in_the_time_of_their_copies() {
    // CI runs one of these sizes.
    let sizes = [(25, 2, 2), (60, 4, 3)];
    for (images, regions, accounts) in select_cases("sizes of a promotion", 2, sizes) {
        let (took, copies, reads) = promote_in_virtual_time(images, regions, accounts).await;
        let locations = regions * accounts - 1;
        // The pending copies of a location share a read every four seconds.
        let shared = locations * usize::try_from(took.as_secs()).expect("a duration") / 4;
        assert!(reads < shared + 10 * copies, "{reads} reads of AMIs");
        assert_eq!(
            copies,
            images * locations,
            "no copy was refused or repeated"
        );
        let rounds = u32::try_from(images.div_ceil(SLOTS)).expect("a small number");
        let what = format!("{images} images to {locations} locations");
        assert_within(took, COPY * rounds, 1.05, &what);
    }
}
