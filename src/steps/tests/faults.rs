//! Owns the proof that a release survives an error at every single call, before its effect and after it.

use std::sync::Arc;

use super::{House, IMAGES, catalog, latest, test_env};
use crate::adapters::fake::{BuildMood, Call, FakeCloudState, Fault, When};
use crate::catalog::OnFailure;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::Kind;
use crate::lifecycle::Record;

/// A first version of everything is released; the next run finds a changed base image and so builds all four.
pub(super) async fn second() -> House {
    let first = House::new();
    first.stand_guard();
    let outcome = first.release("run1").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    first.assert_clean("first release");
    first.next(
        catalog(&[(
            "base",
            "source: {owner: \"136693071363\", name: debian-12-*}\npackages: [jq]\nchecks:\n  - {file: /etc/passwd}\n",
        )]),
        "2026-11-23T12:00:00Z",
    )
}

/// A call that only looks has no effect to fail after.
fn moments(call: &Call) -> impl Iterator<Item = When> {
    [When::Before]
        .into_iter()
        .chain(call.changes.then_some(When::After))
}

/// Each image is where its end says that it is.
fn assert_truthful(before: &FakeCloudState, house: &House, outcome: &Outcome, context: &str) {
    house.cloud.state(|now| {
        let own = now.own();
        for (image, _) in IMAGES {
            let versions = Record::read_all(&own, &"acme".into())
                .iter()
                .filter(|r| r.image.as_str() == image)
                .count();
            let (old, new) = (
                latest(before, image, &test_env()),
                latest(now, image, &test_env()),
            );
            assert_eq!(
                new.0.as_deref(),
                new.1.as_ref().map(|a| a.as_str()),
                "{context}: {image}'s pointer and tags differ"
            );
            match &outcome.scopes[image] {
                ScopeEnd::Done { .. } => assert!(
                    new != old && versions == 2,
                    "{context}: {image} is done but {new:?}"
                ),
                ScopeEnd::Stuck { .. } => {
                    panic!("{context}: one error must not leave anything: {outcome:?}")
                }
                _ => assert!(
                    new == old && versions == 1,
                    "{context}: {image} is not done but {new:?} ({versions})"
                ),
            }
        }
    });
    let all_done = outcome.scopes.values().all(ScopeEnd::is_done);
    assert_eq!(outcome.kind().is_none(), all_done, "{context}: {outcome:?}");
}

#[tokio::test]
async fn an_error_at_any_call_leaves_the_old_in_place_and_nothing_else() {
    let start = second().await;
    let calls = {
        let clean = start.next(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
        clean.stand_guard();
        let outcome = clean.release("run2").await;
        assert_eq!(outcome.kind(), None, "{outcome:?}");
        assert_truthful(
            &start.cloud.state(|w| w.clone()),
            &clean,
            &outcome,
            "no error",
        );
        clean.assert_clean("no error");
        clean.cloud.calls()
    };
    assert!(calls.len() > 100, "{}", calls.len());
    // Every call of the first image, and every third of the others, which make the same calls.
    let tried = calls
        .iter()
        .enumerate()
        .filter(|(index, _)| *index < calls.len() / 4 || index % 3 == 0);
    for (index, call) in tried {
        for when in moments(call) {
            let context = format!(
                "{when:?} call {} ({} {})",
                index + 1,
                call.action,
                call.about
            );
            let house = start.next(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
            house.stand_guard();
            house.cloud.fail(Fault::call(index + 1, when));
            let outcome = house.release("run2").await;
            assert_eq!(
                outcome.kind(),
                Some(Kind::StepFailed),
                "{context}: {outcome:?}"
            );
            assert_truthful(
                &start.cloud.state(|w| w.clone()),
                &house,
                &outcome,
                &context,
            );
            house.assert_clean(&context);
        }
    }
}

#[tokio::test]
async fn on_failure_decides_about_the_others() {
    for (on_failure, z_done) in [(OnFailure::Stop, false), (OnFailure::Continue, true)] {
        let mut house = second().await;
        house.options.on_failure = on_failure;
        house
            .builder
            .moods
            .lock()
            .expect("no panic")
            .insert("a".to_owned(), BuildMood::Fails);
        let outcome = house.release("run2").await;
        let done: Vec<&str> = outcome
            .scopes
            .iter()
            .filter(|(_, e)| e.is_done())
            .map(|(s, _)| s.as_str())
            .collect();
        let expected = if z_done {
            vec!["base", "z"]
        } else {
            vec!["base"]
        };
        assert_eq!(done, expected, "{on_failure:?}");
        assert!(
            matches!(&outcome.scopes["b"], ScopeEnd::NotStarted { because } if because.contains("`a`") || !z_done)
        );
        assert_eq!(outcome.kind(), Some(Kind::StepFailed));
        house.assert_clean("a fails");
    }
}

#[tokio::test]
async fn a_failed_build_leaves_nothing_whatever_packer_left() {
    for mood in [
        BuildMood::Fails,
        BuildMood::FailsLate,
        BuildMood::FailsPending,
        BuildMood::Killed,
    ] {
        let house = second().await;
        let before = house.cloud.state(|w| w.clone());
        house.stand_guard();
        house
            .builder
            .moods
            .lock()
            .expect("no panic")
            .insert("base".to_owned(), mood);
        let outcome = house.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(Kind::StepFailed),
            "{mood:?}: {outcome:?}"
        );
        assert_truthful(&before, &house, &outcome, &format!("{mood:?}"));
        house.assert_clean(&format!("{mood:?}"));
    }
}

#[tokio::test]
async fn a_failed_boot_check_is_exit_3_with_expected_and_actual_and_no_new_version() {
    let start = second().await;
    let strict = catalog(&[(
        "z",
        "parent: base\nchecks:\n  - {file: /bakeline/no/such/file}\n",
    )]);
    let house = start.next(strict, "2026-11-23T12:00:00Z");
    let before = house.cloud.state(|w| w.clone());
    house.stand_guard();
    let outcome = house.release("run2").await;
    assert_eq!(outcome.kind(), Some(Kind::ChecksFailed), "{outcome:?}");
    let ScopeEnd::Failed { error, hints, .. } = &outcome.scopes["z"] else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("/bakeline/no/such/file"), "{error}");
    assert!(
        hints.iter().any(|h| h.contains("checks-boot.json")),
        "{hints:?}"
    );
    house.assert_clean("check fails");
    assert_eq!(latest(&before, "z", &test_env()), house.latest("z", "Test"));
}

