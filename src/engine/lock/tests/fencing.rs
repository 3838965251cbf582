//! Owns the fencing property: whatever the interleaving, changes that were allowed never go back to an older generation.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use proptest::prelude::*;

use super::faulty::Wrong;
use super::{LEASE, acquire, clock, locks, pass, test_env, who};
use crate::adapters::fake::MemoryStore;
use crate::engine::fence::Guard as _;
use crate::engine::lock::Locks;
use crate::lifecycle::lock::safety_margin;
use crate::ports::{Store, StoreResult};

/// A store that gives others their turn before and after each call: a process may be suspended at any of them.
struct Slow(Arc<MemoryStore>);

/// Pending once.
async fn turn() {
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
impl Store for Slow {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        turn().await;
        let answer = self.0.get(key).await;
        turn().await;
        answer
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        turn().await;
        self.0.put(key, content).await
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        turn().await;
        let answer = self.0.create(key, content).await;
        turn().await;
        answer
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        turn().await;
        let answer = self.0.list(prefix).await;
        turn().await;
        answer
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        turn().await;
        self.0.delete(key).await
    }

    fn durable(&self) -> bool {
        true
    }

    fn location(&self) -> String {
        "slow".to_owned()
    }
}

/// What was allowed, in the order of the inventory: the actor and its generation.
type Allowed = Arc<Mutex<Vec<(usize, u64)>>>;

/// Takes the lock, asks before changes, gives signs of life, gives back, and again.
async fn actor(number: usize, locks: Locks, allowed: Allowed) {
    for round in 0_u32.. {
        let Ok(held) = locks
            .acquire(&test_env(), &who(&format!("{number}-{round}")), &|_| ())
            .await
        else {
            turn().await;
            continue;
        };
        let generation = held.generations()[0];
        for look in 0..6 {
            if held.check().await.is_err() {
                break;
            }
            // No turn in between: what happens between the look and the call nobody can fence here.
            allowed.lock().expect("no panic").push((number, generation));
            if look % 2 == 1 {
                let _renewed = held.renew().await;
            }
        }
        if round % 3 != 2 {
            held.release(&|_| ()).await;
        }
    }
}

/// A turn of one actor, or time that passes (in hundredths of a lease).
#[derive(Debug, Clone, Copy)]
enum Move {
    Turns(usize, usize),
    Time(i32),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let turns = (0..3_usize, 1..30_usize).prop_map(|(who, many)| Move::Turns(who, many));
    let time = prop_oneof![Just(100), 1..60_i32, 60..130_i32].prop_map(Move::Time);
    prop::collection::vec(prop_oneof![3 => turns, 1 => time], 20..160)
}

fn play(moves: &[Move], skews: [i32; 3]) -> Vec<(usize, u64)> {
    let (store, truth, allowed) = (Arc::new(Slow(Arc::default())), clock(), Allowed::default());
    let mut actors: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for (number, skew) in skews.into_iter().enumerate() {
        let wrong = Wrong {
            truth: Arc::clone(&truth),
            by: safety_margin(LEASE) * skew / 200,
        };
        let locks = locks(&store, &Arc::new(wrong));
        actors.push(Box::pin(actor(number, locks, Arc::clone(&allowed))));
    }
    let mut context = Context::from_waker(Waker::noop());
    for one in moves {
        match *one {
            Move::Time(part) => pass(&truth, LEASE * part / 100),
            Move::Turns(who, many) => (0..many).for_each(|_| {
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

/// The first change that was allowed to an older generation than one before it.
fn relapse(seen: &[(usize, u64)]) -> Option<usize> {
    seen.windows(2).position(|pair| pair[1].1 < pair[0].1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Clocks may differ by the margin.
    #[test]
    fn allowed_changes_never_go_back_to_an_older_generation(
        moves in moves(),
        skews in prop::array::uniform3(-100..=100_i32),
    ) {
        let seen = play(&moves, skews);
        prop_assert_eq!(relapse(&seen), None, "{:?}", seen);
        let owners: std::collections::BTreeSet<(u64, usize)> = seen.iter().map(|(who, g)| (*g, *who)).collect();
        let generations: std::collections::BTreeSet<u64> = seen.iter().map(|(_, g)| *g).collect();
        prop_assert_eq!(owners.len(), generations.len(), "a generation has one owner");
    }
}

#[tokio::test]
async fn who_is_suspended_after_looking_does_not_take_what_was_renewed_meanwhile() {
    let (memory, clock) = (Arc::new(MemoryStore::default()), clock());
    let (held, _) = acquire(&locks(&memory, &clock), &test_env(), "run1")
        .await
        .expect("free");
    let slow = locks(&Arc::new(Slow(Arc::clone(&memory))), &clock);
    let envs = test_env();
    let mut taker = Box::pin(acquire(&slow, &envs, "run2"));
    let mut context = Context::from_waker(Waker::noop());
    // Once to begin, once to have the list.
    assert!(
        taker.as_mut().poll(&mut context).is_pending()
            && taker.as_mut().poll(&mut context).is_pending()
    );
    pass(&clock, LEASE * 2 / 3);
    held.renew().await.expect("renewed");
    pass(&clock, LEASE / 2);
    let end = (0..50).find_map(|_| match taker.as_mut().poll(&mut context) {
        Poll::Ready(end) => Some(end),
        Poll::Pending => None,
    });
    assert!(
        end.expect("it ends").is_err(),
        "the expiry that was seen has passed, the lock's has not"
    );
    held.check().await.expect("still held");
}

#[test]
fn the_property_sees_takeovers() {
    // Each actor in turn takes over from the one before, which goes on afterwards and is not allowed any more.
    let moves: Vec<Move> = (0..12)
        .flat_map(|n| {
            [
                Move::Turns(n % 3, 25),
                Move::Time(130),
                Move::Turns((n + 1) % 3, 12),
            ]
        })
        .collect();
    let seen = play(&moves, [0; 3]);
    let most = seen.iter().map(|(_, g)| *g).max().unwrap_or(0);
    assert!(most >= 5, "{seen:?}");
    assert_eq!(relapse(&seen), None);
    assert_eq!(relapse(&[(0, 1), (1, 2), (0, 1)]), Some(1));
}
