//! Executes a plan: sets up the run directory, the journal, the steps and the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::access::AccessMode;
use super::context::{self, Clouds, LoadedCatalog};
use super::lock::{self, LockScope};
use super::prerequisites::{CheckedRun, report_checks};
use super::run_files::{self, EarlierAttempt};
use crate::adapters::packer::Packer;
use crate::adapters::ssh::OpenSsh;
use crate::adapters::system::{RunDirectory, SystemClock, current_program};
use crate::catalog::OnFailure;
use crate::engine::event::{Event, EventSink};
use crate::engine::lock::fence::{FencedBuilder, FencedCloud};
use crate::engine::lock::guard::{FencedEffects, Guard};
use crate::engine::mirror::JournalMirror;
use crate::engine::outcome::Outcome;
use crate::engine::recovery::StepState;
use crate::engine::{Effects, Engine, Goal, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Inventory, Region, Timestamp};
use crate::plan::{self, Plan, Scope, Step};
use crate::ports::{Clock as _, ImageBuilder, Store};
use crate::steps::preflight::planned_builds;
use crate::steps::references::ParameterReferences;
use crate::steps::{Creations, LaunchGrants, LocationCopies, Shares, Steps};
use crate::ui::progress::Progress;

/// Result of a run and the location of its files.
pub(crate) struct RunResult {
    pub(crate) outcome: Outcome,
    pub(crate) directory: Arc<RunDirectory>,
    /// Duration of the steps of each scope in seconds.
    pub(crate) seconds: BTreeMap<Scope, u64>,
    /// Store that contains the evidence of the run.
    pub(crate) store: Arc<dyn Store>,
}

/// Default number of locations that a run works on in parallel. EC2 itself limits the copies: 20 at a
/// time for each destination (Amazon EBS User Guide, "Quotas").
pub(crate) const LOCATION_JOBS: usize = 256;

/// Returns the time for which failed undos are repeated. Throttling and outages of AWS usually end within
/// minutes. The local EC2 has none that it does not simulate.
fn undo_patience() -> Duration {
    Duration::from_secs(if context::ec2_endpoint().is_some() {
        10
    } else {
        300
    })
}

/// Options for the execution of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunOptions {
    /// Name of the command.
    pub(crate) command: &'static str,
    /// Maximum number of parallel scopes, except those of further locations.
    pub(crate) jobs: usize,
    /// Maximum number of parallel scopes of further locations.
    pub(crate) location_jobs: usize,
    /// Effect of a failed scope on the others.
    pub(crate) on_failure: OnFailure,
    /// Keep the resources of failed scopes for inspection.
    pub(crate) keep_failed: bool,
    /// Omit the plan and journal from the store. For runs without a lock that create only temporary
    /// resources: a sweep then removes these resources only after they have expired.
    pub(crate) throwaway: bool,
}

impl RunOptions {
    /// Returns options for independent scopes: a failed scope does not stop the others.
    pub(crate) const fn independent(command: &'static str) -> Self {
        Self {
            command,
            jobs: 16,
            location_jobs: LOCATION_JOBS,
            on_failure: OnFailure::Continue,
            keep_failed: false,
            throwaway: false,
        }
    }
}

/// Executes a plan with the locks of the command as a fence. If the command has no locks, it takes
/// those of all environments.
pub(crate) async fn execute_plan(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    options: RunOptions,
) -> Result<RunResult> {
    execute_after(None, loaded, inventory, plan, options).await
}

/// Executes a plan as [`execute_plan`] does, after an earlier attempt.
pub(crate) async fn execute_after(
    earlier: Option<EarlierAttempt>,
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    options: RunOptions,
) -> Result<RunResult> {
    let access = AccessMode::Change(&plan.run);
    let clouds = context::connect_clouds(&loaded.catalog.settings, access).await?;
    let remaining = remaining_plan(plan, earlier.as_ref());
    check_prerequisites(loaded, inventory, &remaining, (&clouds, access)).await?;
    let saved = serde_json::to_vec_pretty(plan).unwrap_or_default();
    let (directory, journal) =
        run_files::open_run_directory(loaded, plan, &saved, earlier.as_ref())?;
    let lock = lock::command_locks(loaded, LockScope::All).await?;
    let (store, guard) = (
        Arc::clone(&lock.store),
        lock.held.clone().map(|held| held as Arc<dyn Guard>),
    );
    let mirror = if options.throwaway {
        None
    } else {
        if earlier.is_none() {
            let description = run_files::describe_run(loaded, plan, options, lock);
            let files = (&saved[..], &description);
            run_files::store_run(&*store, &loaded.catalog, plan, files).await?;
        }
        let mirror = JournalMirror::start(
            Arc::clone(&journal),
            Arc::clone(&store),
            loaded.catalog.settings.name.clone(),
            plan.run.clone(),
            earlier.as_ref().map(|e| e.text.clone()).unwrap_or_default(),
        );
        Some(Arc::new(mirror))
    };
    let ports = (Arc::clone(&directory), Arc::clone(&store), clouds);
    let mut steps = assemble_steps(loaded, inventory, plan, options, ports, guard.as_ref()).await?;
    if earlier.is_some() {
        steps.attempt = SystemClock.now().as_millisecond();
    }
    let EarlierAttempt {
        lines, recovery, ..
    } = earlier.unwrap_or_default();
    let timer = Arc::new(super::timer::ScopeTimer::default());
    let engine = Engine {
        effects: match guard {
            Some(guard) => Arc::new(FencedEffects {
                inner: steps,
                guard,
            }),
            None => Arc::new(steps) as Arc<dyn Effects>,
        },
        journal: mirror.clone().map_or(journal, |mirror| mirror as _),
        clock: Arc::new(SystemClock),
        events: Arc::new(FanOut(
            Progress::new(plan::waves::expected_minutes(plan, inventory), present_time),
            EventLog,
            Arc::clone(&timer),
        )),
    };
    let limits = engine_options(options, lock.interrupt.clone());
    let outcome = engine.run_after(&lines, recovery, plan, &limits).await;
    if let Some(mirror) = mirror {
        if let Some(missing) = mirror.finish(&SystemClock).await {
            crate::ui::say(&format!("warning: {missing}"));
        }
        run_files::delete_kept_files(&*store, &loaded.catalog, &plan.run).await;
    }
    Ok(RunResult {
        outcome,
        directory,
        seconds: timer.seconds(),
        store,
    })
}

