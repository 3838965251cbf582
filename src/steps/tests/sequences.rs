//! Tests the step chains that start a released version without building: recheck, probe and manual
//! check.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::{TestEnv, catalog, region};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{AmiId, Arch, ImageName, Tags};
use crate::plan::inspect;
use crate::plan::step::PlanVerdict;
use crate::ports::Workspace as _;
use crate::steps::check::controls::CheckReport;

const GOOD: (&str, &str) = (
    "base",
    "source: {owner: \"136693071363\", name: debian-12-*}\n\
     checks:\n  - {file: /etc/passwd}\n  - {file: /etc/group, id: new}\n",
);
const BAD: (&str, &str) = ("z", "parent: base\nchecks:\n  - {file: /not/there}\n");

/// Returns an environment with all images released, then `changed` in the catalog.
async fn release_then_change(changed: (&str, &str)) -> TestEnv {
    let first = TestEnv::new();
    assert!(first.release("run1").await.kind().is_none());
    let mut next = first.next_run(catalog(&[changed]), "2026-11-23T12:00:00Z");
    next.store = first.store;
    next
}

fn all_tags(setup: &TestEnv) -> BTreeMap<AmiId, Tags> {
    setup.cloud.state(|w| {
        w.images
            .iter()
            .map(|(id, ami)| (id.clone(), ami.tags.clone()))
            .collect()
    })
}

fn done_count(outcome: &Outcome) -> usize {
    outcome.scopes.values().filter(|e| e.is_done()).count()
}

#[tokio::test]
async fn recheck_judges_current_version_and_updates_tags() {
    let setup = release_then_change(GOOD).await;
    let (before, plan) = (all_tags(&setup), setup.release_plan("run2", false));
    // Written tags read back late.
    setup.cloud.state(|w| w.lag = 2);
    assert!(
        plan.decisions
            .iter()
            .all(|d| d.verdict == PlanVerdict::Recheck),
        "{:?}",
        plan.decisions
    );
    setup.watch_invariants();
    let outcome = setup.execute(&plan).await;
    assert_eq!(
        (outcome.kind(), done_count(&outcome)),
        (None, 4),
        "{outcome:?}"
    );
    setup.assert_clean("after a recheck");
    for (id, now) in all_tags(&setup) {
        let then = &before[&id];
        let kept = |tags: &Tags| {
            let other = tags
                .iter()
                .filter(|(k, _)| *k != tags::CHECKS && *k != tags::CHECKED);
            other.map(|(k, v)| (k.clone(), v.clone())).collect::<Tags>()
        };
        assert_eq!(kept(&now), kept(then), "{id}");
        assert_eq!(
            now.get(tags::CHECKS) != then.get(tags::CHECKS),
            now.contains_key(tags::CHECKED),
            "{id}"
        );
    }
    assert!(
        setup.release_plan("run3", false).steps.is_empty(),
        "the next plan is empty"
    );
}

#[tokio::test]
async fn failed_recheck_keeps_version_and_suggests_revoke() {
    let setup = release_then_change(BAD).await;
    let before = all_tags(&setup);
    let outcome = setup.execute(&setup.release_plan("run2", false)).await;
    assert_eq!(
        outcome.kind().map(crate::error::ErrorKind::exit_code),
        Some(3)
    );
    let ScopeEnd::Failed { hints, error, .. } = outcome.end_of("z") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("/not/there"), "{error}");
    assert!(
        hints
            .iter()
            .any(|h| h.contains("stays current") && h.contains("bakeline revoke z 20261122.1")),
        "{hints:?}"
    );
    assert_eq!(all_tags(&setup), before);
    setup.assert_clean("after a failed recheck");
}

#[tokio::test]
async fn retag_refuses_concurrent_recheck() {
    let setup = release_then_change(GOOD).await;
    let plan = setup.release_plan("run2", false);
    let base = setup.latest("base", "Test").1.expect("a current base");
    setup.cloud.state(|w| {
        w.images
            .get_mut(&base)
            .expect("it")
            .tags
            .insert(tags::CHECKS.to_owned(), "other".to_owned())
    });
    let outcome = setup.execute(&plan).await;
    let ScopeEnd::Failed { error, .. } = outcome.end_of("base") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("changed since the plan"), "{error}");
}

