//! Owns the proof that a run that lost its lock changes nothing any more, whatever it was doing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::House;
use super::faults::second;
use crate::adapters::fake::{BuildMood, FakeClock, FakeCloudState};
use crate::engine::Engine;
use crate::engine::fence::{Fenced, Guard};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::Kind;
use crate::plan::Plan;
use crate::ports::{Cloud, ImageBuilder};
use crate::steps::fence::{FencedBuilder, FencedCloud};

/// A lock that is lost at the n-th look, with the inventory as it is then.
struct Until {
    house: Arc<House>,
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
            .get_or_insert_with(|| self.house.cloud.state(|w| w.clone()));
        self.lost.cancel();
    }
}

#[async_trait]
impl Guard for Until {
    async fn check(&self) -> Result<(), String> {
        if self.looks.fetch_add(1, Ordering::SeqCst) >= self.last {
            self.lose();
        }
        self.lost().map_or(Ok(()), Err)
    }

    fn lost(&self) -> Option<String> {
        self.lost
            .is_cancelled()
            .then(|| "the lock of Test is lost: taken over by run9".to_owned())
    }

    async fn until_lost(&self) {
        self.lost.cancelled().await;
    }
}

fn until(house: &Arc<House>, last: usize) -> Arc<Until> {
    let (house, lost) = (Arc::clone(house), CancellationToken::new());
    Arc::new(Until {
        house,
        looks: AtomicUsize::new(0),
        last,
        then: Mutex::default(),
        lost,
    })
}

async fn act(house: &House, plan: &Plan, guard: &Arc<Until>) -> Outcome {
    let mut steps = house.steps(&plan.run);
    let guard: Arc<dyn Guard> = Arc::clone(guard) as _;
    let (cloud, builder): (Arc<dyn Cloud>, Arc<dyn ImageBuilder>) = (
        Arc::clone(&house.cloud) as _,
        Arc::clone(&house.builder) as _,
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
        effects: Arc::new(Fenced {
            inner: steps,
            guard,
        }),
        journal: Arc::clone(&house.journal) as _,
        clock: Arc::new(FakeClock(Mutex::new(house.now))),
        listener: Arc::clone(&house.ears) as _,
    };
    engine.run(plan, &house.options).await
}

/// What a look can show, apart from instances on their way.
fn lasting(mut inventory: FakeCloudState) -> FakeCloudState {
    inventory
        .instances
        .values_mut()
        .for_each(|i| i.status = i.status.replace("pending", "running"));
    inventory
}

fn changes(house: &House) -> usize {
    house.cloud.calls().iter().filter(|c| c.changes).count()
}

#[tokio::test]
async fn whenever_the_lock_is_lost_nothing_changes_afterwards_and_the_report_says_what_is_left() {
    let mut ends = 0;
    let start = second().await;
    for last in 0.. {
        let house = Arc::new(start.next(Arc::clone(&start.catalog), "2026-11-23T12:00:00Z"));
        let mut plan = house.plan("run2", true);
        plan.steps.retain(|step| step.scope == "base");
        let guard = until(&house, last);
        let outcome = act(&house, &plan, &guard).await;
        let Some(then) = guard.then.lock().expect("no panic").clone() else {
            assert_eq!(outcome.kind(), None, "{outcome:?}");
            ends = last;
            break;
        };
        assert_eq!(outcome.kind(), Some(Kind::Refused), "{last}: {outcome:?}");
        assert_eq!(
            house.cloud.state(|w| lasting(w.clone())),
            lasting(then),
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
    let house = Arc::new(second().await);
    house
        .builder
        .moods
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildMood::FailsLate);
    let plan = house.plan("run2", true);
    let probe = until(&house, usize::MAX);
    assert_eq!(
        act(&house, &plan, &probe).await.kind(),
        Some(Kind::StepFailed)
    );
    let looks = probe.looks.load(Ordering::SeqCst);
    for last in looks - 4..looks {
        let house = Arc::new(second().await);
        house
            .builder
            .moods
            .lock()
            .expect("no panic")
            .insert("base".to_owned(), BuildMood::FailsLate);
        let guard = until(&house, last);
        let outcome = act(&house, &house.plan("run2", true), &guard).await;
        let then = guard.then.lock().expect("no panic").clone().expect("lost");
        assert_eq!(
            house.cloud.state(|w| lasting(w.clone())),
            lasting(then),
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
    let house = Arc::new(second().await);
    house
        .builder
        .moods
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildMood::Endless);
    let plan = house.plan("run2", true);
    let guard = until(&house, usize::MAX);
    let before = changes(&house);
    let (running, losing) = tokio::join!(act(&house, &plan, &guard), async {
        house.builder.begun.notified().await;
        guard.lose();
        changes(&house)
    });
    assert!(losing > before, "there was a key pair and a group by then");
    assert_eq!(running.kind(), Some(Kind::Refused), "{running:?}");
    assert_eq!(
        changes(&house),
        losing,
        "nothing is taken back without the lock"
    );
    assert!(
        house
            .cloud
            .state(|w| w.instances.values().all(|i| i.status == "terminated")),
        "but Packer cleans up"
    );
}
