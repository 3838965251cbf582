//! Tests that a killed run continues on another machine if the store lacks the last lines of its
//! journal, which it receives in the background.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::faults::second_release;
use super::lifecycle::{on_day, state_table};
use super::resumed::{Kill, Machine, moves, next_attempt, resume, run_until_killed};
use super::{IMAGES, TestEnv};
use crate::engine::Goal;
use crate::engine::outcome::ScopeEnd;
use crate::matrix::select_cases;
use crate::plan::Plan;

/// Largest number of lines that the store lacks.
const MOST_LOST: usize = 3;

/// Removes the last lines of the journal.
fn lose_lines(setup: &TestEnv, count: usize) {
    let mut lines = setup.journal.lines.lock().expect("no panic");
    let kept = lines.len().saturating_sub(count);
    lines.truncate(kept);
}

/// Returns each call before which a run is killed, with the number of lost lines, or a sample of them.
fn cases(test: &str, clean: &TestEnv) -> Vec<(usize, usize)> {
    let calls = 1..=clean.cloud.calls().len();
    let all = calls.flat_map(|call| (1..=MOST_LOST).map(move |lost| (call, lost)));
    select_cases(test, 7, all)
}

fn next(start: &TestEnv) -> TestEnv {
    start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z")
}

/// Returns an environment before a release of all images, the same after it, and the plan.
async fn planned_release() -> (TestEnv, TestEnv, Plan) {
    let start = second_release().await;
    let clean = next(&start);
    let plan = clean.release_plan("run2", true);
    assert_eq!(clean.execute(&plan).await.kind(), None);
    (start, clean, plan)
}

#[tokio::test]
async fn release_continues_without_its_last_lines() {
    let (start, clean, plan) = planned_release().await;
    for (call, lost) in cases("release_without_lines", &clean) {
        let context = format!("killed before call {call}, {lost} lines lost");
        let killed = next(&start);
        run_until_killed(&killed, &plan, Kill::Call(call)).await;
        lose_lines(&killed, lost);
        let again = next_attempt(&killed, Machine::Other);
        let outcome = resume(&again, &plan, Goal::Continue).await;
        assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
        for (image, _) in IMAGES {
            let (pointer, found) = again.latest(image, "Test");
            assert_eq!(pointer, found.map(|ami| ami.0), "{context}: {image}");
        }
        // A build connects through the rule of its group.
        let calls = [killed.cloud.calls(), again.cloud.calls()].concat();
        let rules = calls.iter().filter(|call| call.action == "allow_ssh");
        let groups: BTreeSet<&str> = rules.map(|call| call.about.as_str()).collect();
        assert!(groups.len() >= IMAGES.len(), "{context}: {groups:?}");
    }
}

#[tokio::test]
async fn aborted_release_without_its_last_lines_leaves_no_instance() {
    let (start, clean, plan) = planned_release().await;
    for (call, lost) in cases("aborted_release_without_lines", &clean) {
        let context = format!("killed before call {call}, {lost} lines lost");
        let killed = next(&start);
        run_until_killed(&killed, &plan, Kill::Call(call)).await;
        lose_lines(&killed, lost);
        let again = next_attempt(&killed, Machine::Other);
        let outcome = resume(&again, &plan, Goal::Undo).await;
        for end in outcome.scopes.values() {
            // An AMI whose tags say that it is current is left to the doctor.
            let is_expected = match end {
                ScopeEnd::Stuck { left, .. } => {
                    left.iter().all(|one| one.contains("bakeline doctor"))
                }
                _ => true,
            };
            assert!(is_expected, "{context}: {end:?}");
        }
        again.cloud.state(|state| {
            let running = state.instances.values();
            let left: Vec<_> = running.filter(|i| i.status != "terminated").collect();
            assert!(left.is_empty(), "{context}: {left:?}");
        });
    }
}

#[tokio::test]
async fn move_continues_without_its_last_lines() {
    for (before, operation) in &moves().await {
        let clean = on_day(before, 28);
        let plan = operation.plan(&clean);
        assert_eq!(clean.execute(&plan).await.kind(), None);
        let wanted = state_table(&clean);
        for (call, lost) in cases("move_without_lines", &clean) {
            let context = format!("{operation:?} killed before call {call}, {lost} lines lost");
            let killed = on_day(before, 28);
            run_until_killed(&killed, &plan, Kill::Call(call)).await;
            lose_lines(&killed, lost);
            let again = next_attempt(&killed, Machine::Other);
            let outcome = resume(&again, &plan, Goal::Continue).await;
            assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
            assert_eq!(state_table(&again), wanted, "{context}");
        }
    }
}
