//! Executes a plan: sets up the run directory, the journal, the steps and the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::access::AccessMode;
use super::context::{self, Clouds, LoadedCatalog};
use super::lock::{self, LockScope};
use crate::adapters::ansible;
use crate::adapters::packer::Packer;
use crate::adapters::ssh::OpenSsh;
use crate::adapters::system::{
    JournalFile, RunDirectory, SystemClock, current_program, find_program, working_directory,
};
use crate::catalog::{Access, OnFailure};
use crate::engine::event::{Event, EventSink};
use crate::engine::lock::fence::{FencedBuilder, FencedCloud};
use crate::engine::lock::guard::{FencedEffects, Guard};
use crate::engine::mirror::JournalMirror;
use crate::engine::outcome::Outcome;
use crate::engine::{Effects, Engine, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Inventory, Region};
use crate::plan::{self, Action, Plan, Scope, Step};
use crate::ports::{ImageBuilder, Journal, Store, Workspace as _};
use crate::provision::ansible::MIN_VERSION;
use crate::steps::references::ParameterReferences;
use crate::steps::{Creations, LocationCopies, Shares, Steps, check_shareable};
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

/// Programs that SSM sessions need, with the hint for a missing one. Packer and bakeline both use the
/// Session Manager plugin; bakeline starts it through the AWS CLI.
const SESSION_TOOLS: [(&str, &str); 2] = [
    ("aws", "install the AWS CLI: `apt install awscli` on Debian"),
    (
        "session-manager-plugin",
        "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
    ),
];

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
    /// Options for independent scopes: a failed scope does not stop the others.
    pub(crate) const INDEPENDENT: Self = Self {
        jobs: 16,
        location_jobs: LOCATION_JOBS,
        on_failure: OnFailure::Continue,
        keep_failed: false,
        throwaway: false,
    };
}

/// Executes a plan with the locks of the command as a fence. If the command has no locks, it takes
/// those of all environments.
pub(crate) async fn execute_plan(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    options: RunOptions,
) -> Result<RunResult> {
    let access = AccessMode::Change(&plan.run);
    let clouds = context::connect_clouds(&loaded.catalog.settings, access).await?;
    check_prerequisites(loaded, inventory, plan, &clouds).await?;
    let saved = serde_json::to_vec_pretty(plan).unwrap_or_default();
    let (directory, journal) = create_run_directory(plan, &saved)?;
    let lock = lock::command_locks(loaded, LockScope::All).await?;
    let (store, guard) = (
        Arc::clone(&lock.store),
        lock.held.clone().map(|held| held as Arc<dyn Guard>),
    );
    let mirror = if options.throwaway {
        None
    } else {
        let (catalog, run) = (&loaded.catalog.settings.name, &plan.run);
        // A sweep needs the plan of a dead run, because old versions of Packer tag an AMI only when it
        // is available.
        store
            .put(&crate::evidence::keys::plan(catalog, run), &saved)
            .await?;
        let mirror = JournalMirror::start(
            Arc::clone(&journal),
            Arc::clone(&store),
            catalog.clone(),
            run.clone(),
        );
        Some(Arc::new(mirror))
    };
    let ports = (Arc::clone(&directory), Arc::clone(&store), clouds);
    let steps = assemble_steps(loaded, inventory, plan, options, ports, guard.as_ref()).await?;
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
            Progress::new(crate::ui::stderr_is_terminal()),
            EventLog,
            Arc::clone(&timer),
        )),
    };
    let RunOptions {
        jobs,
        location_jobs,
        on_failure,
        keep_failed,
        ..
    } = options;
    let options = Options {
        jobs,
        location_jobs,
        on_failure,
        keep_failed,
        undo_patience: undo_patience(),
        interrupt: lock.interrupt.clone(),
    };
    let outcome = engine.run(plan, &options).await;
    if let Some(mirror) = mirror
        && let Some(missing) = mirror.finish(&SystemClock).await
    {
        crate::ui::say(&format!("warning: {missing}"));
    }
    Ok(RunResult {
        outcome,
        directory,
        seconds: timer.seconds(),
        store,
    })
}

