//! Tests the engine with recording effects: order, limits, panics, and that only planned steps run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::event::{Event, EventSink};
use super::outcome::{Outcome, ScopeEnd};
use super::{Effects, Engine, Options, StepContext, StepOutput, journal};
use crate::adapters::fake::{FakeClock, MemoryJournal};
use crate::catalog::OnFailure;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AmiId, Region, RunId, Timestamp};
use crate::plan::{Action, AmiRef, Plan, Scope, Step, StepId};

/// Behavior of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behavior {
    Found,
    Fail(ErrorKind),
    FailUndo,
    Panic,
}

#[derive(Default)]
struct RecordingEffects {
    behaviors: BTreeMap<&'static str, Behavior>,
    done: Mutex<Vec<String>>,
    now: Mutex<(BTreeSet<Scope>, usize)>,
}

impl RecordingEffects {
    fn note(&self, verb: &str, step: &Step) {
        self.done
            .lock()
            .expect("no panic")
            .push(format!("{verb} {}", step.id));
    }
}

#[async_trait]
impl Effects for RecordingEffects {
    async fn probe(&self, step: &Step, _: &StepContext<'_>) -> Result<Option<StepOutput>> {
        let found = self.behaviors.get(step.id.to_string().as_str()) == Some(&Behavior::Found);
        Ok(found.then_some(StepOutput::Deleted { deleted: None }))
    }

    async fn perform(&self, step: &Step, _: &StepContext<'_>) -> Result<StepOutput> {
        {
            let mut now = self.now.lock().expect("no panic");
            now.0.insert(step.scope.clone());
            now.1 = now.1.max(now.0.len());
        }
        // Yields often enough for the scheduler to poll every other scope, even on a busy machine.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        self.now.lock().expect("no panic").0.remove(&step.scope);
        self.note("do", step);
        match self.behaviors.get(step.id.to_string().as_str()) {
            Some(Behavior::Fail(kind)) => Err(Error::new(*kind, "injected")),
            Some(Behavior::Panic) => panic!("injected"),
            _ => Ok(StepOutput::Deleted { deleted: None }),
        }
    }

    async fn keep_for_inspection(&self, _: &Scope) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn keep_candidate(&self, failed: &Step, ami: &AmiId) -> Result<String> {
        Ok(format!("{}: kept {ami}", failed.id))
    }

    async fn undo(&self, step: &Step, _: Option<&StepOutput>, _: &StepContext<'_>) -> Result<()> {
        self.note("undo", step);
        match self.behaviors.get(step.id.to_string().as_str()) {
            Some(Behavior::FailUndo) => {
                Err(Error::new(ErrorKind::StepFailed, "undo failed").hint("undo it manually"))
            }
            _ => Ok(()),
        }
    }
}

struct NoEvents;

impl EventSink for NoEvents {
    fn on_event(&self, _: &Event) {}
}

/// Returns a plan of steps `scope/verb`, in order within a scope. `needs` lists dependencies
/// between scopes.
fn plan(steps: &[&str], needs: &[(&str, &str)]) -> Plan {
    let steps = steps.iter().map(|id| {
        let id: StepId = id.parse().expect("a step ID");
        let needs = needs
            .iter()
            .filter(|(step, _)| **step == id.to_string())
            .map(|(_, need)| need.parse().expect("a step ID"))
            .collect();
        let action = Action::Restore {
            ami: AmiId::from("ami-1"),
        };
        Step {
            account: None,
            scope: id.scope.clone(),
            id,
            region: Region::from("r"),
            needs,
            reason: "test".to_owned(),
            action,
        }
    });
    Plan {
        schema: 1,
        run: RunId::from("run"),
        decided_at: Timestamp::UNIX_EPOCH,
        decisions: Vec::new(),
        steps: steps.collect(),
    }
}

