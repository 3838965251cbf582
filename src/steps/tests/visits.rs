//! Owns the proof of what boots a released version without building: a recheck and a probe.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::{House, catalog};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{AmiId, Arch, ImageName, Tags};
use crate::plan::step::Verdict;

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
    house.cloud.world(|w| w.images.iter().map(|(id, ami)| (id.clone(), ami.tags.clone())).collect())
}

fn done(outcome: &Outcome) -> usize {
    outcome.scopes.values().filter(|e| e.is_done()).count()
}

#[tokio::test]
async fn a_new_control_is_judged_on_what_is_current_and_written_down() {
    let house = moved(GOOD).await;
    let (before, plan) = (all_tags(&house), house.plan("run2", false));
    assert!(plan.decisions.iter().all(|d| d.verdict == Verdict::Recheck), "{:?}", plan.decisions);
    house.stand_guard();
    let outcome = house.act(&plan).await;
    assert_eq!((outcome.kind(), done(&outcome)), (None, 4), "{outcome:?}");
    house.assert_clean("after a recheck");
    for (id, now) in all_tags(&house) {
        let then = &before[&id];
        let kept = |tags: &Tags| {
            let other = tags.iter().filter(|(k, _)| *k != tags::CHECKS && *k != tags::CHECKED);
            other.map(|(k, v)| (k.clone(), v.clone())).collect::<Tags>()
        };
        assert_eq!(kept(&now), kept(then), "{id}");
        assert_eq!(now.get(tags::CHECKS) != then.get(tags::CHECKS), now.contains_key(tags::CHECKED), "{id}");
    }
    assert!(house.plan("run3", false).steps.is_empty(), "nothing is left to do");
}

#[tokio::test]
async fn a_version_that_fails_stays_as_it_is_and_the_way_out_is_named() {
    let house = moved(BAD).await;
    let before = all_tags(&house);
    let outcome = house.act(&house.plan("run2", false)).await;
    assert_eq!(outcome.kind().map(crate::error::Kind::exit_code), Some(3));
    let Some(ScopeEnd::Failed { hints, error, .. }) = outcome.scopes.get("z") else { panic!("{outcome:?}") };
    assert!(error.contains("/not/there"), "{error}");
    assert!(
        hints.iter().any(|h| h.contains("stays current") && h.contains("bakeline revoke z 20261122.1")),
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
    house
        .cloud
        .world(|w| w.images.get_mut(&base).expect("it").tags.insert(tags::CHECKS.to_owned(), "other".to_owned()));
    let outcome = house.act(&plan).await;
    let Some(ScopeEnd::Failed { error, .. }) = outcome.scopes.get("base") else { panic!("{outcome:?}") };
    assert!(error.contains("changed since the plan"), "{error}");
}

#[tokio::test]
async fn an_answer_that_can_not_be_read_is_kept_by_nobody() {
    // This machine's `sh` stands in for the instance: whatever it answers, only a whole answer may become a fact.
    let house = moved(GOOD).await;
    let (world, name) = (house.facts(), ImageName::from("base"));
    let plan = crate::plan::probe::plan(&house.catalog, &world, std::slice::from_ref(&name), "run2".into());
    assert_eq!(plan.steps.len(), 7, "{plan:?}");
    house.store.read_only.store(true, Ordering::SeqCst);
    let before = all_tags(&house);
    *house.shell.deaf.lock().expect("no panic") = true;
    let outcome = house.act(&plan).await;
    assert!(outcome.kind().is_some(), "{outcome:?}");
    let key = keys::probe(&house.catalog.settings.name, &name, Arch::X86_64);
    assert!(!house.store.objects.lock().expect("no panic").contains_key(&key));
    assert_eq!(all_tags(&house), before);
    house.assert_clean("after a failed probe");
}