/// Creates the directory of a run with the plan and an empty journal.
fn create_run_directory(
    plan: &Plan,
    saved: &[u8],
) -> Result<(Arc<RunDirectory>, Arc<dyn Journal>)> {
    let failed = |what: &str, e: std::io::Error| {
        Error::new(ErrorKind::StepFailed, what.to_owned()).because(e)
    };
    let base = working_directory().map_err(|e| failed("cannot read the working directory", e))?;
    let directory = RunDirectory::create(&base, &plan.run)
        .map_err(|e| failed("cannot create the run directory", e))?;
    let journal =
        JournalFile::open(directory.root()).map_err(|e| failed("cannot open the journal", e))?;
    directory
        .write("plan.json", saved, false)
        .map_err(|e| failed("cannot save the plan", e))?;
    Ok((Arc::new(directory), Arc::new(journal)))
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

/// Checks that `ansible-playbook` is installed if a planned build needs it.
async fn check_ansible(loaded: &LoadedCatalog, plan: &Plan) -> Result<()> {
    let plays = |step: &Step| match &step.action {
        Action::Build { image, .. } => loaded
            .catalog
            .images
            .get(image)
            .filter(|i| i.first_playbook().is_some()),
        _ => None,
    };
    let Some(image) = plan.steps.iter().find_map(plays) else {
        return Ok(());
    };
    match ansible::version(&MIN_VERSION).await {
        Ok(_) => Ok(()),
        Err(e) => {
            let needs = format!(
                "image `{}` runs the playbook `{}`",
                image.name,
                image.first_playbook().unwrap_or_default()
            );
            Err(e.hint.iter().fold(
                Error::input(format!("{needs}, but {}", e.message)),
                |error, hint| error.hint(hint),
            ))
        }
    }
}

/// Checks what a plan needs, before anything is changed.
async fn check_prerequisites(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    clouds: &Clouds,
) -> Result<()> {
    check_ansible(loaded, plan).await?;
    check_session_tools(loaded, plan)?;
    super::pointers::check_pointer_types(clouds, plan).await?;
    check_encryption(loaded, inventory, plan, clouds).await
}

/// Checks that the AMIs of a plan can be shared with the other accounts that need them.
async fn check_encryption(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    clouds: &Clouds,
) -> Result<()> {
    let needs_sharing =
        |step: &Step| matches!(step.action, Action::Build { .. } | Action::Share { .. });
    if !plan.steps.iter().any(needs_sharing) {
        return Ok(());
    }
    for warning in check_shareable(&loaded.catalog, inventory, plan, &*clouds.home).await? {
        crate::ui::say(&format!("warning: {warning}"));
    }
    Ok(())
}

/// Checks that the tools for SSM sessions are installed if a step connects to an instance through
/// one.
fn check_session_tools(loaded: &LoadedCatalog, plan: &Plan) -> Result<()> {
    let connects = |step: &Step| matches!(step.action, Action::Build { .. } | Action::Boot { .. });
    if loaded.catalog.settings.builder.access != Access::Ssm || !plan.steps.iter().any(connects) {
        return Ok(());
    }
    for (program, hint) in SESSION_TOOLS {
        if find_program(program).is_none() {
            let text = format!(
                "`access: ssm` in bakeline.yaml requires `{program}`, which is not in PATH"
            );
            return Err(Error::input(text).hint(hint));
        }
    }
    Ok(())
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

/// Checks that Packer and its Amazon plugin are installed. Prints a warning for untested versions.
pub(crate) async fn check_packer() -> Result<()> {
    match Packer::default().check().await {
        Ok(warnings) => {
            for warning in warnings {
                crate::ui::say(&format!("warning: {warning}"));
            }
            Ok(())
        }
        Err(e) => {
            let error = Error::input(e.message);
            Err(match e.hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}
