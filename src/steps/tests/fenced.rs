//! Owns the proof that a run that lost its lock changes nothing any more, whatever it was doing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::TestEnv;
use super::faults::second_release;
use crate::adapters::fake::{BuildMood, FakeClock, FakeCloudState};
use crate::engine::Engine;
use crate::engine::fence::{FencedEffects, Guard};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::Kind;
use crate::plan::Plan;
use crate::ports::{Cloud, ImageBuilder};
use crate::steps::fence::{FencedBuilder, FencedCloud};

/// A lock that is lost at the n-th look, with the inventory as it is then.
struct Until {
    setup: Arc<TestEnv>,
    looks: AtomicUsize,
    last: usize,
    then: Mutex<Option<FakeCloudState>>,
    lost: CancellationToken,
}

impl Until {
    fn lose(&self) {
        self.then
            .lock()
            .expect("no panic")
            .get_or_insert_with(|| self.setup.cloud.state(|w| w.clone()));
        self.lost.cancel();
    }
}

#[async_trait]
impl Guard for Until {
    async fn check(&self) -> Result<(), String> {
        if self.looks.fetch_add(1, Ordering::SeqCst) >= self.last {
            self.lose();
        }
        self.lock_loss().map_or(Ok(()), Err)
    }

    fn lock_loss(&self) -> Option<String> {
        self.lost
            .is_cancelled()
            .then(|| "the lock of Test is lost: taken over by run9".to_owned())
    }

    async fn wait_for_lock_loss(&self) {
        self.lost.cancelled().await;
    }
}

fn until(setup: &Arc<TestEnv>, last: usize) -> Arc<Until> {
    let (setup, lost) = (Arc::clone(setup), CancellationToken::new());
    Arc::new(Until {
        setup,
        looks: AtomicUsize::new(0),
        last,
        then: Mutex::default(),
        lost,
    })
}

async fn execute(setup: &TestEnv, plan: &Plan, guard: &Arc<Until>) -> Outcome {
    let mut steps = setup.steps(&plan.run);
    let guard: Arc<dyn Guard> = Arc::clone(guard) as _;
    let (cloud, builder): (Arc<dyn Cloud>, Arc<dyn ImageBuilder>) = (
        Arc::clone(&setup.cloud) as _,
        Arc::clone(&setup.builder) as _,
    );
    steps.cloud = Arc::new(FencedCloud {
        inner: cloud,
        guard: Arc::clone(&guard),
    });
    steps.builder = Arc::new(FencedBuilder {
        inner: builder,
        guard: Arc::clone(&guard),
    });
    let engine = Engine {
        effects: Arc::new(FencedEffects {
            inner: steps,
            guard,
        }),
        journal: Arc::clone(&setup.journal) as _,
        clock: Arc::new(FakeClock(Mutex::new(setup.now))),
        events: Arc::clone(&setup.events) as _,
    };
    engine.run(plan, &setup.options).await
}

/// What a look can show, apart from instances on their way.
fn lasting_state(mut inventory: FakeCloudState) -> FakeCloudState {
    inventory
        .instances
        .values_mut()
        .for_each(|i| i.status = i.status.replace("pending", "running"));
    inventory
}

fn changes(setup: &TestEnv) -> usize {
    setup.cloud.calls().iter().filter(|c| c.changes).count()
}

#[tokio::test]
async fn whenever_the_lock_is_lost_nothing_changes_afterwards_and_the_report_says_what_is_left() {
    let mut ends = 0;
    let start = second_release().await;
    for last in 0.. {
        let setup = Arc::new(start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z"));
        let mut plan = setup.release_plan("run2", true);
        plan.steps.retain(|step| step.scope == "base");
        let guard = until(&setup, last);
        let outcome = execute(&setup, &plan, &guard).await;
        let Some(then) = guard.then.lock().expect("no panic").clone() else {
            assert_eq!(outcome.kind(), None, "{outcome:?}");
            ends = last;
            break;
        };
        assert_eq!(outcome.kind(), Some(Kind::Refused), "{last}: {outcome:?}");
        assert_eq!(
            setup.cloud.state(|w| lasting_state(w.clone())),
            lasting_state(then),
            "{last}"
        );
        let told = outcome.scopes.values().any(|end| match end {
            ScopeEnd::Failed { error, .. } => error.contains("taken over by run9"),
            _ => false,
        });
        assert!(told, "{last}: {outcome:?}");
    }
    assert!(
        ends > 20,
        "a release looks at its lock before each change: {ends}"
    );
}

#[tokio::test]
async fn an_undo_stops_when_the_lock_is_lost_on_the_way_back() {
    let setup = Arc::new(second_release().await);
    setup
        .builder
        .moods
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildMood::FailsLate);
    let plan = setup.release_plan("run2", true);
    let probe = until(&setup, usize::MAX);
    assert_eq!(
        execute(&setup, &plan, &probe).await.kind(),
        Some(Kind::StepFailed)
    );
    let looks = probe.looks.load(Ordering::SeqCst);
    for last in looks - 4..looks {
        let setup = Arc::new(second_release().await);
        setup
            .builder
            .moods
            .lock()
            .expect("no panic")
            .insert("base".to_owned(), BuildMood::FailsLate);
        let guard = until(&setup, last);
        let outcome = execute(&setup, &setup.release_plan("run2", true), &guard).await;
        let then = guard.then.lock().expect("no panic").clone().expect("lost");
        assert_eq!(
            setup.cloud.state(|w| lasting_state(w.clone())),
            lasting_state(then),
            "{last}"
        );
        let ScopeEnd::Failed {
            kind, hints, error, ..
        } = &outcome.scopes["base"]
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(*kind, Kind::Refused, "{last}: {outcome:?}");
        assert!(
            error.contains("it broke") && error.contains("run9"),
            "{error}"
        );
        assert!(
            hints
                .iter()
                .any(|h| h.contains("not taken back") && h.contains("base/key")),
            "{hints:?}"
        );
    }
}

#[tokio::test]
async fn a_running_build_is_ended_when_the_lock_is_lost() {
    let setup = Arc::new(second_release().await);
    setup
        .builder
        .moods
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildMood::Endless);
    let plan = setup.release_plan("run2", true);
    let guard = until(&setup, usize::MAX);
    let before = changes(&setup);
    let (running, losing) = tokio::join!(execute(&setup, &plan, &guard), async {
        setup.builder.begun.notified().await;
        guard.lose();
        changes(&setup)
    });
    assert!(losing > before, "there was a key pair and a group by then");
    assert_eq!(running.kind(), Some(Kind::Refused), "{running:?}");
    assert_eq!(
        changes(&setup),
        losing,
        "nothing is taken back without the lock"
    );
    assert!(
        setup
            .cloud
            .state(|w| w.instances.values().all(|i| i.status == "terminated")),
        "but Packer cleans up"
    );
}
