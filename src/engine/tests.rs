//! Owns the tests of the engine alone, on effects that only record: order, limits, panics, and nothing outside the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::event::{Event, Listener};
use super::outcome::{Outcome, ScopeEnd};
use super::{Effects, Engine, Options, StepContext, journal};
use crate::adapters::fake::{FakeClock, MemoryJournal};
use crate::catalog::OnFailure;
use crate::error::{Error, Kind, Result};
use crate::model::{AmiId, Region, RunId, Timestamp};
use crate::plan::{Action, AmiRef, Plan, Step, StepId};

/// What the effects do instead of their work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    Found,
    Fail(Kind),
    FailUndo,
    Panic,
}

#[derive(Default)]
struct Recording {
    tricks: BTreeMap<&'static str, Trick>,
    done: Mutex<Vec<String>>,
    now: Mutex<(BTreeSet<String>, usize)>,
}

impl Recording {
    fn note(&self, what: &str, step: &Step) {
        self.done
            .lock()
            .expect("no panic")
            .push(format!("{what} {}", step.id));
    }
}

#[async_trait]
impl Effects for Recording {
    async fn probe(&self, step: &Step, _: &StepContext<'_>) -> Result<Option<Value>> {
        let found = self.tricks.get(step.id.0.as_str()) == Some(&Trick::Found);
        Ok(found.then(|| json!({ "found": true })))
    }

    async fn perform(&self, step: &Step, _: &StepContext<'_>) -> Result<Value> {
        {
            let mut now = self.now.lock().expect("no panic");
            now.0.insert(step.scope.clone());
            now.1 = now.1.max(now.0.len());
        }
        // Long enough for the scheduler to have looked at every other scope, however busy the machine is.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        self.now.lock().expect("no panic").0.remove(&step.scope);
        self.note("do", step);
        match self.tricks.get(step.id.0.as_str()) {
            Some(Trick::Fail(kind)) => Err(Error::new(*kind, "as told")),
            Some(Trick::Panic) => panic!("as told"),
            _ => Ok(json!({})),
        }
    }

    async fn undo(&self, step: &Step, _: Option<&Value>, _: &StepContext<'_>) -> Result<()> {
        self.note("undo", step);
        match self.tricks.get(step.id.0.as_str()) {
            Some(Trick::FailUndo) => {
                Err(Error::new(Kind::StepFailed, "can't").hint("do it by hand"))
            }
            _ => Ok(()),
        }
    }
}

struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _: &Event) {}
}

