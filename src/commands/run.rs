//! Owns acting on a plan: the engine with its steps, the run directory, the listeners, and the result file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{self, Loaded};
use super::lock::{self, Rungs};
use crate::adapters::ansible;
use crate::adapters::packer::Packer;
use crate::adapters::ssh::OpenSsh;
use crate::adapters::system::{JournalFile, RunDirectory, SystemClock, program, working_directory};
use crate::catalog::OnFailure;
use crate::engine::event::{Event, EventSink};
use crate::engine::fence::{FencedEffects, Guard};
use crate::engine::mirror::JournalMirror;
use crate::engine::outcome::Outcome;
use crate::engine::{Effects, Engine, Options};
use crate::error::{Error, Kind, Result};
use crate::model::Inventory;
use crate::plan::{self, Action, Plan, Step};
use crate::ports::{Cloud, ImageBuilder, Journal, Store, Workspace as _};
use crate::provision::ansible::MIN_VERSION;
use crate::steps::fence::{FencedBuilder, FencedCloud};
use crate::steps::references::ParameterReferences;
use crate::steps::{Shares, Steps};
use crate::ui::progress::Progress;

/// A finished run and where it left its files.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    pub(super) directory: Arc<RunDirectory>,
    /// Seconds that each scope's steps took.
    pub(super) seconds: BTreeMap<String, u64>,
    /// Where its evidence is mirrored.
    pub(super) store: Arc<dyn Store>,
}

/// How a plan is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// How many scopes run at the same time.
    pub(super) jobs: usize,
    /// What a failed scope does to the others.
    pub(super) on_failure: OnFailure,
    /// Whether what fails is left for a person to look at.
    pub(super) keep_failed: bool,
    /// It works without a lock on things of its own that stay for an hour or two at most. A sweep must not take them while it
    /// lives, and knows no run of it: so it is not in the store, and its things go when they expire.
    pub(super) throwaway: bool,
}

impl Manner {
    /// Scopes that have nothing to do with each other: one that fails does not hold the others back.
    pub(super) const INDEPENDENT: Self = Self {
        jobs: 4,
        on_failure: OnFailure::Continue,
        keep_failed: false,
        throwaway: false,
    };
}

/// Runs a plan to its end, behind the fence of the locks that the command took; all of them if it took none.
pub(super) async fn act(
    loaded: &Loaded,
    inventory: &Inventory,
    plan: &Plan,
    manner: Manner,
) -> Result<Ran> {
    let failed =
        |what: &str, e: std::io::Error| Error::new(Kind::StepFailed, what.to_owned()).because(e);
    tools(loaded, plan).await?;
    let base = working_directory().map_err(|e| failed("the working directory can't be read", e))?;
    let directory = RunDirectory::create(&base, &plan.run)
        .map_err(|e| failed("the run directory can't be made", e))?;
    let directory = Arc::new(directory);
    let journal = JournalFile::open(directory.root())
        .map_err(|e| failed("the journal can't be opened", e))?;
    let saved = serde_json::to_vec_pretty(plan).unwrap_or_default();
    directory
        .write("plan.json", &saved, false)
        .map_err(|e| failed("the plan can't be saved", e))?;
    let lock = lock::of(loaded, Rungs::All).await?;
    let (store, guard) = (
        Arc::clone(&lock.store),
        lock.held.clone().map(|held| held as Arc<dyn Guard>),
    );
    let settings = &loaded.catalog.settings;
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let mirror = match manner.throwaway {
        true => None,
        false => {
            // A sweep reads what a dead run set out to make: Packer tags an AMI last.
            store
                .put(
                    &crate::evidence::keys::plan(&settings.name, &plan.run),
                    &saved,
                )
                .await?;
            let (catalog, run) = (settings.name.clone(), plan.run.clone());
            Some(Arc::new(JournalMirror::start(
                Arc::clone(&journal),
                Arc::clone(&store),
                catalog,
                run,
            )))
        }
    };
    let files = (Arc::clone(&directory), Arc::clone(&store));
    let steps = steps(loaded, inventory, plan, manner, files, guard.as_ref()).await?;
    let timer = Arc::new(super::timer::Timer::default());
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
        events: Arc::new(Both(
            Progress::new(crate::ui::fancy()),
            EventLog,
            Arc::clone(&timer),
        )),
    };
    let Manner {
        jobs,
        on_failure,
        keep_failed,
        ..
    } = manner;
    let options = Options {
        jobs,
        on_failure,
        keep_failed,
        interrupt: lock.interrupt.clone(),
    };
    let outcome = engine.run(plan, &options).await;
    if let Some(mirror) = mirror
        && let Some(missing) = mirror.finish(&SystemClock).await
    {
        crate::ui::say(&format!("warning: {missing}"));
    }
    Ok(Ran {
        outcome,
        directory,
        seconds: timer.seconds(),
        store,
    })
}