/// Returns the plan with only those steps that an earlier attempt has not finished: none if the run undoes
/// them.
fn remaining_plan(plan: &Plan, earlier: Option<&EarlierAttempt>) -> Plan {
    let mut remaining = plan.clone();
    if let Some(EarlierAttempt { recovery, .. }) = earlier {
        let is_done = |step: &Step| {
            let progress = recovery.progress.of(&step.scope);
            matches!(progress.state(&step.id), Some(StepState::Done(_)))
        };
        let continues = recovery.goal == Goal::Continue;
        remaining.steps.retain(|step| continues && !is_done(step));
    }
    remaining
}

/// Checks everything that a plan needs, before anything is changed.
async fn check_prerequisites(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    (clouds, access): (&Clouds, AccessMode<'_>),
) -> Result<()> {
    let catalog = &*loaded.catalog;
    let checked = CheckedRun {
        catalog,
        inventory,
        plan,
        builds: planned_builds(catalog, inventory, plan),
        // Only a release builds for environments, and it reaches the lowest.
        environments: catalog.settings.environments.get(..1).unwrap_or_default(),
    };
    report_checks(Box::pin(checked.check(clouds, access)).await)
}

fn engine_options(options: RunOptions, interrupt: CancellationToken) -> Options {
    Options {
        jobs: options.jobs,
        location_jobs: options.location_jobs,
        on_failure: options.on_failure,
        keep_failed: options.keep_failed,
        undo_patience: undo_patience(),
        interrupt,
    }
}

/// Creates the steps of a plan with their adapters. With a guard, all changes go through the fence.
async fn assemble_steps(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    options: RunOptions,
    (directory, store, clouds): (Arc<RunDirectory>, Arc<dyn Store>, Clouds),
    guard: Option<&Arc<dyn Guard>>,
) -> Result<Steps> {
    let program = current_program();
    Ok(Steps {
        catalog: Arc::clone(&loaded.catalog),
        run: plan.run.clone(),
        attempt: 0,
        expires: inventory.captured_at
            + if options.throwaway {
                plan::inspect::EXPIRES
            } else {
                plan::release::EXPIRES
            },
        account: inventory.account.clone(),
        cloud: FencedCloud::new(clouds.home, guard.cloned()),
        others: clouds
            .others
            .into_iter()
            .map(|(account, cloud)| (account, FencedCloud::new(cloud, guard.cloned())))
            .collect(),
        builder: fence_builder(loaded.catalog.settings.home(), guard).await?,
        shell: Arc::new(OpenSsh),
        workspace: directory,
        store,
        clock: Arc::new(SystemClock),
        endpoint: context::ec2_endpoint(),
        program: program.map_err(|e| {
            Error::new(
                ErrorKind::StepFailed,
                "cannot find the path of the bakeline program",
            )
            .because(e)
        })?,
        keep_failed: options.keep_failed,
        commit: inventory.commit.as_ref().map(|c| c.id.clone()),
        shares: Shares::default(),
        copies: LocationCopies::default(),
        launches: LaunchGrants::default(),
        creations: Creations::default(),
        parameter_references: ParameterReferences::default(),
    })
}

/// Returns Packer, wrapped in the fence if there is a guard.
async fn fence_builder(
    home: &Region,
    guard: Option<&Arc<dyn Guard>>,
) -> Result<Arc<dyn ImageBuilder>> {
    let source = context::credential_source(home).await?;
    let inner: Arc<dyn ImageBuilder> = Arc::new(Packer::new(source));
    Ok(match guard {
        Some(guard) => Arc::new(FencedBuilder {
            inner,
            guard: Arc::clone(guard),
        }),
        None => inner,
    })
}

/// Returns the present time in seconds, for lines of progress.
fn present_time() -> String {
    let now = SystemClock.now();
    Timestamp::from_second(now.as_second())
        .unwrap_or(now)
        .to_string()
}

/// Forwards events to the progress display, the log and the timer.
struct FanOut(Progress, EventLog, Arc<super::timer::ScopeTimer>);

impl EventSink for FanOut {
    fn on_event(&self, event: &Event) {
        self.0.on_event(event);
        self.1.on_event(event);
        self.2.on_event(event);
    }
}

/// Logs events at debug level.
struct EventLog;

impl EventSink for EventLog {
    fn on_event(&self, event: &Event) {
        tracing::debug!(?event);
    }
}