#[tokio::test]
async fn failed_probe_stores_nothing() {
    // The local `sh` acts as the instance. Only a complete answer may become a fact.
    let setup = release_then_change(GOOD).await;
    let (inventory, name) = (setup.inventory(), ImageName::from("base"));
    let plan = crate::plan::probe::plan_probe(
        &setup.catalog,
        &inventory,
        std::slice::from_ref(&name),
        "run2".into(),
    );
    assert_eq!(plan.steps.len(), 7, "{plan:?}");
    setup.store.read_only.store(true, Ordering::SeqCst);
    let before = all_tags(&setup);
    *setup.shell.deaf.lock().expect("no panic") = true;
    let outcome = setup.execute(&plan).await;
    assert!(outcome.kind().is_some(), "{outcome:?}");
    let key = keys::probe(&setup.catalog.settings.name, &name, Arch::X86_64);
    assert!(
        !setup
            .store
            .objects
            .lock()
            .expect("no panic")
            .contains_key(&key)
    );
    assert_eq!(all_tags(&setup), before);
    setup.assert_clean("after a failed probe");
}

/// Asserts that no file of the run directory contains a private key.
fn assert_no_secret(setup: &TestEnv) {
    let files = setup.workspace.files.lock().expect("no panic");
    for (path, content) in &*files {
        assert!(
            !String::from_utf8_lossy(content).contains("FAKE KEY"),
            "{path}"
        );
    }
    assert!(
        files.contains_key("base/known_hosts.boot"),
        "the host key was known before the login"
    );
}

#[tokio::test]
async fn manual_check_collects_facts_and_leaves_no_resources() {
    let setup = release_then_change(GOOD).await;
    let before = all_tags(&setup);
    let ami = setup.latest("base", "Test").1.expect("a current base");
    let plan = inspect::plan_inspection(
        &ImageName::from("base"),
        &ami,
        &region(),
        "run2".into(),
        setup.now,
    );
    let outcome = setup.execute(&plan).await;
    assert_eq!(
        (outcome.kind(), done_count(&outcome)),
        (None, 1),
        "{outcome:?}"
    );
    setup.assert_clean("after a manual check");
    let kept = setup.workspace.read("base/facts-boot.json").expect("facts");
    let kept: CheckReport = serde_json::from_slice(&kept).expect("facts");
    assert!(
        !kept.verdicts.is_empty() && kept.facts["readings"]["file"]["/etc/group"].is_object(),
        "{:?}",
        kept.facts
    );
    assert_no_secret(&setup);
    let known = setup
        .workspace
        .read("base/known_hosts.boot")
        .expect("known hosts");
    let known = String::from_utf8(known).expect("text");
    assert!(
        known.starts_with("i-") && known.ends_with(" ssh-ed25519 AAAA\n"),
        "{known}"
    );
    assert_eq!(all_tags(&setup), before);
    assert!(
        setup
            .store
            .objects
            .lock()
            .expect("no panic")
            .keys()
            .all(|key| !key.contains("/run2/facts"))
    );
}

#[tokio::test]
async fn failed_manual_check_leaves_no_resources() {
    let setup = release_then_change(GOOD).await;
    let ami = setup.latest("base", "Test").1.expect("a current base");
    let plan = inspect::plan_inspection(
        &ImageName::from("base"),
        &ami,
        &region(),
        "run2".into(),
        setup.now,
    );
    *setup.shell.deaf.lock().expect("no panic") = true;
    let outcome = setup.execute(&plan).await;
    assert_eq!(
        outcome.kind().map(crate::error::ErrorKind::exit_code),
        Some(4)
    );
    setup.assert_clean("after a failed manual check");
    assert_no_secret(&setup);
}

#[tokio::test]
async fn release_writes_all_reports_and_tolerates_failures() {
    let setup = release_then_change(GOOD).await;
    let outcome = setup.execute(&setup.release_plan("run2", false)).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    for name in ["txt", "json", "inspec.json", "junit.xml", "html"] {
        assert!(
            setup
                .workspace
                .read(&format!("base/checks-boot.{name}"))
                .is_some(),
            "{name}"
        );
    }
    assert!(
        setup
            .workspace
            .read("base/packages-boot.cdx.json")
            .is_some()
    );
    let report = setup
        .workspace
        .read("base/checks-boot.json")
        .expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(
        (&report["image"], &report["counts"]["passed"]),
        (&"base".into(), &2.into()),
        "{report}"
    );
    assert_eq!(report["verdicts"].as_array().map(Vec::len), Some(2));
    // An invalid catalog template costs only the HTML page.
    let mut broken = release_then_change(GOOD).await;
    let mut catalog = (*broken.catalog).clone();
    catalog.files.insert(
        crate::report::html::TEMPLATE.to_owned(),
        b"@{ no.such.thing }@".to_vec(),
    );
    broken.catalog = std::sync::Arc::new(catalog);
    let outcome = broken.execute(&broken.release_plan("run2", false)).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    assert!(broken.workspace.read("base/checks-boot.html").is_none());
    assert!(broken.workspace.read("base/checks-boot.txt").is_some());
}
