//! Tests that a killed run continues from its journal, or is undone: a kill before each call and before
//! each line of the journal, on the same machine and on another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::faults::second_release;
use super::fenced::locked_effects;
use super::killed_retirement;
use super::lifecycle::shared;
use super::lifecycle::{
    HOME, Operation, Pointers, StateTable, assert_no_leftovers, on_day, promote_two_versions,
    state_table, two_versions, version,
};
use super::{IMAGES, TestEnv};
use crate::adapters::fake::{BuildBehavior, FakeClock, Fault, MemoryJournal};
use crate::engine::journal::Phase;
use crate::engine::outcome::Outcome;
use crate::engine::recovery::{RunProgress, ScopeStage};
use crate::engine::{Engine, Goal, Recovery, journal};
use crate::evidence::keys;
use crate::lifecycle::{current, tags};
use crate::matrix;
use crate::model::Ami;
use crate::plan::{Plan, Scope};
use crate::ports::{Journal, Workspace as _};

/// Position at which a run is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kill {
    /// Before this call, from 1.
    Call(usize),
    /// Before this line of the journal, from 1.
    Line(usize),
    /// During the first build, whose instance remains.
    Build,
}

/// Machine on which a run continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// The machine of the killed run.
    Same,
    /// A machine without the run directory.
    Other,
}

/// Journal of a process that is killed before a line.
struct KilledJournal {
    inner: Arc<MemoryJournal>,
    left: AtomicUsize,
}

impl Journal for KilledJournal {
    fn append(&self, line: &str) -> std::io::Result<()> {
        let left = self.left.load(Ordering::SeqCst);
        assert!(left > 1, "killed");
        self.left.store(left - 1, Ordering::SeqCst);
        self.inner.append(line)
    }
}

fn engine(setup: &TestEnv, plan: &Plan, journal: Arc<dyn Journal>, attempt: i64) -> Engine {
    let mut steps = setup.steps(&plan.run);
    steps.attempt = attempt;
    // A run is continued an hour later.
    let now = setup.now + jiff::SignedDuration::from_hours(i64::from(attempt > 0));
    Engine {
        effects: locked_effects(steps),
        journal,
        clock: Arc::new(FakeClock(std::sync::Mutex::new(now))),
        events: Arc::clone(&setup.events) as _,
    }
}

/// Runs a plan until it is killed.
pub(super) async fn run_until_killed(setup: &TestEnv, plan: &Plan, kill: Kill) {
    let file = Arc::clone(&setup.journal);
    match kill {
        Kill::Call(nth) => {
            let halted = setup.cloud.halt_before(nth);
            let engine = engine(setup, plan, file, 0);
            tokio::select! {
                outcome = engine.run(plan, &setup.options) => panic!("not killed: {outcome:?}"),
                () = halted.notified() => {}
            }
        }
        Kill::Build => {
            let behavior = ("base".to_owned(), BuildBehavior::Endless);
            let behaviors = || setup.builder.behaviors.lock().expect("no panic");
            behaviors().extend([behavior]);
            let engine = engine(setup, plan, file, 0);
            tokio::select! {
                outcome = engine.run(plan, &setup.options) => panic!("not killed: {outcome:?}"),
                () = setup.builder.begun.notified() => {}
            }
        }
        Kill::Line(nth) => {
            let killed = Arc::new(KilledJournal {
                inner: file,
                left: AtomicUsize::new(nth),
            });
            let engine = engine(setup, plan, killed, 0);
            let outcome = engine.run(plan, &setup.options).await;
            assert!(outcome.kind().is_some(), "not killed: {outcome:?}");
        }
    }
}

/// Returns the environment of the next attempt: the same cloud, journal and store, and the files of the
/// run directory only on the same machine.
pub(super) fn next_attempt(setup: &TestEnv, machine: Machine) -> TestEnv {
    let mut next = setup.next_run(Arc::clone(&setup.catalog), &setup.now.to_string());
    next.options = setup.options.clone();
    next.journal = Arc::clone(&setup.journal);
    next.store = Arc::clone(&setup.store);
    let files = match machine {
        Machine::Same => setup.workspace.files.lock().expect("no panic").clone(),
        Machine::Other => Default::default(),
    };
    *next.workspace.files.lock().expect("no panic") = files;
    next
}

pub(super) async fn resume(setup: &TestEnv, plan: &Plan, goal: Goal) -> Outcome {
    let lines = journal::read(&setup.journal.text()).expect("a valid journal");
    let progress = RunProgress::read(plan, &lines).expect("a journal of the plan");
    let prefix = keys::run_files(&"acme".into(), &plan.run);
    let stored = setup.store.objects.lock().expect("no panic").clone();
    for (key, content) in stored {
        if let Some(path) = key.strip_prefix(&format!("{prefix}/")) {
            setup
                .workspace
                .write(path, &content, true)
                .expect("written");
        }
    }
    let attempt = i64::try_from(lines.len()).expect("few lines") + 1;
    let engine = engine(setup, plan, Arc::clone(&setup.journal) as _, attempt);
    let recovery = Recovery { progress, goal };
    engine
        .run_after(&lines, recovery, plan, &setup.options)
        .await
}

