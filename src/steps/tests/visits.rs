//! Owns the proof of what boots a released version without building: a recheck and a probe.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::{House, catalog, region};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{AmiId, Arch, ImageName, Tags};
use crate::plan::inspect;
use crate::plan::step::PlanVerdict;
use crate::ports::Workspace as _;
use crate::steps::check::CheckReport;

const GOOD: (&str, &str) = (
    "base",
    "source: {owner: \"136693071363\", name: debian-12-*}\nchecks:\n  - {file: /etc/passwd}\n  - {file: /etc/group, id: new}\n",
);
const BAD: (&str, &str) = ("z", "parent: base\nchecks:\n  - {file: /not/there}\n");

/// A house in which everything is released, then with `changed` in its catalog.
async fn moved(changed: (&str, &str)) -> House {
    let first = House::new();
    assert!(first.release("run1").await.kind().is_none());
    let mut next = first.next(catalog(&[changed]), "2026-11-23T12:00:00Z");
    next.store = first.store;
    next
}

fn all_tags(house: &House) -> BTreeMap<AmiId, Tags> {
    house.cloud.state(|w| {
        w.images
            .iter()
            .map(|(id, ami)| (id.clone(), ami.tags.clone()))
            .collect()
    })
}

fn done(outcome: &Outcome) -> usize {
    outcome.scopes.values().filter(|e| e.is_done()).count()
}

#[tokio::test]
async fn a_new_control_is_judged_on_what_is_current_and_written_down() {
    let house = moved(GOOD).await;
    let (before, plan) = (all_tags(&house), house.plan("run2", false));
    // What is written reads late.
    house.cloud.state(|w| w.lag = 2);
    assert!(
        plan.decisions
            .iter()
            .all(|d| d.verdict == PlanVerdict::Recheck),
        "{:?}",
        plan.decisions
    );
    house.stand_guard();
    let outcome = house.act(&plan).await;
    assert_eq!((outcome.kind(), done(&outcome)), (None, 4), "{outcome:?}");
    house.assert_clean("after a recheck");
    for (id, now) in all_tags(&house) {
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
        house.plan("run3", false).steps.is_empty(),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn a_version_that_fails_stays_as_it_is_and_the_way_out_is_named() {
    let house = moved(BAD).await;
    let before = all_tags(&house);
    let outcome = house.act(&house.plan("run2", false)).await;
    assert_eq!(outcome.kind().map(crate::error::Kind::exit_code), Some(3));
    let Some(ScopeEnd::Failed { hints, error, .. }) = outcome.scopes.get("z") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("/not/there"), "{error}");
    assert!(
        hints
            .iter()
            .any(|h| h.contains("stays current") && h.contains("bakeline revoke z 20261122.1")),
        "{hints:?}"
    );
    assert_eq!(all_tags(&house), before);
    house.assert_clean("after a failed recheck");
}

#[tokio::test]
async fn somebody_elses_judgement_is_not_overwritten() {
    let house = moved(GOOD).await;
    let plan = house.plan("run2", false);
    let base = house.latest("base", "Test").1.expect("a current base");
    house.cloud.state(|w| {
        w.images
            .get_mut(&base)
            .expect("it")
            .tags
            .insert(tags::CHECKS.to_owned(), "other".to_owned())
    });
    let outcome = house.act(&plan).await;
    let Some(ScopeEnd::Failed { error, .. }) = outcome.scopes.get("base") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("changed since the plan"), "{error}");
}

#[tokio::test]
async fn an_answer_that_can_not_be_read_is_kept_by_nobody() {
    // This machine's `sh` stands in for the instance: whatever it answers, only a whole answer may become a fact.
    let house = moved(GOOD).await;
    let (inventory, name) = (house.facts(), ImageName::from("base"));
    let plan = crate::plan::probe::plan_probe(
        &house.catalog,
        &inventory,
        std::slice::from_ref(&name),
        "run2".into(),
    );
    assert_eq!(plan.steps.len(), 7, "{plan:?}");
    house.store.read_only.store(true, Ordering::SeqCst);
    let before = all_tags(&house);
    *house.shell.deaf.lock().expect("no panic") = true;
    let outcome = house.act(&plan).await;
    assert!(outcome.kind().is_some(), "{outcome:?}");
    let key = keys::probe(&house.catalog.settings.name, &name, Arch::X86_64);
    assert!(
        !house
            .store
            .objects
            .lock()
            .expect("no panic")
            .contains_key(&key)
    );
    assert_eq!(all_tags(&house), before);
    house.assert_clean("after a failed probe");
}

