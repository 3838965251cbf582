//! Tests that at most one run may change an environment, even if runs are slow, dead or suspended.

mod faulty;
mod fencing;
mod unlocking;

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::{HeldLocks, LockOwner, Locks};
use crate::adapters::fake::{FakeClock, FakeProcesses, FaultTiming, MemoryStore};
use crate::engine::lock::guard::Guard as _;
use crate::error::{Error, Kind};
use crate::model::{EnvName, ProcessIdentity, RunId};
use crate::ports::{Clock, Store};
use faulty::FlakyStore;

const LEASE: SignedDuration = SignedDuration::from_mins(10);

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock(Mutex::new(
        "2026-11-22T12:00:00Z".parse().expect("time"),
    )))
}

fn advance(clock: &FakeClock, time: SignedDuration) {
    *clock.0.lock().expect("no panic") += time;
}

fn locks(store: &Arc<impl Store + 'static>, clock: &Arc<impl Clock + 'static>) -> Locks {
    let processes = Arc::new(FakeProcesses::default());
    locks_with(store, clock, &processes)
}

fn locks_with(
    store: &Arc<impl Store + 'static>,
    clock: &Arc<impl Clock + 'static>,
    processes: &Arc<FakeProcesses>,
) -> Locks {
    let (store, clock, processes) = (
        Arc::clone(store) as _,
        Arc::clone(clock) as _,
        Arc::clone(processes) as _,
    );
    Locks {
        store,
        clock,
        processes,
        catalog: "acme".into(),
        lease: LEASE,
    }
}

fn owner(run: &str) -> LockOwner {
    let (caller, host) = (
        "arn:aws:iam::123456789012:role/ci".to_owned(),
        "runner-7".to_owned(),
    );
    let (boot, namespace) = ("b".to_owned(), "n".to_owned());
    let process = Some(ProcessIdentity {
        boot,
        namespace,
        pid: 4711,
        started: 1,
    });
    LockOwner {
        run: RunId::from(run),
        caller,
        host,
        pid: 4711,
        process,
        job: Some("https://ci/jobs/1".to_owned()),
    }
}

fn test_env() -> Vec<EnvName> {
    vec![EnvName::from("Test")]
}

async fn acquire(
    locks: &Locks,
    envs: &[EnvName],
    run: &str,
) -> Result<(HeldLocks, Vec<String>), Error> {
    let messages = Mutex::new(Vec::new());
    let held = locks
        .acquire(envs, &owner(run), &|text| {
            messages.lock().expect("no panic").push(text.to_owned())
        })
        .await?;
    Ok((held, messages.into_inner().expect("no panic")))
}

/// Returns the error of a refused acquisition.
async fn acquire_error(locks: &Locks, run: &str) -> Error {
    match acquire(locks, &test_env(), run).await {
        Ok(_) => panic!("{run} got the lock"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn held_lock_is_refused_with_holder_and_hint() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let (held, messages) = acquire(&locks, &test_env(), "run1").await.expect("free");
    assert!(messages.is_empty(), "{messages:?}");
    advance(&clock, SignedDuration::from_mins(9));
    let error = acquire_error(&locks, "run2").await;
    assert_eq!(error.kind, Kind::Refused);
    let text = error.one_line();
    for part in [
        "Test",
        "acme",
        "run1",
        "role/ci",
        "runner-7",
        "4711",
        "12:00:00Z until 2026-11-22T12:10:00Z",
        "jobs/1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        error
            .hints()
            .join(" ")
            .contains("bakeline unlock --env Test --force"),
        "{:?}",
        error.hints()
    );
    held.check()
        .await
        .expect_err("a minute before the end is within the margin");
    held.release(&|_| ()).await;
    acquire(&locks, &test_env(), "run2")
        .await
        .expect("released");
}

#[tokio::test]
async fn renewal_extends_lock_and_expired_lock_is_taken_over() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let (dead, _) = acquire(&locks, &test_env(), "dead").await.expect("free");
    for _ in 0..4 {
        advance(&clock, SignedDuration::from_mins(4));
        dead.renew().await.expect("renewed");
        assert_eq!(acquire_error(&locks, "run2").await.kind, Kind::Refused);
        dead.check().await.expect("still held");
    }
    advance(&clock, SignedDuration::from_mins(9));
    assert_eq!(
        acquire_error(&locks, "run2").await.kind,
        Kind::Refused,
        "the last renewal counts"
    );
    advance(&clock, SignedDuration::from_mins(1));
    let (live, messages) = acquire(&locks, &test_env(), "run2").await.expect("expired");
    assert!(
        messages[0].contains("run dead of") && messages[0].contains("runner-7"),
        "{messages:?}"
    );
    live.check().await.expect("held");
    let why = dead.check().await.expect_err("taken over");
    assert!(
        why.to_string().contains("taken over at") && why.to_string().contains("run run2"),
        "{why}"
    );
    assert_eq!(dead.lock_loss(), Some(why), "a lost lock stays lost");
    dead.renew().await.expect("nothing is written");
    live.check().await.expect("still held");
    dead.release(&|_| ()).await;
    live.check()
        .await
        .expect("the dead run releases only its own generation");
}

#[tokio::test]
async fn suspended_holder_loses_expired_lock() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let (held, _) = acquire(&locks(&store, &clock), &test_env(), "run1")
        .await
        .expect("free");
    advance(&clock, SignedDuration::from_hours(1));
    assert!(held.renew().await.is_ok());
    let why = held.check().await.expect_err("expired");
    assert!(why.to_string().contains("the lock expired"), "{why}");
    assert_eq!(acquire_result(&locks(&store, &clock)).await, "taken");
}