/// Returns the positions of a run, or a sample of them.
fn positions(test: &str, clean: &TestEnv) -> Vec<Kill> {
    let calls = (1..=clean.cloud.calls().len()).map(Kill::Call);
    let lines = (1..=clean.journal.text().lines().count()).map(Kill::Line);
    matrix::select_cases(test, 7, calls.chain(lines))
}

/// Returns evidence that a release stored: the keys below the images, without those of other versions.
fn evidence(setup: &TestEnv) -> Vec<String> {
    let objects = setup.store.objects.lock().expect("no panic");
    let keys = objects.keys().filter(|key| key.contains("/images/"));
    keys.cloned().collect()
}

/// Asserts that the current AMI of an image has the time at which its step first started.
fn assert_current_since_first_start(setup: &TestEnv, image: &str, context: &str) {
    let lines = journal::read(&setup.journal.text()).expect("a valid journal");
    let is_move = |line: &&journal::JournalLine| {
        line.step.to_string() == format!("{image}/release") && line.phase == Phase::Started
    };
    let started = lines.iter().find(is_move).expect("a started step").time;
    let current = setup.latest(image, "Test").1.expect("a current AMI");
    let tags = setup
        .cloud
        .state(|state| state.images[&current].tags.clone());
    let since = current::parse(&tags[tags::CURRENT])[&super::test_env()];
    assert_eq!(since.as_second(), started.as_second(), "{context}: {image}");
}

#[tokio::test]
async fn killed_release_continues_or_is_undone() {
    let start = second_release().await;
    let next = || start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
    let clean = next();
    let plan = clean.release_plan("run2", true);
    assert_eq!(clean.execute(&plan).await.kind(), None);
    assert_eq!(started_builds(&clean), IMAGES.len());
    let before = start.cloud.state(|state| state.own());
    for kill in positions("killed_release", &clean)
        .into_iter()
        .chain([Kill::Build])
    {
        for (machine, goal) in [
            (Machine::Same, Goal::Continue),
            (Machine::Other, Goal::Continue),
            (Machine::Other, Goal::Undo),
        ] {
            let context = format!("{kill:?}, {machine:?}, {goal:?}");
            let killed = next();
            killed.watch_invariants();
            run_until_killed(&killed, &plan, kill).await;
            let finished = finished_scopes(&killed, &plan);
            let again = next_attempt(&killed, machine);
            let outcome = resume(&again, &plan, goal).await;
            again.assert_clean(&context);
            if goal == Goal::Undo {
                assert_eq!(finished_scopes(&again, &plan), finished, "{context}");
                if finished.is_empty() {
                    assert_eq!(again.cloud.state(|state| state.own()), before, "{context}");
                }
                continue;
            }
            let builds = started_builds(&again);
            assert!(builds <= IMAGES.len() + 1, "{context}: {builds} builds");
            assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
            for (image, _) in IMAGES {
                let (pointer, found) = again.latest(image, "Test");
                assert_eq!(pointer, found.map(|ami| ami.0), "{context}: {image}");
                assert_current_since_first_start(&again, image, &context);
            }
            assert_eq!(evidence(&again), evidence(&clean), "{context}");
        }
    }
}

#[tokio::test]
async fn failed_recovery_undoes_the_earlier_attempt() {
    let start = second_release().await;
    let next = || start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z");
    let clean = next();
    let plan = clean.release_plan("run2", true);
    assert_eq!(clean.execute(&plan).await.kind(), None);
    let mut kept_builds = 0;
    for kill in positions("failed_recovery", &clean) {
        for action in ["create_key_pair", "launch"] {
            let context = format!("{kill:?}, {action}");
            let killed = next();
            run_until_killed(&killed, &plan, kill).await;
            let again = next_attempt(&killed, Machine::Other);
            kept_builds += again.cloud.state(|state| {
                let candidates = state.own().into_iter();
                let built = |ami: &Ami| ami.tags.get(tags::STATE).is_some_and(|s| s == "candidate");
                candidates.filter(built).count()
            });
            again.cloud.fail(Fault::always(action));
            resume(&again, &plan, Goal::Continue).await;
            again.assert_clean(&context);
        }
    }
    assert!(kept_builds > 0, "no kill left a built AMI");
}

/// Returns the number of builds that all attempts started.
fn started_builds(setup: &TestEnv) -> usize {
    let lines = journal::read(&setup.journal.text()).expect("a valid journal");
    let builds = lines
        .iter()
        .filter(|line| line.phase == Phase::Started && line.step.to_string().ends_with("/build"));
    builds.count()
}

/// Returns the scopes that the journal shows as done.
fn finished_scopes(setup: &TestEnv, plan: &Plan) -> Vec<Scope> {
    let lines = journal::read(&setup.journal.text()).expect("a valid journal");
    let progress = RunProgress::read(plan, &lines).expect("a journal of the plan");
    let done = progress.stages(plan).into_iter();
    done.filter(|(_, stage)| *stage == ScopeStage::Done)
        .map(|(scope, _)| scope.clone())
        .collect()
}