#[tokio::test]
async fn a_machine_that_lets_nobody_in_fails_the_step() {
    let house = second().await;
    *house.shell.deaf.lock().expect("no panic") = true;
    let outcome = house.release("run2").await;
    assert_eq!(outcome.kind(), Some(Kind::StepFailed), "{outcome:?}");
    house.assert_clean("deaf");
}

#[tokio::test]
async fn a_promotion_that_fails_at_any_call_changes_nothing() {
    let start = second().await;
    let counted = start.next(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
    assert_eq!(counted.promote("run3", "base").await.kind(), None);
    let calls = counted.cloud.calls();
    for (index, call) in calls.iter().enumerate() {
        for when in moments(call) {
            let context = format!(
                "{when:?} call {} ({} {})",
                index + 1,
                call.action,
                call.about
            );
            let house = start.next(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
            let before = house.cloud.state(|w| w.clone());
            house.stand_guard();
            house.cloud.fail(Fault::call(index + 1, when));
            let outcome = house.promote("run3", "base").await;
            assert_eq!(
                outcome.kind(),
                Some(Kind::StepFailed),
                "{context}: {outcome:?}"
            );
            house.assert_clean(&context);
            house.cloud.state(|now| {
                assert_eq!(now.images, before.images, "{context}");
                assert_eq!(now.parameters, before.parameters, "{context}");
            });
        }
    }
}

#[tokio::test]
async fn a_prune_that_fails_at_any_call_never_touches_what_is_kept() {
    let start = second().await;
    assert_eq!(start.release("run2").await.kind(), None);
    let counted = start.next(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
    let outcome = counted.prune("run3", 1).await;
    assert_eq!(
        (outcome.kind(), outcome.scopes.len()),
        (None, 4),
        "the four old versions go: {outcome:?}"
    );
    let calls = counted.cloud.calls();
    for (index, call) in calls.iter().enumerate() {
        for when in moments(call) {
            let context = format!(
                "{when:?} call {} ({} {})",
                index + 1,
                call.action,
                call.about
            );
            let house = start.next(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
            house.stand_guard();
            house.cloud.fail(Fault::call(index + 1, when));
            let outcome = house.prune("run3", 1).await;
            assert_eq!(
                outcome.kind(),
                Some(Kind::StepFailed),
                "{context}: {outcome:?}"
            );
            house.assert_clean(&context);
            for (image, _) in IMAGES {
                assert_eq!(
                    house.latest(image, "Test"),
                    start.latest(image, "Test"),
                    "{context}"
                );
            }
            for (scope, end) in &outcome.scopes {
                let there = house
                    .cloud
                    .state(|w| w.images.contains_key(&scope.as_str().into()));
                assert!(
                    !end.is_done() || !there,
                    "{context}: {scope} is said to be gone"
                );
                // What failed on the way is as it was, if it is still there.
                let id = scope.as_str().into();
                let (now, then) = [&house, &start]
                    .map(|h| h.cloud.state(|w| w.images.get(&id).cloned()))
                    .into();
                assert!(
                    now.is_none() || now == then,
                    "{context}: {now:?} was {then:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_while_others_run_side_by_side_leaves_nothing_either() {
    let start = second().await;
    for nth in (1..100).step_by(9) {
        for on_failure in [OnFailure::Stop, OnFailure::Continue] {
            let mut house = start.next(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
            (house.options.jobs, house.options.on_failure) = (4, on_failure);
            let before = house.cloud.state(|w| w.clone());
            house.stand_guard();
            house.cloud.fail(Fault::call(nth, When::After));
            let outcome = house.release("run2").await;
            let context = format!("call {nth} {on_failure:?}");
            assert_eq!(
                outcome.kind(),
                Some(Kind::StepFailed),
                "{context}: {outcome:?}"
            );
            assert_truthful(&before, &house, &outcome, &context);
            house.assert_clean(&context);
        }
    }
}
