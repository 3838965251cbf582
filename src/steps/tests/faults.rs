//! Tests that a release survives an error at every single call, before and after its effect.

use std::sync::Arc;

use super::{IMAGES, TestEnv, catalog, latest, test_env};
use crate::adapters::fake::{BuildBehavior, Call, FakeCloudState, Fault, FaultTiming};
use crate::catalog::OnFailure;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::ErrorKind;
use crate::lifecycle::Record;
use crate::matrix::select_cases;
use crate::model::AmiId;

/// Returns an environment with a released version of all images and a changed base, so that the
/// next run builds all four.
pub(super) async fn second_release() -> TestEnv {
    let first = TestEnv::new();
    first.watch_invariants();
    let outcome = first.release("run1").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    first.assert_clean("first release");
    first.next_run(
        catalog(&[(
            "base",
            "source: {owner: \"136693071363\", name: debian-12-*}\n\
             packages: [jq]\nchecks:\n  - {file: /etc/passwd}\n",
        )]),
        "2026-11-23T12:00:00Z",
    )
}

/// Returns the fault timings of a call. A read has no effect to fail after.
fn fault_timings(call: &Call) -> impl Iterator<Item = FaultTiming> {
    [FaultTiming::Before]
        .into_iter()
        .chain(call.changes.then_some(FaultTiming::After))
}

/// Returns each call with its index and each of its fault timings.
fn faults(calls: &[Call]) -> impl Iterator<Item = (usize, &Call, FaultTiming)> {
    calls
        .iter()
        .enumerate()
        .flat_map(|(index, call)| fault_timings(call).map(move |when| (index, call, when)))
}

/// Asserts that the state of each image matches the end of its scope.
pub(super) fn assert_state_matches_outcome(
    before: &FakeCloudState,
    setup: &TestEnv,
    outcome: &Outcome,
    context: &str,
) {
    setup.cloud.state(|now| {
        let own = now.own();
        for (image, _) in IMAGES {
            let versions = Record::read_all_published(&own, &"acme".into())
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
                "{context}: pointer and tags of {image} differ"
            );
            match outcome.end_of(image) {
                ScopeEnd::Done { .. } => assert!(
                    new != old && versions == 2,
                    "{context}: {image} is done but {new:?}"
                ),
                ScopeEnd::Stuck { .. } => {
                    panic!("{context}: one error must be undone completely: {outcome:?}")
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
async fn error_at_any_call_keeps_previous_version() {
    let start = second_release().await;
    let calls = {
        let clean = start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
        clean.watch_invariants();
        let outcome = clean.release("run2").await;
        assert_eq!(outcome.kind(), None, "{outcome:?}");
        assert_state_matches_outcome(
            &start.cloud.state(|w| w.clone()),
            &clean,
            &outcome,
            "no error",
        );
        clean.assert_clean("no error");
        clean.cloud.calls()
    };
    assert!(calls.len() > 100, "{}", calls.len());
    let test = "error_at_any_call_keeps_previous_version";
    for (index, call, when) in select_cases(test, 11, faults(&calls)) {
        let context = format!(
            "{when:?} call {} ({} {})",
            index + 1,
            call.action,
            call.about
        );
        let setup = start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
        setup.watch_invariants();
        setup.cloud.fail(Fault::call(index + 1, when));
        let outcome = setup.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::StepFailed),
            "{context}: {outcome:?}"
        );
        assert_state_matches_outcome(
            &start.cloud.state(|w| w.clone()),
            &setup,
            &outcome,
            &context,
        );
        setup.assert_clean(&context);
    }
}

#[tokio::test]
async fn on_failure_option_controls_other_scopes() {
    for (on_failure, z_done) in [(OnFailure::Stop, false), (OnFailure::Continue, true)] {
        let mut setup = second_release().await;
        setup.options.on_failure = on_failure;
        setup
            .builder
            .behaviors
            .lock()
            .expect("no panic")
            .insert("a".to_owned(), BuildBehavior::Fails);
        let outcome = setup.release("run2").await;
        let done: Vec<String> = outcome
            .scopes
            .iter()
            .filter(|(_, e)| e.is_done())
            .map(|(s, _)| s.to_string())
            .collect();
        let expected = if z_done {
            vec!["base", "z"]
        } else {
            vec!["base"]
        };
        assert_eq!(done, expected, "{on_failure:?}");
        let ScopeEnd::NotStarted { because } = outcome.end_of("b") else {
            panic!("{outcome:?}")
        };
        assert!(because.contains("`a`") || !z_done, "{because}");
        assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed));
        setup.assert_clean("a fails");
    }
}

#[tokio::test]
async fn failed_build_leaves_no_resources() {
    for behavior in [
        BuildBehavior::Fails,
        BuildBehavior::FailsLate,
        BuildBehavior::FailsPending,
        BuildBehavior::Killed,
    ] {
        let setup = second_release().await;
        let before = setup.cloud.state(|w| w.clone());
        setup.watch_invariants();
        setup
            .builder
            .behaviors
            .lock()
            .expect("no panic")
            .insert("base".to_owned(), behavior);
        let outcome = setup.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::StepFailed),
            "{behavior:?}: {outcome:?}"
        );
        assert_state_matches_outcome(&before, &setup, &outcome, &format!("{behavior:?}"));
        setup.assert_clean(&format!("{behavior:?}"));
    }
}