/// Returns a promotion, a rollback and a revocation, each with the environment before it.
pub(super) async fn moves() -> [(TestEnv, Operation); 3] {
    [
        (two_versions().await, Operation::Promote(&["base"])),
        (
            promote_two_versions().await,
            Operation::Rollback(version(1)),
        ),
        (
            promote_two_versions().await,
            Operation::Revoke("base", version(2)),
        ),
    ]
}

#[tokio::test]
async fn killed_move_continues_or_is_undone() {
    for (before, operation) in &moves().await {
        let clean = on_day(before, 28);
        let plan = operation.plan(&clean);
        assert_eq!(clean.execute(&plan).await.kind(), None);
        let (wanted, old) = (state_table(&clean), state_table(before));
        for kill in positions("killed_move", &clean) {
            for goal in [Goal::Continue, Goal::Undo] {
                let context = format!("{operation:?}, {kill:?}, {goal:?}");
                let killed = on_day(before, 28);
                run_until_killed(&killed, &plan, kill).await;
                let again = next_attempt(&killed, Machine::Other);
                let outcome = resume(&again, &plan, goal).await;
                if goal == Goal::Continue {
                    assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
                    assert_eq!(state_table(&again), wanted, "{context}");
                }
                assert_no_leftovers(&again, &context);
                if goal == Goal::Undo && !matches!(operation, Operation::Revoke(..)) {
                    let finished = finished_scopes(&again, &plan);
                    assert_undone(&again, &finished, [&old, &wanted], &context);
                }
            }
        }
    }
}

#[tokio::test]
async fn killed_shared_promotion_continues_or_takes_permissions_back() {
    let before = shared::two_versions().await;
    let clean = on_day(&before, 28);
    let plan = Operation::Promote(&["base"]).plan(&clean);
    assert_eq!(clean.execute(&plan).await.kind(), None);
    shared::assert_shared(&clean, 2, "clean");
    let mut taken_back = 0;
    for kill in positions("killed_shared_promotion", &clean) {
        for goal in [Goal::Continue, Goal::Undo] {
            let context = format!("{kill:?}, {goal:?}");
            let killed = on_day(&before, 28);
            run_until_killed(&killed, &plan, kill).await;
            let was_granted = |setup: &TestEnv| {
                let regions = [HOME, "us-east-1"].into_iter();
                let of = |region| shared::receivers(setup, region).remove(&version(2));
                regions.filter_map(of).filter(|who| !who.is_empty()).count()
            };
            let granted = was_granted(&killed);
            let again = next_attempt(&killed, Machine::Other);
            let outcome = resume(&again, &plan, goal).await;
            if goal == Goal::Continue {
                assert_eq!(outcome.kind(), None, "{context}: {outcome:?}");
                shared::assert_shared(&again, 2, &context);
                continue;
            }
            let published = finished_scopes(&again, &plan).len();
            let left = was_granted(&again);
            assert!(
                left <= published,
                "{context}: {left} of {granted}, {outcome:?}"
            );
            taken_back += granted - left;
        }
    }
    assert!(taken_back > 0, "no kill left a permission to remove");
}

/// Asserts that the locations of finished scopes have their new state, and all others their old state.
fn assert_undone(
    setup: &TestEnv,
    finished: &[Scope],
    [old, wanted]: [&(StateTable, Pointers); 2],
    context: &str,
) {
    let (rows, pointers) = state_table(setup);
    let is_finished = |location: &str| {
        let mut scopes = finished.iter();
        scopes.any(|scope| {
            scope
                .location()
                .map_or(HOME.to_owned(), ToString::to_string)
                == location
        })
    };
    let now = |location: &str| if is_finished(location) { wanted } else { old };
    let keys = old.0.keys().chain(wanted.0.keys());
    for key in keys {
        assert_eq!(rows.get(key), now(&key.0).0.get(key), "{context}: {key:?}");
    }
    let keys = old.1.keys().chain(wanted.1.keys());
    for key in keys {
        let expected = now(&key.0).1.get(key);
        assert_eq!(pointers.get(key), expected, "{context}: {key:?}");
    }
}

#[tokio::test]
async fn killed_prune_continues() {
    let before = killed_retirement::two_versions().await;
    for day in ["24", "25", "26"] {
        let now = format!("2026-11-{day}T12:00:00Z");
        let clean = killed_retirement::at_time(&before, &now);
        let plan = killed_retirement::prune_plan(&clean);
        assert_eq!(clean.execute(&plan).await.kind(), None);
        let wanted = killed_retirement::lasting_state(&clean);
        for kill in positions("killed_prune", &clean) {
            let killed = killed_retirement::at_time(&before, &now);
            run_until_killed(&killed, &plan, kill).await;
            let again = next_attempt(&killed, Machine::Other);
            let outcome = resume(&again, &plan, Goal::Continue).await;
            assert_eq!(outcome.kind(), None, "{kill:?}: {outcome:?}");
            let state = killed_retirement::lasting_state(&again);
            assert_eq!(state, wanted, "{kill:?} on the {day}th");
        }
    }
}
