//! Owns the proof that of all runs at most one at a time may change an environment, whoever is slow, dead or suspended.

mod faulty;
mod fencing;
mod unlocking;

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::{Held, Locks, Who};
use crate::adapters::fake::{FakeClock, FakeProcesses, MemoryStore, When};
use crate::engine::fence::Guard as _;
use crate::error::{Error, Kind};
use crate::model::{EnvName, ProcessIdentity, RunId};
use crate::ports::{Clock, Store};
use faulty::Flaky;

const LEASE: SignedDuration = SignedDuration::from_mins(10);

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock(Mutex::new(
        "2026-11-22T12:00:00Z".parse().expect("time"),
    )))
}

fn pass(clock: &FakeClock, time: SignedDuration) {
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

fn who(run: &str) -> Who {
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
    Who {
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

async fn acquire(locks: &Locks, envs: &[EnvName], run: &str) -> Result<(Held, Vec<String>), Error> {
    let said = Mutex::new(Vec::new());
    let held = locks
        .acquire(envs, &who(run), &|text| {
            said.lock().expect("no panic").push(text.to_owned())
        })
        .await?;
    Ok((held, said.into_inner().expect("no panic")))
}

/// An error that must be there.
async fn refused(locks: &Locks, run: &str) -> Error {
    match acquire(locks, &test_env(), run).await {
        Ok(_) => panic!("{run} got the lock"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_held_lock_is_refused_with_who_since_when_until_when_and_what_to_do() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let (held, said) = acquire(&locks, &test_env(), "run1").await.expect("free");
    assert!(said.is_empty(), "{said:?}");
    pass(&clock, SignedDuration::from_mins(9));
    let error = refused(&locks, "run2").await;
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
        .expect("given back");
}

#[tokio::test]
async fn a_sign_of_life_prolongs_and_a_dead_holder_is_taken_over_by_name() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let (dead, _) = acquire(&locks, &test_env(), "dead").await.expect("free");
    for _ in 0..4 {
        pass(&clock, SignedDuration::from_mins(4));
        dead.renew().await.expect("renewed");
        assert_eq!(refused(&locks, "run2").await.kind, Kind::Refused);
        dead.check().await.expect("still mine");
    }
    pass(&clock, SignedDuration::from_mins(9));
    assert_eq!(
        refused(&locks, "run2").await.kind,
        Kind::Refused,
        "the last sign of life counts"
    );
    pass(&clock, SignedDuration::from_mins(1));
    let (live, said) = acquire(&locks, &test_env(), "run2").await.expect("expired");
    assert!(
        said[0].contains("run dead of") && said[0].contains("runner-7"),
        "{said:?}"
    );
    live.check().await.expect("mine");
    let why = dead.check().await.expect_err("taken over");
    assert!(
        why.contains("taken over at") && why.contains("run run2"),
        "{why}"
    );
    assert_eq!(dead.lost(), Some(why), "once lost, always lost");
    dead.renew().await.expect("no sign of life any more");
    live.check().await.expect("still mine");
    dead.release(&|_| ()).await;
    live.check()
        .await
        .expect("what the dead one gives back is its own");
}

#[tokio::test]
async fn a_suspended_holder_stops_even_when_nobody_took_over() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let (held, _) = acquire(&locks(&store, &clock), &test_env(), "run1")
        .await
        .expect("free");
    pass(&clock, SignedDuration::from_hours(1));
    assert!(held.renew().await.is_ok());
    let why = held.check().await.expect_err("expired");
    assert!(why.contains("ran out"), "{why}");
    assert_eq!(refused_or_taken(&locks(&store, &clock)).await, "taken");
}

async fn refused_or_taken(locks: &Locks) -> &'static str {
    if acquire(locks, &test_env(), "next").await.is_ok() {
        "taken"
    } else {
        "refused"
    }
}

#[tokio::test]
async fn an_end_from_outside_stops_the_holder() {
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
            .contains("released from outside")
    );
    assert_eq!(refused_or_taken(&locks).await, "taken");
}

#[tokio::test]
async fn several_are_all_taken_or_none() {
    let (store, clock) = (Arc::new(MemoryStore::default()), clock());
    let locks = locks(&store, &clock);
    let ladder: Vec<EnvName> = ["Test", "Stage", "Prod"].map(EnvName::from).into();
    let (prod, _) = acquire(&locks, &ladder[2..], "high").await.expect("free");
    let error = acquire(&locks, &ladder, "all")
        .await
        .err()
        .expect("Prod is held");
    assert!(
        error.one_line().contains("lock of Prod"),
        "{}",
        error.one_line()
    );
    let (low, _) = acquire(&locks, &ladder[..2], "low")
        .await
        .expect("given back");
    prod.release(&|_| ()).await;
    low.release(&|_| ()).await;
    let (all, _) = acquire(&locks, &ladder, "all").await.expect("free again");
    assert_eq!(all.envs(), ladder);
    // One of them lost is all lost.
    store
        .put("acme/locks/Stage/000003-end.json", b"")
        .await
        .expect("by hand");
    assert!(
        all.check()
            .await
            .expect_err("lost")
            .contains("lock of Stage")
    );
}

#[tokio::test]
async fn old_generations_are_cleaned_up_and_a_store_away_is_no_loss_while_the_lease_lasts() {
    let (store, clock) = (Arc::new(Flaky::over(MemoryStore::default())), clock());
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
    store.fail_from(0, When::Before);
    held.check().await.expect("nobody can have taken it");
    held.renew().await.expect_err("away");
    held.check().await.expect("still the old lease");
    pass(&clock, SignedDuration::from_mins(8));
    held.check().await.expect_err("the lease is over");
    let said = Mutex::new(Vec::new());
    held.release(&|text| said.lock().expect("no panic").push(text.to_owned()))
        .await;
    assert!(said.into_inner().expect("no panic")[0].contains("expires by itself"));
}

#[tokio::test]
async fn a_crash_or_an_error_at_any_call_leaves_a_lock_that_expires() {
    for when in [When::Before, When::After] {
        let mut reached = 0;
        for nth in 0..40 {
            let (store, clock) = (Arc::new(Flaky::over(MemoryStore::default())), clock());
            let locks = locks(&store, &clock);
            // From this call on the store is gone for this run, which is what a crash there looks like from outside.
            store.fail_from(nth, when);
            if let Ok((held, _)) = acquire(&locks, &test_env(), "dies").await {
                let _renewed = held.renew().await;
                held.release(&|_| ()).await;
                reached += 1;
            }
            store.heal();
            pass(&clock, LEASE + LEASE);
            let (held, _) = acquire(&locks, &test_env(), "next")
                .await
                .expect("at the latest after the lease");
            held.check().await.expect("its own");
        }
        assert!(reached > 20, "later calls than the run makes: {reached}");
    }
}

#[tokio::test]
async fn one_lost_answer_makes_neither_two_holders_nor_none() {
    // A sign of life is a create and a list.
    for nth in 0..2 {
        let (store, clock) = (Arc::new(Flaky::over(MemoryStore::default())), clock());
        let locks = locks(&store, &clock);
        let (held, _) = acquire(&locks, &test_env(), "run1").await.expect("free");
        store.fail(nth, When::After);
        pass(&clock, SignedDuration::from_mins(3));
        assert!(held.renew().await.is_err(), "{nth}");
        held.renew().await.expect("the second try");
        pass(&clock, SignedDuration::from_mins(8));
        assert_eq!(refused(&locks, "run2").await.kind, Kind::Refused, "{nth}");
        held.check().await.expect_err("within the margin");
    }
}
