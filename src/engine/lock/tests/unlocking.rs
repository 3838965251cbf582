//! Tests locks whose holder is dead, whose store was emptied, or that `bakeline unlock` releases.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{acquire, acquire_error, advance, clock, locks, locks_with, test_env};
use crate::adapters::fake::{FakeProcesses, MemoryStore};
use crate::engine::lock::guard::Guard as _;
use crate::engine::lock::{LockState, UnlockResult};
use crate::error::Kind;
use crate::ports::Store as _;

#[tokio::test]
async fn lock_of_an_ended_process_is_taken_over_immediately() {
    let (store, clock, processes) = (
        Arc::new(MemoryStore::default()),
        clock(),
        Arc::new(FakeProcesses::default()),
    );
    let locks = locks_with(&store, &clock, &processes);
    let (dead, _) = acquire(&locks, &test_env(), "dead").await.expect("free");
    assert_eq!(acquire_error(&locks, "run2").await.kind, Kind::Refused);
    assert_eq!(locks.holders(&test_env()).await.expect("read").len(), 1);
    processes.0.lock().expect("no panic").insert(4711);
    assert_eq!(
        locks.holders(&test_env()).await.expect("read"),
        [],
        "a sweep removes the resources of the dead run"
    );
    let (live, messages) = acquire(&locks, &test_env(), "run2")
        .await
        .expect("the holder has ended");
    assert!(
        messages[0].contains("run dead of") && messages[0].contains("whose process has ended"),
        "{messages:?}"
    );
    assert!(dead.check().await.is_err());
    live.check().await.expect("held");
}

#[tokio::test]
async fn emptied_store_gives_the_lock_to_one_run_only() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let (first, _) = acquire(&locks, &test_env(), "first").await.expect("free");
    for key in store.list("acme/locks").await.expect("listed") {
        store.delete(&key).await.expect("deleted");
    }
    let (second, _) = acquire(&locks, &test_env(), "second")
        .await
        .expect("the store is empty");
    assert_eq!(
        first.generations(),
        second.generations(),
        "both hold the same generation"
    );
    let before = store.list("acme/locks").await.expect("listed");
    let why = first.check().await.expect_err("the other run holds it");
    assert!(why.to_string().contains("run second"), "{why}");
    first.renew().await.expect("nothing to write");
    first.release(&|_| ()).await;
    assert_eq!(
        store.list("acme/locks").await.expect("listed"),
        before,
        "the first run wrote nothing"
    );
    second.check().await.expect("held");
    advance(&clock, SignedDuration::from_mins(4));
    second.renew().await.expect("renewed");
    second.check().await.expect("held");
}

#[tokio::test]
async fn emptied_store_stops_the_run() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    for step in ["check", "renew"] {
        let (held, _) = acquire(&locks, &test_env(), step).await.expect("free");
        for key in store.list("acme/locks").await.expect("listed") {
            store.delete(&key).await.expect("deleted");
        }
        if step == "renew" {
            held.renew().await.expect("read");
        }
        let why = held.check().await.expect_err("nothing is held");
        assert!(why.to_string().contains("removed from the store"), "{why}");
    }
}

#[tokio::test]
async fn unlock_requires_force_unless_holder_is_dead() {
    let (store, clock, processes) = (
        Arc::new(MemoryStore::default()),
        clock(),
        Arc::new(FakeProcesses::default()),
    );
    let locks = locks_with(&store, &clock, &processes);
    let env = &test_env()[0];
    let unlock = async |force: bool| {
        let state = locks.state(env).await.expect("read");
        let released = locks.unlock(env, &state, force).await.expect("written");
        (state, released)
    };
    assert_eq!(
        unlock(false).await,
        (LockState::Free, UnlockResult::Nothing)
    );

    let (held, _) = acquire(&locks, &test_env(), "run1").await.expect("free");
    let (state, released) = unlock(false).await;
    assert!(matches!(state, LockState::Held(holder) if holder.run.as_str() == "run1"));
    assert_eq!(released, UnlockResult::No);
    held.check().await.expect("still held");
    assert_eq!(unlock(true).await.1, UnlockResult::Yes);
    let why = held.check().await.expect_err("released");
    assert!(why.to_string().contains("bakeline unlock"), "{why}");
    assert_eq!(
        unlock(false).await,
        (LockState::Free, UnlockResult::Nothing)
    );

    let (_dead, _) = acquire(&locks, &test_env(), "run2").await.expect("free");
    processes.0.lock().expect("no panic").insert(4711);
    let (state, released) = unlock(false).await;
    assert!(matches!(state, LockState::Dead(_)) && released == UnlockResult::Yes);
    processes.0.lock().expect("no panic").clear();

    let (_silent, _) = acquire(&locks, &test_env(), "run3").await.expect("free");
    advance(&clock, SignedDuration::from_mins(11));
    let (state, released) = unlock(false).await;
    assert!(matches!(state, LockState::Expired(_)) && released == UnlockResult::Yes);
}
