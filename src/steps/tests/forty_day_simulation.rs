//! Simulates forty days of releases, promotions and prunes on the fakes, and records the result.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::retirement::prune;
use super::{TestEnv, catalog_with, region};
use crate::lifecycle::Record;
use crate::model::{Inventory, Timestamp};
use crate::ports::Store as _;

/// Compares the last day's inventory and the result of its prune with the committed file.
/// tests/e2e/api/test_prune_reference.py checks the file against the reference.
#[expect(
    clippy::disallowed_methods,
    reason = "a test reads and, when asked to, writes the committed file"
)]
fn assert_evidence(settings: &str, before: &Inventory, after: &Inventory) {
    let left: BTreeSet<&str> = after.images.iter().map(|a| a.id.as_str()).collect();
    let record = serde_json::json!({"settings": settings, "world": before, "left": left});
    let text = serde_json::to_string_pretty(&record).expect("JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/forty-day-simulation.json");
    if std::env::var_os("BAKELINE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("a written file");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is not up to date: run this test with BAKELINE_BLESS=1",
        path.display()
    );
}

/// Builds daily on the last good build, promotes now and then, and prunes after each day. Exactly
/// the newest five in Test and the reserve of two in Prod remain, never more than seven per image.
#[tokio::test]
async fn forty_days_leave_versions_that_rules_keep() {
    let settings = "name: acme\nregions: [eu-west-1]\n\
        retention: {keep: 5, reserve: 2, disable_after: 0s, deregister_after: 0s}\n";
    let catalog = catalog_with(settings, &[]);
    let mut setup = TestEnv::with_state(
        TestEnv::new().cloud.state(|w| w.clone()),
        Arc::clone(&catalog),
        "2026-10-01T01:00:00Z",
    );
    let start: Timestamp = "2026-10-01T01:00:00Z".parse().expect("time");
    let (mut released, mut promoted) = (Vec::new(), Vec::new());
    for day in 0..40 {
        let now = start + jiff::SignedDuration::from_hours(24 * day);
        setup = setup.next_run(Arc::clone(&catalog), &now.to_string());
        assert_eq!(
            setup
                .execute(&setup.release_plan(&format!("r{day}"), true))
                .await
                .kind(),
            None,
            "day {day}"
        );
        released.push(now.strftime("%Y%m%d.1").to_string());
        if [3, 9, 10, 20, 31, 37].contains(&day) {
            for image in ["base", "a", "b", "z"] {
                assert_eq!(
                    setup.promote(&format!("p{day}{image}"), image).await.kind(),
                    None,
                    "day {day}"
                );
            }
            promoted.push(released.last().expect("one").clone());
        }
        let before = setup.inventory();
        prune(&setup, &format!("x{day}"), false).await;
        let own = setup.cloud.state(|w| w.own());
        for image in ["base", "a", "b", "z"] {
            let left: BTreeSet<String> = Record::read_all_published(&own, &"acme".into())
                .iter()
                .filter(|r| r.image.as_str() == image)
                .map(|r| r.version.to_string())
                .collect();
            let reserve = promoted.iter().rev().take(2);
            let newest = released
                .iter()
                .rev()
                .filter(|v| !promoted.contains(v))
                .take(5);
            let wanted: BTreeSet<String> = newest.chain(reserve).cloned().collect();
            assert_eq!(left, wanted, "{image}, day {day}");
            assert!(left.len() <= 7);
        }
        if day == 39 {
            assert_evidence(settings, &before, &setup.inventory());
        }
    }
    assert_eq!(
        setup
            .cloud
            .state(|w| w.own().iter().filter(|a| a.region == region()).count()),
        4 * 7 + 2
    );
    assert!(setup.store.list("acme").await.is_ok());
}