/// No file of the run directory holds a private key.
fn assert_no_secret(house: &House) {
    let files = house.workspace.files.lock().expect("no panic");
    for (path, content) in &*files {
        assert!(
            !String::from_utf8_lossy(content).contains("FAKE KEY"),
            "{path}"
        );
    }
    assert!(
        files.contains_key("base/known_hosts.boot"),
        "the host was not known beforehand"
    );
}

#[tokio::test]
async fn an_ami_is_asked_by_hand_and_nothing_of_it_is_left() {
    let house = moved(GOOD).await;
    let before = all_tags(&house);
    let ami = house.latest("base", "Test").1.expect("a current base");
    let plan = inspect::plan_inspection(
        &ImageName::from("base"),
        &ami,
        &region(),
        "run2".into(),
        house.now,
    );
    let outcome = house.act(&plan).await;
    assert_eq!((outcome.kind(), done(&outcome)), (None, 1), "{outcome:?}");
    house.assert_clean("after a check by hand");
    let kept = house.workspace.read("base/facts-boot.json").expect("facts");
    let kept: CheckReport = serde_json::from_slice(&kept).expect("facts");
    assert!(
        kept.verdicts.is_empty() && kept.facts["readings"]["file"]["/etc/group"].is_object(),
        "{:?}",
        kept.facts
    );
    assert_no_secret(&house);
    let known = house
        .workspace
        .read("base/known_hosts.boot")
        .expect("known hosts");
    let known = String::from_utf8(known).expect("text");
    assert!(
        known.starts_with("i-") && known.ends_with(" ssh-ed25519 AAAA\n"),
        "{known}"
    );
    assert_eq!(all_tags(&house), before);
    assert!(
        house
            .store
            .objects
            .lock()
            .expect("no panic")
            .keys()
            .all(|key| !key.contains("/run2/facts"))
    );
}

#[tokio::test]
async fn an_ami_that_lets_nobody_in_leaves_nothing_either() {
    let house = moved(GOOD).await;
    let ami = house.latest("base", "Test").1.expect("a current base");
    let plan = inspect::plan_inspection(
        &ImageName::from("base"),
        &ami,
        &region(),
        "run2".into(),
        house.now,
    );
    *house.shell.deaf.lock().expect("no panic") = true;
    let outcome = house.act(&plan).await;
    assert_eq!(outcome.kind().map(crate::error::Kind::exit_code), Some(4));
    house.assert_clean("after a check by hand that failed");
    assert_no_secret(&house);
}

#[tokio::test]
async fn a_release_leaves_every_report_and_none_can_fail_it() {
    let house = moved(GOOD).await;
    let outcome = house.act(&house.plan("run2", false)).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    for name in ["txt", "json", "inspec.json", "junit.xml", "html"] {
        assert!(
            house
                .workspace
                .read(&format!("base/checks-boot.{name}"))
                .is_some(),
            "{name}"
        );
    }
    assert!(
        house
            .workspace
            .read("base/packages-boot.cdx.json")
            .is_some()
    );
    let report = house
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
    // A template of the catalog's own that is wrong costs the page and nothing else.
    let mut broken = moved(GOOD).await;
    let mut catalog = (*broken.catalog).clone();
    catalog.files.insert(
        crate::report::html::TEMPLATE.to_owned(),
        b"@{ no.such.thing }@".to_vec(),
    );
    broken.catalog = std::sync::Arc::new(catalog);
    let outcome = broken.act(&broken.plan("run2", false)).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    assert!(broken.workspace.read("base/checks-boot.html").is_none());
    assert!(broken.workspace.read("base/checks-boot.txt").is_some());
}
