//! Owns taking the locks that a command needs before the inventory is gathered, and giving them back on every way out.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::context::{self, Loaded};
use super::gather;
use crate::adapters::processes::SystemProcesses;
use crate::adapters::system::{SystemClock, host, interrupt, new_run_id, variable};
use crate::catalog::Settings;
use crate::engine::lock::{HeldLocks, LockOwner, Locks};
use crate::error::{Error, Kind, Result};
use crate::model::{EnvName, RunId};
use crate::ports::{Clock as _, Processes as _, Store};
use crate::ui;

/// Whose locks a command needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rungs<'e> {
    /// The lowest environment's: a release.
    Lowest,
    /// Every environment's up to this one: a promotion, a rollback.
    To(&'e EnvName),
    /// All: what may touch any version.
    All,
    /// None: what a live run must not keep out.
    None,
}

impl Rungs<'_> {
    fn of(self, settings: &Settings) -> Vec<EnvName> {
        let most = match self {
            Self::Lowest => 1,
            Self::To(env) => settings
                .rung(env)
                .map_or(settings.environments.len(), |rung| rung + 1),
            Self::All => settings.environments.len(),
            Self::None => 0,
        };
        settings
            .environments
            .iter()
            .take(most)
            .map(|e| e.name.clone())
            .collect()
    }
}

/// What a command holds from before it looks until its end; dropping it gives the locks back.
pub(super) struct Lock {
    /// The store that the locks are in.
    pub(super) store: Arc<dyn Store>,
    /// The locks; none where none are needed.
    pub(super) held: Option<Arc<HeldLocks>>,
    /// The user's wish to stop: from here on it is asked for in order, so that the locks are given back.
    pub(super) interrupt: CancellationToken,
    stop: CancellationToken,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(held) = &self.held {
            let release = held.release(&|text| ui::say(text));
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(release));
        }
    }
}

/// Takes the locks, once for a command: the decision is made under them. The run's id is in them.
///
/// # Errors
/// Refused when somebody holds one; a store or a cloud that can't be reached; a store that can't be written.
pub(super) async fn take(loaded: &Loaded, rungs: Rungs<'_>) -> Result<RunId> {
    let settings = &loaded.catalog.settings;
    let envs = rungs.of(settings);
    let store = context::store(settings).await?;
    let run = new_run_id(SystemClock.now());
    let (interrupt, stop) = (interrupt(), CancellationToken::new());
    let mut lock = Lock {
        store: Arc::clone(&store),
        held: None,
        interrupt,
        stop,
    };
    if !envs.is_empty() {
        let home = settings.home();
        let identity = context::cloud(home)
            .await?
            .identity(home)
            .await
            .map_err(gather::unreachable)?;
        let who = LockOwner {
            run: run.clone(),
            caller: identity.arn,
            host: host(),
            pid: std::process::id(),
            process: SystemProcesses.own(),
            job: variable("CI_JOB_URL"),
        };
        let locks = locks(settings, store);
        let held = Arc::new(
            locks
                .acquire(&envs, &who, &|text| ui::say(&format!("note: {text}")))
                .await?,
        );
        let (kept, stop) = (Arc::clone(&held), lock.stop.clone());
        tokio::spawn(async move { kept.keep_alive(&stop).await });
        lock.held = Some(held);
    }
    let _first = loaded.lock.set(lock);
    Ok(run)
}

/// Returns the locks of a catalog's environments.
pub(super) fn locks(settings: &Settings, store: Arc<dyn Store>) -> Locks {
    let (clock, processes) = (Arc::new(SystemClock), Arc::new(SystemProcesses));
    Locks {
        store,
        clock,
        processes,
        catalog: settings.name.clone(),
        lease: settings.lease,
    }
}

/// Takes the locks if the command will act (`--apply`); what only looks needs none.
///
/// # Errors
/// As [`take`].
pub(super) async fn take_if(acts: bool, loaded: &Loaded, rungs: Rungs<'_>) -> Result<RunId> {
    if acts {
        take(loaded, rungs).await
    } else {
        Ok(new_run_id(SystemClock.now()))
    }
}

/// The lock that the command took; one that took none gets these rungs.
///
/// # Errors
/// As [`take`].
pub(super) async fn of<'l>(loaded: &'l Loaded, otherwise: Rungs<'_>) -> Result<&'l Lock> {
    if loaded.lock.get().is_none() {
        take(loaded, otherwise).await?;
    }
    loaded.lock.get().ok_or_else(|| {
        Error::new(
            Kind::StepFailed,
            "a defect: a lock was taken and is not there",
        )
    })
}