/// Steps as `scope/verb`, each after the one before in its scope; `needs` are between scopes.
fn plan(steps: &[&str], needs: &[(&str, &str)]) -> Plan {
    let steps = steps.iter().map(|id| {
        let scope = id.split('/').next().unwrap_or_default().to_owned();
        let needs = needs
            .iter()
            .filter(|(step, _)| step == id)
            .map(|(_, need)| StepId((*need).to_owned()))
            .collect();
        let action = Action::Restore {
            ami: AmiId::from("ami-1"),
        };
        Step {
            account: None,
            id: StepId((*id).to_owned()),
            scope,
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
    tricks: &[(&'static str, Trick)],
    jobs: usize,
    on_failure: OnFailure,
) -> (Outcome, Vec<String>, usize) {
    let effects = Arc::new(Recording {
        tricks: tricks.iter().copied().collect(),
        ..Recording::default()
    });
    let lines = Arc::new(MemoryJournal::default());
    let engine = Engine {
        effects: Arc::clone(&effects) as _,
        journal: Arc::clone(&lines) as _,
        clock: Arc::new(FakeClock(Mutex::new(Timestamp::UNIX_EPOCH))),
        listener: Arc::new(Deaf),
    };
    let outcome = engine
        .run(
            plan,
            &Options {
                jobs,
                on_failure,
                keep_failed: false,
                interrupt: CancellationToken::new(),
            },
        )
        .await;
    journal::read(&lines.text()).expect("the journal's chain holds");
    let most = effects.now.lock().expect("no panic").1;
    let done = effects.done.lock().expect("no panic").clone();
    (outcome, done, most)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_scopes_run_than_jobs_allow_and_the_journal_stays_in_order() {
    let ids: Vec<String> = (0..12)
        .flat_map(|s| (0..4).map(move |v| format!("s{s}/v{v}")))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for jobs in [1, 2, 3, 12] {
        let (outcome, done, most) = run(&plan(&ids, &[]), &[], jobs, OnFailure::Stop).await;
        assert_eq!(outcome.kind(), None);
        assert_eq!(done.len(), ids.len());
        assert!(
            most <= jobs,
            "{most} scopes at the same time with {jobs} jobs"
        );
        assert!(
            jobs == 1 || most > 1,
            "{jobs} jobs and nothing side by side"
        );
    }
}

#[tokio::test]
async fn steps_go_in_order_and_only_those_of_the_plan() {
    let plan = plan(&["b/x", "b/y", "a/x", "a/y"], &[("b/x", "a/y")]);
    let (outcome, done, _) = run(&plan, &[("a/x", Trick::Found)], 4, OnFailure::Stop).await;
    assert_eq!(outcome.kind(), None);
    assert_eq!(
        done,
        ["do a/y", "do b/x", "do b/y"],
        "what is found is not done, what is needed comes first"
    );
}

#[tokio::test]
async fn a_failure_is_taken_back_newest_first_and_keeps_its_kind() {
    for kind in [
        Kind::StepFailed,
        Kind::ChecksFailed,
        Kind::Refused,
        Kind::Input,
    ] {
        let plan = plan(
            &["a/x", "a/y", "a/z", "a/never", "b/x"],
            &[("b/x", "a/never")],
        );
        let (outcome, done, _) =
            run(&plan, &[("a/z", Trick::Fail(kind))], 1, OnFailure::Stop).await;
        assert_eq!(outcome.kind(), Some(kind));
        assert_eq!(
            done,
            [
                "do a/x", "do a/y", "do a/z", "undo a/z", "undo a/y", "undo a/x"
            ]
        );
        assert!(matches!(&outcome.scopes["a"], ScopeEnd::Failed { step, .. } if step == "a/z"));
        assert!(matches!(&outcome.scopes["b"], ScopeEnd::NotStarted { .. }));
    }
}

#[tokio::test]
async fn an_undo_that_fails_is_stuck_with_its_hint_and_the_worst_of_all() {
    let plan = plan(&["a/x", "a/y", "a/z", "b/x"], &[]);
    let tricks = [
        ("a/y", Trick::FailUndo),
        ("a/z", Trick::Fail(Kind::ChecksFailed)),
        ("b/x", Trick::Fail(Kind::StepFailed)),
    ];
    let (outcome, done, _) = run(&plan, &tricks, 1, OnFailure::Continue).await;
    assert_eq!(outcome.kind(), Some(Kind::Stuck));
    let ScopeEnd::Stuck { left, error, .. } = &outcome.scopes["a"] else {
        panic!("{outcome:?}")
    };
    assert_eq!(left, &["a/y: can't; do it by hand"]);
    assert_eq!(error, "as told");
    assert!(done.contains(&"undo a/x".to_owned()), "{done:?}");
}

#[tokio::test]
async fn what_a_move_may_still_point_at_is_not_taken_back() {
    let mut plan = plan(&["a/key", "a/build", "a/release", "a/after"], &[]);
    plan.steps[1].action = Action::Copy {
        source: AmiRef::Known("ami-1".into()),
        from: "r".into(),
        name: String::new(),
    };
    plan.steps[2].action = Action::MoveCurrent { moves: Vec::new() };
    let tricks = [
        ("a/release", Trick::FailUndo),
        ("a/after", Trick::Fail(Kind::StepFailed)),
    ];
    let (outcome, done, _) = run(&plan, &tricks, 1, OnFailure::Stop).await;
    let ScopeEnd::Stuck { left, .. } = &outcome.scopes["a"] else {
        panic!("{outcome:?}")
    };
    assert!(
        left[1].contains("a/build: left as it is, because a/release could not be taken back"),
        "{left:?}"
    );
    assert!(
        !done.contains(&"undo a/build".to_owned()) && done.contains(&"undo a/key".to_owned()),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_panic_is_a_stuck_scope_by_name_and_holds_its_children_back() {
    let plan = plan(&["a/x", "b/x", "c/x"], &[("b/x", "a/x")]);
    let (outcome, done, _) = run(&plan, &[("a/x", Trick::Panic)], 1, OnFailure::Continue).await;
    assert!(
        matches!(&outcome.scopes["a"], ScopeEnd::Stuck { .. }),
        "{outcome:?}"
    );
    assert!(
        matches!(&outcome.scopes["b"], ScopeEnd::NotStarted { because } if because.contains("`a`")),
        "{outcome:?}"
    );
    assert!(outcome.scopes["c"].is_done() && done.contains(&"do c/x".to_owned()));
    assert_eq!(outcome.kind(), Some(Kind::Stuck));
}

#[test]
fn exit_codes_and_which_is_worst_are_fixed() {
    use Kind::*;
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
    .map(Kind::exit_code);
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 130]);
    let ordered = [Refused, ChecksFailed, StepFailed, Interrupted, Stuck];
    assert!(ordered.windows(2).all(|w| w[0].weight() < w[1].weight()));
}
