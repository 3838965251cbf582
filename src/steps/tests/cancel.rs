//! Owns the proof that a cancel at any step ends in a clean inventory and exit 130.

use std::sync::Arc;

use super::faults::second;
use crate::adapters::fake::BuildMood;
use crate::engine::outcome::ScopeEnd;
use crate::error::Kind;

#[tokio::test]
async fn a_cancel_at_any_step_leaves_whole_images_and_nothing_else() {
    let start = second().await;
    let steps = start.plan("run2", false).steps.len();
    let mut interrupted = 0;
    for at in 1..=steps {
        let house = start.next(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
        house.stand_guard();
        *house.ears.cancel.lock().expect("no panic") = Some((at, house.options.interrupt.clone()));
        let outcome = house.release("run2").await;
        assert!(outcome.interrupted);
        if outcome.scopes.values().all(ScopeEnd::is_done) {
            assert_eq!(outcome.kind(), None, "step {at}");
        } else {
            assert_eq!(
                outcome.kind(),
                Some(Kind::Interrupted),
                "step {at}: {outcome:?}"
            );
            interrupted += 1;
        }
        for (image, end) in &outcome.scopes {
            let calm = matches!(
                end,
                ScopeEnd::Done { .. } | ScopeEnd::Cancelled { .. } | ScopeEnd::NotStarted { .. }
            );
            assert!(calm, "step {at}: {image} {end:?}");
            assert_eq!(
                house.latest(image, "Test") != start.latest(image, "Test"),
                end.is_done(),
                "step {at}: {image}"
            );
        }
        house.assert_clean(&format!("cancelled at step {at}"));
    }
    assert!(interrupted >= steps - 1, "{interrupted} of {steps}");
}

#[tokio::test]
async fn a_cancel_within_a_build_and_within_a_check_is_no_failure() {
    for within_build in [true, false] {
        let house = second().await;
        house.stand_guard();
        if within_build {
            house
                .builder
                .moods
                .lock()
                .expect("no panic")
                .insert("base".to_owned(), BuildMood::Endless);
        }
        *house.shell.silent.lock().expect("no panic") = !within_build;
        let token = house.options.interrupt.clone();
        let begun = async {
            if within_build {
                house.builder.begun.notified().await
            } else {
                house.shell.begun.notified().await
            }
            token.cancel();
        };
        let (outcome, ()) = tokio::join!(house.release("run2"), begun);
        assert_eq!(outcome.kind(), Some(Kind::Interrupted), "{outcome:?}");
        assert!(
            matches!(outcome.scopes["base"], ScopeEnd::Cancelled { .. }),
            "{:?}",
            outcome.scopes["base"]
        );
        house.assert_clean(if within_build { "build" } else { "check" });
    }
}
