//! Tests that a run that lost its lock makes no further change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::TestEnv;
use super::faults::second_release;
use crate::adapters::fake::{BuildBehavior, FakeClock, FakeCloudState};
use crate::engine::lock::fence::{FencedBuilder, FencedCloud};
use crate::engine::lock::guard::{FencedEffects, Guard};
use crate::engine::lock::loss::LockLoss;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::engine::{Effects, Engine};
use crate::error::ErrorKind;
use crate::plan::Plan;
use crate::ports::{Cloud, ImageBuilder};
use crate::steps::Steps;

/// Lock that is never lost.
struct HeldLock;

#[async_trait]
impl Guard for HeldLock {
    async fn check(&self) -> Result<(), LockLoss> {
        Ok(())
    }

    fn lock_loss(&self) -> Option<LockLoss> {
        None
    }

    async fn wait_for_lock_loss(&self) {
        std::future::pending().await
    }
}

/// Returns the effects of a run that holds its lock, as each command has them.
pub(super) fn locked_effects(steps: Steps) -> Arc<dyn Effects> {
    Arc::new(FencedEffects {
        inner: steps,
        guard: Arc::new(HeldLock),
    })
}

/// Lock that is lost at the n-th check, with the cloud state at that time.
struct ExpiringGuard {
    setup: Arc<TestEnv>,
    checks: AtomicUsize,
    limit: usize,
    state_at_loss: Mutex<Option<FakeCloudState>>,
    lost: CancellationToken,
}

impl ExpiringGuard {
    fn lose(&self) {
        self.state_at_loss
            .lock()
            .expect("no panic")
            .get_or_insert_with(|| self.setup.cloud.state(|w| w.clone()));
        self.lost.cancel();
    }
}

#[async_trait]
impl Guard for ExpiringGuard {
    async fn check(&self) -> Result<(), LockLoss> {
        if self.checks.fetch_add(1, Ordering::SeqCst) >= self.limit {
            self.lose();
        }
        self.lock_loss().map_or(Ok(()), Err)
    }

    fn lock_loss(&self) -> Option<LockLoss> {
        self.lost
            .is_cancelled()
            .then(|| LockLoss::Removed { env: "Test".into() })
    }

    async fn wait_for_lock_loss(&self) {
        self.lost.cancelled().await;
    }
}

fn guard_lost_after(setup: &Arc<TestEnv>, limit: usize) -> Arc<ExpiringGuard> {
    let (setup, lost) = (Arc::clone(setup), CancellationToken::new());
    Arc::new(ExpiringGuard {
        setup,
        checks: AtomicUsize::new(0),
        limit,
        state_at_loss: Mutex::default(),
        lost,
    })
}

async fn execute(setup: &TestEnv, plan: &Plan, guard: &Arc<ExpiringGuard>) -> Outcome {
    let mut steps = setup.steps(&plan.run);
    let guard: Arc<dyn Guard> = Arc::clone(guard) as _;
    let cloud: Arc<dyn Cloud> = Arc::clone(&setup.cloud) as _;
    steps.cloud = FencedCloud::new(cloud, Some(Arc::clone(&guard)));
    let builder: Arc<dyn ImageBuilder> = Arc::clone(&setup.builder) as _;
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

/// Returns the state with pending instances as running.
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
async fn lost_lock_stops_all_changes_and_is_reported() {
    let mut ends = 0;
    let start = second_release().await;
    for limit in 0.. {
        let setup = Arc::new(start.next_run(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z"));
        let mut plan = setup.release_plan("run2", true);
        plan.steps
            .retain(|step| step.scope.is_home_of(&"base".into()));
        let guard = guard_lost_after(&setup, limit);
        let outcome = execute(&setup, &plan, &guard).await;
        let Some(state_at_loss) = guard.state_at_loss.lock().expect("no panic").clone() else {
            assert_eq!(outcome.kind(), None, "{outcome:?}");
            ends = limit;
            break;
        };
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::Refused),
            "{limit}: {outcome:?}"
        );
        assert_eq!(
            setup.cloud.state(|w| lasting_state(w.clone())),
            lasting_state(state_at_loss),
            "{limit}"
        );
        let reported = outcome.scopes.values().any(|end| match end {
            ScopeEnd::Failed { error, .. } => error.contains("removed from the store"),
            _ => false,
        });
        assert!(reported, "{limit}: {outcome:?}");
    }
    assert!(
        ends > 20,
        "a release checks its lock before each change: {ends}"
    );
}

#[tokio::test]
async fn undo_stops_when_lock_is_lost() {
    let setup = Arc::new(second_release().await);
    setup
        .builder
        .behaviors
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildBehavior::FailsLate);
    let plan = setup.release_plan("run2", true);
    let probe = guard_lost_after(&setup, usize::MAX);
    assert_eq!(
        execute(&setup, &plan, &probe).await.kind(),
        Some(ErrorKind::StepFailed)
    );
    let checks = probe.checks.load(Ordering::SeqCst);
    for limit in checks - 4..checks {
        let setup = Arc::new(second_release().await);
        setup
            .builder
            .behaviors
            .lock()
            .expect("no panic")
            .insert("base".to_owned(), BuildBehavior::FailsLate);
        let guard = guard_lost_after(&setup, limit);
        let outcome = execute(&setup, &setup.release_plan("run2", true), &guard).await;
        let state_at_loss = guard
            .state_at_loss
            .lock()
            .expect("no panic")
            .clone()
            .expect("lost");
        assert_eq!(
            setup.cloud.state(|w| lasting_state(w.clone())),
            lasting_state(state_at_loss),
            "{limit}"
        );
        let ScopeEnd::Failed {
            kind, hints, error, ..
        } = outcome.end_of("base")
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(*kind, ErrorKind::Refused, "{limit}: {outcome:?}");
        assert!(
            error.contains("it broke") && error.contains("removed from the store"),
            "{error}"
        );
        assert!(
            hints
                .iter()
                .any(|h| h.contains("not undone") && h.contains("base/key")),
            "{hints:?}"
        );
    }
}

#[tokio::test]
async fn lost_lock_ends_running_build() {
    let setup = Arc::new(second_release().await);
    setup
        .builder
        .behaviors
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildBehavior::Endless);
    let plan = setup.release_plan("run2", true);
    let guard = guard_lost_after(&setup, usize::MAX);
    let before = changes(&setup);
    let (running, losing) = tokio::join!(execute(&setup, &plan, &guard), async {
        setup.builder.begun.notified().await;
        guard.lose();
        changes(&setup)
    });
    assert!(losing > before, "a key pair and a group exist by then");
    assert_eq!(running.kind(), Some(ErrorKind::Refused), "{running:?}");
    assert_eq!(
        changes(&setup),
        losing,
        "nothing is undone without the lock"
    );
    assert!(
        setup
            .cloud
            .state(|w| w.instances.values().all(|i| i.status == "terminated")),
        "Packer terminates its instance"
    );
}
