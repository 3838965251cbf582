//! Tests that a cancellation at any step leaves a clean inventory and exits with 130.

use std::sync::Arc;

use super::faults::second_release;
use super::{TestEnv, catalog, catalog_with};
use crate::adapters::fake::BuildBehavior;
use crate::engine::outcome::ScopeEnd;
use crate::error::ErrorKind;
use crate::matrix::select_cases;

#[tokio::test]
async fn cancellation_at_any_step_leaves_complete_images() {
    let start = second_release().await;
    let steps = start.release_plan("run2", false).steps.len();
    let mut interrupted = 0;
    let tried = select_cases(
        "cancellation_at_any_step_leaves_complete_images",
        3,
        1..=steps,
    );
    for at in tried.iter().copied() {
        let setup = start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
        setup.watch_invariants();
        *setup.events.cancel.lock().expect("no panic") =
            Some((at, setup.options.interrupt.clone()));
        let outcome = setup.release("run2").await;
        assert!(outcome.interrupted);
        if outcome.scopes.values().all(ScopeEnd::is_done) {
            assert_eq!(outcome.kind(), None, "step {at}");
        } else {
            assert_eq!(
                outcome.kind(),
                Some(ErrorKind::Interrupted),
                "step {at}: {outcome:?}"
            );
            interrupted += 1;
        }
        for (scope, end) in &outcome.scopes {
            let image = scope.to_string();
            let is_allowed = matches!(
                end,
                ScopeEnd::Done { .. } | ScopeEnd::Cancelled { .. } | ScopeEnd::NotStarted { .. }
            );
            assert!(is_allowed, "step {at}: {image} {end:?}");
            assert_eq!(
                setup.latest(&image, "Test") != start.latest(&image, "Test"),
                end.is_done(),
                "step {at}: {image}"
            );
        }
        setup.assert_clean(&format!("cancelled at step {at}"));
    }
    let tried = tried.len();
    assert!(interrupted >= tried - 1, "{interrupted} of {tried}");
}

#[tokio::test]
async fn cancellation_within_build_or_check_is_not_a_failure() {
    for within_build in [true, false] {
        let setup = second_release().await;
        setup.watch_invariants();
        if within_build {
            setup
                .builder
                .behaviors
                .lock()
                .expect("no panic")
                .insert("base".to_owned(), BuildBehavior::Endless);
        }
        *setup.shell.silent.lock().expect("no panic") = !within_build;
        let token = setup.options.interrupt.clone();
        let begun = async {
            if within_build {
                setup.builder.begun.notified().await
            } else {
                setup.shell.begun.notified().await
            }
            token.cancel();
        };
        let (outcome, ()) = tokio::join!(setup.release("run2"), begun);
        assert_eq!(outcome.kind(), Some(ErrorKind::Interrupted), "{outcome:?}");
        assert!(
            matches!(outcome.end_of("base"), ScopeEnd::Cancelled { .. }),
            "{:?}",
            outcome.end_of("base")
        );
        setup.assert_clean(if within_build { "build" } else { "check" });
    }
}

#[tokio::test]
async fn build_that_takes_too_long_fails_and_is_undone() {
    let settings = "name: acme\nregions: [eu-west-1]\nbuilder: {timeout: 1s}\n";
    let setup = TestEnv::new().next_run(catalog_with(settings, &[]), "2026-11-22T12:00:00Z");
    setup.watch_invariants();
    set_behavior(&setup, "base", BuildBehavior::Endless);
    let outcome = setup.release("run1").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    let ScopeEnd::Failed { error, hints, .. } = outcome.end_of("base") else {
        panic!("{:?}", outcome.end_of("base"));
    };
    assert_eq!(error, "the build did not end within 1s (`builder.timeout`)");
    assert!(hints[0].contains("packer.log"), "{hints:?}");
    setup.assert_clean("a build that takes too long");
}

#[tokio::test]
async fn interrupt_discards_pending_ami_with_run_tags() {
    let setup = second_release().await;
    setup.watch_invariants();
    set_behavior(&setup, "base", BuildBehavior::EndlessPending);
    let token = setup.options.interrupt.clone();
    let begun = async {
        setup.builder.begun.notified().await;
        token.cancel();
    };
    let (outcome, ()) = tokio::join!(setup.release("run2"), begun);
    assert_eq!(outcome.kind(), Some(ErrorKind::Interrupted), "{outcome:?}");
    setup.assert_clean("interrupted while the AMI is pending");
}

#[tokio::test]
async fn failed_sibling_discards_pending_ami_with_run_tags() {
    let failing = catalog(&[
        (
            "a",
            "parent: base\nchecks:\n  - {file: /bakeline/no/such/file}\n",
        ),
        ("z", "parent: base\npackages: [jq]\n"),
    ]);
    let first = second_release().await;
    let mut setup = first.next_run(failing, "2026-11-23T12:00:00Z");
    setup.options.jobs = 2;
    setup.watch_invariants();
    set_behavior(&setup, "z", BuildBehavior::EndlessPending);
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::ChecksFailed), "{outcome:?}");
    assert!(
        matches!(outcome.end_of("z"), ScopeEnd::Cancelled { .. }),
        "{:?}",
        outcome.end_of("z")
    );
    setup.assert_clean("a sibling failed while the AMI was pending");
}

fn set_behavior(setup: &TestEnv, image: &str, behavior: BuildBehavior) {
    let mut behaviors = setup.builder.behaviors.lock().expect("no panic");
    behaviors.insert(image.to_owned(), behavior);
}
