//! Takes the locks of a command before it loads the inventory, and releases them when it ends.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::command_locks::CommandLocks;
use super::context::{self, LoadedCatalog};
use crate::adapters::processes::SystemProcesses;
use crate::adapters::system::{SystemClock, cancel_on_signal, host_name, new_run_id, variable};
use crate::catalog::Settings;
use crate::engine::lock::{LockOwner, Locks};
use crate::error::Result;
use crate::model::{EnvName, RunId};
use crate::ports::{Clock as _, Processes as _, Store};
use crate::ui;

/// Environments whose locks a command needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LockScope<'e> {
    /// The first environment.
    Lowest,
    /// All environments up to this one.
    UpTo(&'e EnvName),
    /// All environments.
    All,
    /// No environment.
    None,
}

impl LockScope<'_> {
    fn environments(self, settings: &Settings) -> Vec<EnvName> {
        let most = match self {
            Self::Lowest => 1,
            Self::UpTo(env) => settings
                .environment_level(env)
                .map_or(settings.environments.len(), |rung| rung + 1),
            Self::All => settings.environments.len(),
            Self::None => 0,
        };
        let mut names = settings.environment_names();
        names.truncate(most);
        names
    }
}

/// Takes the locks of a command and returns its run ID. A command calls this once, before it loads
/// the inventory.
///
/// # Errors
/// Another run holds a lock, the store or AWS cannot be reached, or the store is not writable.
pub(crate) async fn take_locks(loaded: &LoadedCatalog, scope: LockScope<'_>) -> Result<RunId> {
    Ok(command_locks(loaded, scope).await?.run.clone())
}

async fn acquire_locks(loaded: &LoadedCatalog, scope: LockScope<'_>) -> Result<CommandLocks> {
    let envs = scope.environments(&loaded.catalog.settings);
    acquire_as(new_run_id(SystemClock.now()), loaded, envs).await
}

/// Acquires the locks of these environments for a run.
async fn acquire_as(
    run: RunId,
    loaded: &LoadedCatalog,
    envs: Vec<EnvName>,
) -> Result<CommandLocks> {
    let settings = &loaded.catalog.settings;
    let store = context::open_store(settings).await?;
    let (interrupt, stop) = (cancel_on_signal(), CancellationToken::new());
    let mut lock = CommandLocks {
        run: run.clone(),
        environments: envs.clone(),
        store: Arc::clone(&store),
        held: None,
        interrupt,
        stop,
    };
    if !envs.is_empty() {
        let cloud = context::connect_cloud(settings.home()).await?;
        let identity = context::home_identity(&*cloud, settings).await?;
        let owner = LockOwner {
            run,
            caller: identity.arn,
            host: host_name(),
            pid: std::process::id(),
            process: SystemProcesses.current_process(),
            job: variable("CI_JOB_URL"),
        };
        let locks = environment_locks(settings, store);
        let held = Arc::new(
            locks
                .acquire(&envs, &owner, &|text| ui::say(&format!("note: {text}")))
                .await?,
        );
        let (kept, stop) = (Arc::clone(&held), lock.stop.clone());
        tokio::spawn(async move { kept.keep_alive(&stop).await });
        lock.held = Some(held);
    }
    Ok(lock)
}

/// Takes the locks of a run that continues.
///
/// # Errors
/// As [`take_locks`].
pub(crate) async fn retake_locks(
    loaded: &LoadedCatalog,
    run: &RunId,
    envs: &[EnvName],
) -> Result<()> {
    let acquire = || acquire_as(run.clone(), loaded, envs.to_vec());
    loaded.lock.get_or_try_init(acquire).await.map(drop)
}

/// Returns access to the locks of all environments.
pub(crate) fn environment_locks(settings: &Settings, store: Arc<dyn Store>) -> Locks {
    let (clock, processes) = (Arc::new(SystemClock), Arc::new(SystemProcesses));
    Locks {
        store,
        clock,
        processes,
        catalog: settings.name.clone(),
        lease: settings.lease,
    }
}

/// Takes the locks if the command changes anything (`--apply`), and returns a new run ID.
///
/// # Errors
/// As [`take_locks`].
pub(crate) async fn take_locks_if(
    acts: bool,
    loaded: &LoadedCatalog,
    scope: LockScope<'_>,
) -> Result<RunId> {
    if acts {
        take_locks(loaded, scope).await
    } else {
        Ok(new_run_id(SystemClock.now()))
    }
}

/// Returns the locks of the command. Takes those of `otherwise` if it has none yet.
///
/// # Errors
/// As [`take_locks`].
pub(crate) async fn command_locks<'l>(
    loaded: &'l LoadedCatalog,
    otherwise: LockScope<'_>,
) -> Result<&'l CommandLocks> {
    loaded
        .lock
        .get_or_try_init(|| acquire_locks(loaded, otherwise))
        .await
}