/// Returns the steps of a plan with everything they act on, behind the fence where there is one.
async fn steps(
    loaded: &Loaded,
    inventory: &Inventory,
    plan: &Plan,
    manner: Manner,
    (directory, store): (Arc<RunDirectory>, Arc<dyn Store>),
    guard: Option<&Arc<dyn Guard>>,
) -> Result<Steps> {
    let clouds = context::clouds(&loaded.catalog.settings).await?;
    let program = program();
    Ok(Steps {
        catalog: Arc::clone(&loaded.catalog),
        run: plan.run.clone(),
        expires: inventory.taken
            + if manner.throwaway {
                plan::inspect::EXPIRES
            } else {
                plan::release::EXPIRES
            },
        cloud: fenced(clouds.home, guard),
        others: clouds
            .others
            .into_iter()
            .map(|(account, cloud)| (account, fenced(cloud, guard)))
            .collect(),
        builder: builder(guard),
        shell: Arc::new(OpenSsh),
        workspace: directory,
        store,
        clock: Arc::new(SystemClock),
        endpoint: context::endpoint(),
        program: program.map_err(|e| {
            Error::new(
                Kind::StepFailed,
                "cannot find the path of the bakeline program",
            )
            .because(e)
        })?,
        keep_failed: manner.keep_failed,
        commit: inventory.commit.as_ref().map(|c| c.id.clone()),
        shares: Shares::default(),
        parameter_references: ParameterReferences::default(),
    })
}

/// A cloud behind the fence, where there is one.
fn fenced(inner: Arc<dyn Cloud>, guard: Option<&Arc<dyn Guard>>) -> Arc<dyn Cloud> {
    match guard {
        Some(guard) => Arc::new(FencedCloud {
            inner,
            guard: Arc::clone(guard),
        }),
        None => inner,
    }
}

/// Packer behind the fence, where there is one.
fn builder(guard: Option<&Arc<dyn Guard>>) -> Arc<dyn ImageBuilder> {
    let inner: Arc<dyn ImageBuilder> = Arc::new(Packer::default());
    match guard {
        Some(guard) => Arc::new(FencedBuilder {
            inner,
            guard: Arc::clone(guard),
        }),
        None => inner,
    }
}

/// What the planned builds need on this machine beside Packer is there; said before anything is changed.
async fn tools(loaded: &Loaded, plan: &Plan) -> Result<()> {
    let plays = |step: &Step| match &step.action {
        Action::Build { image, .. } => loaded
            .catalog
            .images
            .get(image)
            .filter(|i| i.plays().is_some()),
        _ => None,
    };
    let Some(image) = plan.steps.iter().find_map(plays) else {
        return Ok(());
    };
    match ansible::version(&MIN_VERSION).await {
        Ok(_) => Ok(()),
        Err(e) => {
            let needs = format!(
                "image `{}` plays `{}`",
                image.name,
                image.plays().unwrap_or_default()
            );
            Err(e.hint.iter().fold(
                Error::input(format!("{needs}, but {}", e.message)),
                |error, hint| error.hint(hint),
            ))
        }
    }
}

/// Terminal and log.
struct Both(Progress, EventLog, Arc<super::timer::Timer>);

impl EventSink for Both {
    fn on_event(&self, event: &Event) {
        self.0.on_event(event);
        self.1.on_event(event);
        self.2.on_event(event);
    }
}

/// Events for `BAKELINE_LOG=debug`.
struct EventLog;

impl EventSink for EventLog {
    fn on_event(&self, event: &Event) {
        tracing::debug!(?event);
    }
}

/// Checks Packer and its plugin before anything is changed.
pub(super) async fn check_packer() -> Result<()> {
    match Packer::default().check().await {
        Ok(_) => Ok(()),
        Err(e) => {
            let error = Error::input(e.message);
            Err(match e.hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}