async fn acquire_result(locks: &Locks) -> &'static str {
    if acquire(locks, &test_env(), "next").await.is_ok() {
        "taken"
    } else {
        "refused"
    }
}

#[tokio::test]
async fn released_lock_stops_the_holder() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let (held, _) = acquire(&locks, &test_env(), "run1").await.expect("free");
    store
        .put("acme/locks/Test/000001-end.json", b"")
        .await
        .expect("by hand");
    assert!(
        held.check()
            .await
            .expect_err("ended")
            .to_string()
            .contains("released by another process")
    );
    assert_eq!(acquire_result(&locks).await, "taken");
}

#[tokio::test]
async fn acquire_takes_all_locks_or_none() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let environments: Vec<EnvName> = ["Test", "Stage", "Prod"].map(EnvName::from).into();
    let (prod, _) = acquire(&locks, &environments[2..], "high")
        .await
        .expect("free");
    let error = acquire(&locks, &environments, "all")
        .await
        .err()
        .expect("Prod is held");
    assert!(
        error.one_line().contains("lock of Prod"),
        "{}",
        error.one_line()
    );
    let (low, _) = acquire(&locks, &environments[..2], "low")
        .await
        .expect("released");
    prod.release(&|_| ()).await;
    low.release(&|_| ()).await;
    let (all, _) = acquire(&locks, &environments, "all")
        .await
        .expect("free again");
    assert_eq!(all.envs(), environments);
    // Losing one lock loses all of them.
    store
        .put("acme/locks/Stage/000003-end.json", b"")
        .await
        .expect("by hand");
    assert!(
        all.check()
            .await
            .expect_err("lost")
            .to_string()
            .contains("lock of Stage")
    );
}

#[tokio::test]
async fn lease_survives_store_outage_and_old_generations_are_deleted() {
    let (store, clock) = (Arc::new(FlakyStore::new(MemoryStore::default())), clock());
    let locks = locks(&store, &clock);
    for round in 0..12 {
        let (held, _) = acquire(&locks, &test_env(), &format!("run{round}"))
            .await
            .expect("free");
        held.renew().await.expect("renewed");
        held.release(&|_| ()).await;
    }
    let keys = store.inner.list("acme/locks/Test").await.expect("list");
    assert_eq!(
        keys.first().map(String::as_str),
        Some("acme/locks/Test/000007-000001.json"),
        "{keys:?}"
    );
    assert_eq!(
        keys.last().map(String::as_str),
        Some("acme/locks/Test/000012.json"),
        "{keys:?}"
    );
    let (held, _) = acquire(&locks, &test_env(), "last").await.expect("free");
    store.fail_from(0, FaultTiming::Before);
    held.check()
        .await
        .expect("no run can take over during the lease");
    held.renew().await.expect_err("the store is unreachable");
    held.check().await.expect("still the old lease");
    advance(&clock, SignedDuration::from_mins(8));
    held.check().await.expect_err("the lease is over");
    let messages = Mutex::new(Vec::new());
    held.release(&|text| messages.lock().expect("no panic").push(text.to_owned()))
        .await;
    assert!(messages.into_inner().expect("no panic")[0].contains("will expire"));
}

#[tokio::test]
async fn failure_at_any_call_leaves_expiring_lock() {
    for when in [FaultTiming::Before, FaultTiming::After] {
        let mut reached = 0;
        for nth in 0..40 {
            let (store, clock) = (Arc::new(FlakyStore::new(MemoryStore::default())), clock());
            let locks = locks(&store, &clock);
            // From this call on the store is unreachable, which looks like a crash to other runs.
            store.fail_from(nth, when);
            if let Ok((held, _)) = acquire(&locks, &test_env(), "dies").await {
                let _renewed = held.renew().await;
                held.release(&|_| ()).await;
                reached += 1;
            }
            store.clear_faults();
            advance(&clock, LEASE + LEASE);
            let (held, _) = acquire(&locks, &test_env(), "next")
                .await
                .expect("at the latest after the lease");
            held.check().await.expect("held");
        }
        assert!(
            reached > 20,
            "only {reached} runs completed before the fault"
        );
    }
}

#[tokio::test]
async fn lost_response_leaves_exactly_one_holder() {
    // A renewal makes two calls: create and list.
    for nth in 0..2 {
        let (store, clock) = (Arc::new(FlakyStore::new(MemoryStore::default())), clock());
        let locks = locks(&store, &clock);
        let (held, _) = acquire(&locks, &test_env(), "run1").await.expect("free");
        store.fail(nth, FaultTiming::After);
        advance(&clock, SignedDuration::from_mins(3));
        assert!(held.renew().await.is_err(), "{nth}");
        held.renew().await.expect("the second attempt");
        advance(&clock, SignedDuration::from_mins(8));
        assert_eq!(
            acquire_error(&locks, "run2").await.kind,
            Kind::Refused,
            "{nth}"
        );
        held.check().await.expect_err("within the margin");
    }
}