#[tokio::test]
async fn failed_boot_check_exits_3_without_new_version() {
    let start = second_release().await;
    let strict = catalog(&[(
        "z",
        "parent: base\nchecks:\n  - {file: /bakeline/no/such/file}\n",
    )]);
    let setup = start.next_run(strict, "2026-11-23T12:00:00Z");
    let before = setup.cloud.state(|w| w.clone());
    setup.watch_invariants();
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::ChecksFailed), "{outcome:?}");
    let ScopeEnd::Failed { error, hints, .. } = outcome.end_of("z") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("/bakeline/no/such/file"), "{error}");
    assert!(
        hints.iter().any(|h| h.contains("checks-boot.json")),
        "{hints:?}"
    );
    setup.assert_clean("check fails");
    assert_eq!(latest(&before, "z", &test_env()), setup.latest("z", "Test"));
}

#[tokio::test]
async fn unreachable_instance_fails_the_step() {
    let setup = second_release().await;
    *setup.shell.deaf.lock().expect("no panic") = true;
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    setup.assert_clean("deaf");
}

#[tokio::test]
async fn instance_that_ended_during_the_check_is_reported_with_its_reason() {
    let setup = second_release().await;
    *setup.shell.deaf.lock().expect("no panic") = true;
    let reason = "Client.UserInitiatedShutdown: User initiated shutdown";
    setup.cloud.state(|w| w.early_end = Some(reason.to_owned()));
    let outcome = setup.release("run2").await;
    let ScopeEnd::Failed { error, hints, .. } = outcome.end_of("base") else {
        panic!("{outcome:?}")
    };
    assert!(
        error.contains("ended during the check: it is terminated") && error.contains(reason),
        "{error}"
    );
    assert!(hints.iter().any(|h| h.contains("CloudTrail")), "{hints:?}");
    setup.assert_clean("the instance ended");
}

#[tokio::test]
async fn failed_promotion_changes_nothing() {
    let start = second_release().await;
    let counted = start.next_run(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
    assert_eq!(counted.promote("run3", "base").await.kind(), None);
    let calls = counted.cloud.calls();
    for (index, call) in calls.iter().enumerate() {
        for when in fault_timings(call) {
            let context = format!(
                "{when:?} call {} ({} {})",
                index + 1,
                call.action,
                call.about
            );
            let setup = start.next_run(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
            let before = setup.cloud.state(|w| w.clone());
            setup.watch_invariants();
            setup.cloud.fail(Fault::call(index + 1, when));
            let outcome = setup.promote("run3", "base").await;
            assert_eq!(
                outcome.kind(),
                Some(ErrorKind::StepFailed),
                "{context}: {outcome:?}"
            );
            setup.assert_clean(&context);
            setup.cloud.state(|now| {
                assert_eq!(now.images, before.images, "{context}");
                assert_eq!(now.parameters, before.parameters, "{context}");
            });
        }
    }
}

#[tokio::test]
async fn failed_prune_never_changes_kept_amis() {
    let start = second_release().await;
    assert_eq!(start.release("run2").await.kind(), None);
    let counted = start.next_run(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
    let outcome = counted.prune("run3", 1).await;
    assert_eq!(
        (outcome.kind(), outcome.scopes.len()),
        (None, 4),
        "the four old versions are pruned: {outcome:?}"
    );
    let calls = counted.cloud.calls();
    let test = "failed_prune_never_changes_kept_amis";
    for (index, call, when) in select_cases(test, 5, faults(&calls)) {
        let context = format!(
            "{when:?} call {} ({} {})",
            index + 1,
            call.action,
            call.about
        );
        let setup = start.next_run(Arc::clone(&start.catalog), "2026-11-24T12:00:00Z");
        setup.watch_invariants();
        setup.cloud.fail(Fault::call(index + 1, when));
        let outcome = setup.prune("run3", 1).await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::StepFailed),
            "{context}: {outcome:?}"
        );
        setup.assert_clean(&context);
        for (image, _) in IMAGES {
            assert_eq!(
                setup.latest(image, "Test"),
                start.latest(image, "Test"),
                "{context}"
            );
        }
        for (scope, end) in &outcome.scopes {
            let id = AmiId(scope.to_string());
            let there = setup.cloud.state(|w| w.images.contains_key(&id));
            assert!(
                !end.is_done() || !there,
                "{context}: {scope} is reported as deregistered"
            );
            // An AMI whose retirement failed is unchanged, if it still exists.
            let (now, then) = [&setup, &start]
                .map(|h| h.cloud.state(|w| w.images.get(&id).cloned()))
                .into();
            assert!(
                now.is_none() || now == then,
                "{context}: {now:?} was {then:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_with_parallel_scopes_leaves_no_resources() {
    let start = second_release().await;
    let test = "error_with_parallel_scopes_leaves_no_resources";
    for nth in select_cases(test, 3, (1..100).step_by(9)) {
        for on_failure in [OnFailure::Stop, OnFailure::Continue] {
            let mut setup = start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
            (setup.options.jobs, setup.options.on_failure) = (4, on_failure);
            let before = setup.cloud.state(|w| w.clone());
            setup.watch_invariants();
            setup.cloud.fail(Fault::call(nth, FaultTiming::After));
            let outcome = setup.release("run2").await;
            let context = format!("call {nth} {on_failure:?}");
            assert_eq!(
                outcome.kind(),
                Some(ErrorKind::StepFailed),
                "{context}: {outcome:?}"
            );
            assert_state_matches_outcome(&before, &setup, &outcome, &context);
            setup.assert_clean(&context);
        }
    }
}