async fn run(
    plan: &Plan,
    behaviors: &[(&'static str, Behavior)],
    jobs: usize,
    on_failure: OnFailure,
) -> (Outcome, Vec<String>, usize) {
    run_with_limits(plan, behaviors, (jobs, jobs), on_failure).await
}

/// Runs a plan. The limits are those of scopes and of scopes of further locations.
async fn run_with_limits(
    plan: &Plan,
    behaviors: &[(&'static str, Behavior)],
    (jobs, location_jobs): (usize, usize),
    on_failure: OnFailure,
) -> (Outcome, Vec<String>, usize) {
    let effects = Arc::new(RecordingEffects {
        behaviors: behaviors.iter().copied().collect(),
        ..RecordingEffects::default()
    });
    let lines = Arc::new(MemoryJournal::default());
    let engine = Engine {
        effects: Arc::clone(&effects) as _,
        journal: Arc::clone(&lines) as _,
        clock: Arc::new(FakeClock(Mutex::new(Timestamp::UNIX_EPOCH))),
        events: Arc::new(NoEvents),
    };
    let outcome = engine
        .run(
            plan,
            &Options {
                location_jobs,
                jobs,
                on_failure,
                keep_failed: false,
                undo_patience: std::time::Duration::from_secs(300),
                interrupt: CancellationToken::new(),
            },
        )
        .await;
    journal::read(&lines.text()).expect("the journal's chain holds");
    let peak = effects.now.lock().expect("no panic").1;
    let done = effects.done.lock().expect("no panic").clone();
    (outcome, done, peak)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_scopes_are_limited_by_jobs() {
    let ids: Vec<String> = (0..12)
        .flat_map(|s| ["key", "group", "build", "boot"].map(|name| format!("s{s}/{name}")))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for jobs in [1, 2, 3, 12] {
        let (outcome, done, peak) = run(&plan(&ids, &[]), &[], jobs, OnFailure::Stop).await;
        assert_eq!(outcome.kind(), None);
        assert_eq!(done.len(), ids.len());
        assert!(
            peak <= jobs,
            "{peak} scopes at the same time with {jobs} jobs"
        );
        assert!(jobs == 1 || peak > 1, "{jobs} jobs but no parallel scopes");
    }
}

#[tokio::test]
async fn only_planned_steps_run_in_order() {
    let plan = plan(
        &["b/key", "b/group", "a/key", "a/group"],
        &[("b/key", "a/group")],
    );
    let (outcome, done, _) = run(&plan, &[("a/key", Behavior::Found)], 4, OnFailure::Stop).await;
    assert_eq!(outcome.kind(), None);
    assert_eq!(
        done,
        ["do a/group", "do b/key", "do b/group"],
        "probed steps are skipped and dependencies come first"
    );
}

#[tokio::test]
async fn failure_is_undone_newest_first_and_keeps_kind() {
    for kind in [
        ErrorKind::StepFailed,
        ErrorKind::ChecksFailed,
        ErrorKind::Refused,
        ErrorKind::Input,
    ] {
        let plan = plan(
            &["a/key", "a/group", "a/build", "a/release", "b/key"],
            &[("b/key", "a/release")],
        );
        let (outcome, done, _) = run(
            &plan,
            &[("a/build", Behavior::Fail(kind))],
            1,
            OnFailure::Stop,
        )
        .await;
        assert_eq!(outcome.kind(), Some(kind));
        assert_eq!(
            done,
            [
                "do a/key",
                "do a/group",
                "do a/build",
                "undo a/build",
                "undo a/group",
                "undo a/key"
            ]
        );
        assert!(matches!(outcome.end_of("a"), ScopeEnd::Failed { step, .. } if step == "a/build"));
        assert!(matches!(outcome.end_of("b"), ScopeEnd::NotStarted { .. }));
        assert_eq!(outcome.stopped_by, Some("a".parse().expect("a scope")));
    }
}

#[tokio::test]
async fn failed_undo_is_stuck_with_hint() {
    let plan = plan(&["a/key", "a/group", "a/build", "b/key"], &[]);
    let behaviors = [
        ("a/group", Behavior::FailUndo),
        ("a/build", Behavior::Fail(ErrorKind::ChecksFailed)),
        ("b/key", Behavior::Fail(ErrorKind::StepFailed)),
    ];
    let (outcome, done, _) = run(&plan, &behaviors, 1, OnFailure::Continue).await;
    assert_eq!(
        (outcome.kind(), &outcome.stopped_by),
        (Some(ErrorKind::Stuck), &None)
    );
    let ScopeEnd::Stuck { left, error, .. } = outcome.end_of("a") else {
        panic!("{outcome:?}")
    };
    assert_eq!(left, &["a/group: undo failed; undo it manually"]);
    assert_eq!(error, "injected");
    assert!(done.contains(&"undo a/key".to_owned()), "{done:?}");
}

#[tokio::test]
async fn ami_stays_when_move_undo_fails() {
    let mut plan = plan(&["a/key", "a/build", "a/release", "a/promote"], &[]);
    plan.steps[1].action = Action::Copy {
        source: AmiRef::Known("ami-1".into()),
        from: "r".into(),
        name: String::new(),
        kms_key: None,
    };
    plan.steps[2].action = Action::MoveCurrent { moves: Vec::new() };
    let behaviors = [
        ("a/release", Behavior::FailUndo),
        ("a/promote", Behavior::Fail(ErrorKind::StepFailed)),
    ];
    let (outcome, done, _) = run(&plan, &behaviors, 1, OnFailure::Stop).await;
    let ScopeEnd::Stuck { left, .. } = outcome.end_of("a") else {
        panic!("{outcome:?}")
    };
    assert!(
        left[1].contains("a/build: not removed, because a/release could not be undone"),
        "{left:?}"
    );
    assert!(
        !done.contains(&"undo a/build".to_owned()) && done.contains(&"undo a/key".to_owned()),
        "{done:?}"
    );
}

#[tokio::test]
async fn panic_is_a_stuck_scope_and_skips_children() {
    let plan = plan(&["a/key", "b/key", "c/key"], &[("b/key", "a/key")]);
    let (outcome, done, _) =
        run(&plan, &[("a/key", Behavior::Panic)], 1, OnFailure::Continue).await;
    assert!(
        matches!(outcome.end_of("a"), ScopeEnd::Stuck { .. }),
        "{outcome:?}"
    );
    assert!(
        matches!(outcome.end_of("b"), ScopeEnd::NotStarted { because } if because.contains("`a`")),
        "{outcome:?}"
    );
    assert!(outcome.end_of("c").is_done() && done.contains(&"do c/key".to_owned()));
    assert_eq!(outcome.kind(), Some(ErrorKind::Stuck));
}

#[test]
fn exit_codes_and_weights_are_stable() {
    use ErrorKind::*;
    let codes = [
        Input,
        Usage,
        ChecksFailed,
        StepFailed,
        Stuck,
        NotFound,
        Refused,
        Interrupted,
    ]
    .map(ErrorKind::exit_code);
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 130]);
    let ordered = [Refused, ChecksFailed, StepFailed, Interrupted, Stuck];
    assert!(ordered.windows(2).all(|w| w[0].weight() < w[1].weight()));
}

#[tokio::test]
async fn locations_have_their_own_limit() {
    let at = |n: u32| format!("base@us-east-{n}/promote");
    let steps: Vec<String> = (1..=5).map(at).chain(["a/build".to_owned()]).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let plan = plan(&steps, &[]);
    let (outcome, _, peak) = run_with_limits(&plan, &[], (1, 5), OnFailure::Stop).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    assert_eq!(peak, 6, "five locations and one image");
    let (_, _, peak) = run_with_limits(&plan, &[], (1, 2), OnFailure::Stop).await;
    assert_eq!(peak, 3, "two locations and one image");
}
