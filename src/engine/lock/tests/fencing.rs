//! Tests fencing with any interleaving of runs: allowed changes never return to an older
//! generation.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use proptest::prelude::*;

use super::faulty::SkewedClock;
use super::{LEASE, acquire, advance, clock, locks, owner, test_env};
use crate::adapters::fake::MemoryStore;
use crate::engine::lock::Locks;
use crate::engine::lock::guard::Guard as _;
use crate::lifecycle::lock::safety_margin;
use crate::matrix::proptest_config;
use crate::ports::{Store, StoreResult};

/// Store that yields before and after each call, because a process may be suspended there.
struct YieldingStore(Arc<MemoryStore>);

/// Yields once.
async fn yield_once() {
    let mut waited = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[async_trait]
impl Store for YieldingStore {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        yield_once().await;
        let answer = self.0.get(key).await;
        yield_once().await;
        answer
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        yield_once().await;
        self.0.put(key, content).await
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        yield_once().await;
        let answer = self.0.create(key, content).await;
        yield_once().await;
        answer
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        yield_once().await;
        let answer = self.0.list(prefix).await;
        yield_once().await;
        answer
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        yield_once().await;
        self.0.delete(key).await
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn location(&self) -> String {
        "slow".to_owned()
    }
}

/// Allowed changes in order: the actor and its generation.
type Allowed = Arc<Mutex<Vec<(usize, u64)>>>;

/// Acquires the lock, checks it before changes, renews it and releases it, repeatedly.
async fn run_actor(number: usize, locks: Locks, allowed: Allowed) {
    for round in 0_u32.. {
        let Ok(held) = locks
            .acquire(&test_env(), &owner(&format!("{number}-{round}")), &|_| ())
            .await
        else {
            yield_once().await;
            continue;
        };
        let generation = held.generations()[0];
        for attempt in 0..6 {
            if held.check().await.is_err() {
                break;
            }
            // No yield follows: a suspension between check and call cannot be fenced.
            allowed.lock().expect("no panic").push((number, generation));
            if attempt % 2 == 1 {
                let _renewed = held.renew().await;
            }
        }
        if round % 3 != 2 {
            held.release(&|_| ()).await;
        }
    }
}

/// Turns of one actor, or elapsed time in hundredths of a lease.
#[derive(Debug, Clone, Copy)]
enum Event {
    Turns(usize, usize),
    Time(i32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let turns = (0..3_usize, 1..30_usize).prop_map(|(who, many)| Event::Turns(who, many));
    let time = prop_oneof![Just(100), 1..60_i32, 60..130_i32].prop_map(Event::Time);
    prop::collection::vec(prop_oneof![3 => turns, 1 => time], 20..160)
}

fn play_events(events: &[Event], skews: [i32; 3]) -> Vec<(usize, u64)> {
    let (store, truth, allowed) = (
        Arc::new(YieldingStore(Arc::default())),
        clock(),
        Allowed::default(),
    );
    let mut actors: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for (number, skew) in skews.into_iter().enumerate() {
        let wrong = SkewedClock {
            real: Arc::clone(&truth),
            offset: safety_margin(LEASE) * skew / 200,
        };
        let locks = locks(&store, &Arc::new(wrong));
        actors.push(Box::pin(run_actor(number, locks, Arc::clone(&allowed))));
    }
    let mut context = Context::from_waker(Waker::noop());
    for one in events {
        match *one {
            Event::Time(part) => advance(&truth, LEASE * part / 100),
            Event::Turns(who, many) => (0..many).for_each(|_| {
                let _pending = actors[who].as_mut().poll(&mut context);
            }),
        }
    }
    drop(actors);
    Arc::into_inner(allowed)
        .expect("the actors are gone")
        .into_inner()
        .expect("no panic")
}

/// Returns the first change that was allowed to an older generation than the one before.
fn first_regression(seen: &[(usize, u64)]) -> Option<usize> {
    seen.windows(2).position(|pair| pair[1].1 < pair[0].1)
}

proptest! {
    #![proptest_config(proptest_config(300, 300))]

    /// Clocks may differ by the margin.
    #[test]
    fn allowed_changes_never_go_back_to_an_older_generation(
        events in events(),
        skews in prop::array::uniform3(-100..=100_i32),
    ) {
        let seen = play_events(&events, skews);
        prop_assert_eq!(first_regression(&seen), None, "{:?}", seen);
        let owners: BTreeSet<(u64, usize)> = seen.iter().map(|(who, g)| (*g, *who)).collect();
        let generations: BTreeSet<u64> = seen.iter().map(|(_, g)| *g).collect();
        prop_assert_eq!(owners.len(), generations.len(), "a generation has one owner");
    }
}

#[tokio::test]
async fn suspended_run_does_not_take_renewed_lock() {
    let (memory, clock) = (Arc::new(MemoryStore::default()), clock());
    let (held, _) = acquire(&locks(&memory, &clock), &test_env(), "run1")
        .await
        .expect("free");
    let slow = locks(&Arc::new(YieldingStore(Arc::clone(&memory))), &clock);
    let envs = test_env();
    let mut second = Box::pin(acquire(&slow, &envs, "run2"));
    let mut context = Context::from_waker(Waker::noop());
    // The first poll starts the call, the second one returns the list.
    assert!(
        second.as_mut().poll(&mut context).is_pending()
            && second.as_mut().poll(&mut context).is_pending()
    );
    advance(&clock, LEASE * 2 / 3);
    held.renew().await.expect("renewed");
    advance(&clock, LEASE / 2);
    let end = (0..50).find_map(|_| match second.as_mut().poll(&mut context) {
        Poll::Ready(end) => Some(end),
        Poll::Pending => None,
    });
    assert!(
        end.expect("it ends").is_err(),
        "the expiry that was read has passed, but the lock was renewed"
    );
    held.check().await.expect("still held");
}

#[test]
fn fencing_property_covers_takeovers() {
    // Each actor takes over from the previous one, which continues afterwards and is refused.
    let events: Vec<Event> = (0..12)
        .flat_map(|n| {
            [
                Event::Turns(n % 3, 25),
                Event::Time(130),
                Event::Turns((n + 1) % 3, 12),
            ]
        })
        .collect();
    let seen = play_events(&events, [0; 3]);
    let most = seen.iter().map(|(_, g)| *g).max().unwrap_or(0);
    assert!(most >= 5, "{seen:?}");
    assert_eq!(first_regression(&seen), None);
    assert_eq!(first_regression(&[(0, 1), (1, 2), (0, 1)]), Some(1));
}
