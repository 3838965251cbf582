//! Tests that an interrupted run leaves the candidate of an earlier run to the next run.

use super::adopt::{NEXT_DAY, candidate_of, decision, release_without_capacity};
use super::resumed::{Kill, Machine, next_attempt, resume, run_until_killed};
use super::{TestEnv, catalog};
use crate::engine::Goal;
use crate::engine::outcome::ScopeEnd;
use crate::error::ErrorKind;
use crate::model::Ami;
use crate::plan::Plan;
use crate::plan::step::PlanVerdict;

/// Number of steps that start before the candidate is released: key pair, security group, candidate,
/// boot, checks, and the removal of the instance and its access.
const STEPS_BEFORE_RELEASE: usize = 8;

/// Returns an environment with a candidate, the candidate, and the plan that continues with it.
async fn adoption() -> (TestEnv, Ami, Plan) {
    let (first, _) = release_without_capacity().await;
    let setup = first.next_run(catalog(&[]), NEXT_DAY);
    let plan = setup.release_plan("run-2", false);
    assert_eq!(decision(&plan).verdict, PlanVerdict::Adopt);
    let candidate = candidate_of(&setup);
    (setup, candidate, plan)
}

/// Asserts that the next release continues with the candidate and releases it.
async fn assert_adoptable(setup: &TestEnv, candidate: &Ami) {
    let next = setup.next_run(catalog(&[]), "2026-11-24T12:00:00Z");
    let plan = next.release_plan("run-3", false);
    assert_eq!(decision(&plan).verdict, PlanVerdict::Adopt);
    let outcome = next.execute(&plan).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    assert_eq!(candidate_of(&next).id, candidate.id);
    next.assert_clean("after the third run");
}

#[tokio::test]
async fn cancelled_run_keeps_the_candidate_of_an_earlier_run() {
    for at in 3..=STEPS_BEFORE_RELEASE {
        let (setup, candidate, plan) = adoption().await;
        *setup.events.cancel.lock().expect("no panic") =
            Some((at, setup.options.interrupt.clone()));
        let outcome = setup.execute(&plan).await;
        assert_eq!(outcome.kind(), Some(ErrorKind::Interrupted), "step {at}");
        let end = outcome.end_of("base");
        assert!(
            matches!(end, ScopeEnd::Cancelled { undone: true, .. }),
            "step {at}: {end:?}"
        );
        assert_eq!(candidate_of(&setup), candidate, "step {at}");
        setup.cloud.state(|state| {
            assert_eq!(state.temporary(), Vec::<String>::new(), "step {at}");
        });
        assert_adoptable(&setup, &candidate).await;
    }
}

#[tokio::test]
async fn aborted_run_keeps_the_candidate_of_an_earlier_run() {
    // Two lines for each step: killed before the end of the boot.
    let (setup, candidate, plan) = adoption().await;
    run_until_killed(&setup, &plan, Kill::Line(8)).await;
    let next = next_attempt(&setup, Machine::Other);
    let outcome = resume(&next, &plan, Goal::Undo).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let end = outcome.end_of("base");
    assert!(
        matches!(end, ScopeEnd::Cancelled { undone: true, .. }),
        "{end:?}"
    );
    assert_eq!(candidate_of(&next), candidate);
    assert_adoptable(&next, &candidate).await;
}
