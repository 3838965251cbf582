//! Implements `bakeline resume` and `bakeline abort`: continues a killed run where its journal ends, or
//! undoes what it has begun.

use std::collections::BTreeMap;
use std::path::Path;

use super::list::{describe_scopes, stage_name};
use crate::catalog::OnFailure;
use crate::cli::{InventoryArgs, Recover};
use crate::commands::build::changelog;
use crate::commands::retention::sweep;
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::run::{self, RunOptions, RunResult};
use crate::commands::support::stored_runs::{self, StoredRun};
use crate::commands::support::{gather, lock, prerequisites};
use crate::engine::Goal;
use crate::engine::outcome::ScopeEnd;
use crate::engine::recovery::ScopeStage;
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::run_description::RunDescription;
use crate::model::{Inventory, RunId};
use crate::plan::catalog_digests::catalog_digests;
use crate::plan::{Action, Plan};
use crate::ports::Store;
use crate::ui;
use crate::ui::table::Table;

/// Commands whose runs can continue. They hold locks, so that no other run changes the same resources.
const COMMANDS: [&str; 9] = [
    "release", "promote", "rollback", "hold", "revoke", "doctor", "prune", "restore", "retire",
];

/// Continues a run.
pub(crate) async fn resume(dir: &Path, args: &Recover) -> Result<u8> {
    Box::pin(recover(dir, args, Goal::Continue)).await
}

/// Undoes what a run has begun.
pub(crate) async fn abort(dir: &Path, args: &Recover) -> Result<u8> {
    Box::pin(recover(dir, args, Goal::Undo)).await
}

async fn recover(dir: &Path, args: &Recover, goal: Goal) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let (catalog, run) = (&loaded.catalog.settings.name, &args.run);
    let store = context::open_store(&loaded.catalog.settings).await?;
    let first = stored_runs::load_run(&*store, &loaded, run).await?;
    let (description, _) = check_run(&loaded, &first, goal)?;
    if goal == Goal::Continue && builds(&first.plan) {
        prerequisites::require_packer(&loaded.catalog.settings).await?;
    }
    lock::retake_locks(&loaded, run, &description.locks).await?;
    // The run may have continued until this command had the locks.
    let stored = stored_runs::load_run(&*store, &loaded, run).await?;
    let (description, command) = check_run(&loaded, &stored, goal)?;
    refuse_later_run(&*store, &loaded, &stored).await?;
    print_start(&stored, command, goal);
    let inventory = load_inventory(&loaded, run).await?;
    let (plan, attempt) = stored.into_attempt(&*store, catalog, goal).await?;
    let options = RunOptions {
        command,
        jobs: description.jobs,
        location_jobs: description.location_jobs,
        on_failure: if description.stop_on_failure && goal == Goal::Continue {
            OnFailure::Stop
        } else {
            OnFailure::Continue
        },
        keep_failed: description.keep_failed && goal == Goal::Continue,
        throwaway: false,
    };
    let ran = run::execute_after(Some(attempt), &loaded, &inventory, &plan, options).await?;
    let ended = match goal {
        Goal::Undo => finish_abort(&ran, args.json),
        Goal::Continue => finish(&loaded, &inventory, &plan, (&description, &ran), args.json).await,
    };
    if ran.outcome.allows_sweep() && !has_stuck(&ran) {
        // The store may lack the last lines of the killed run, so that their effects are unknown.
        sweep::sweep_after_run(&loaded, &inventory, Some(run)).await;
    }
    ended
}

/// Returns the description of a run and its command, or the reason why it cannot continue.
fn check_run(
    loaded: &LoadedCatalog,
    stored: &StoredRun,
    goal: Goal,
) -> Result<(RunDescription, &'static str)> {
    let run = &stored.plan.run;
    let refused = |text: String| Error::new(ErrorKind::Refused, text);
    let Some(description) = stored.description.clone() else {
        let text = format!("run {run} was started by an earlier version of bakeline");
        return Err(refused(text)
            .hint("run the command again; `bakeline sweep --apply` removes what the run left"));
    };
    let command = COMMANDS
        .into_iter()
        .find(|name| *name == description.command);
    let Some(command) = command else {
        let text = format!("a run of `{}` cannot be continued", description.command);
        return Err(refused(text).hint("run the command again"));
    };
    let left = |(_, stage): &(_, ScopeStage)| *stage == ScopeStage::HalfUndone;
    let is_half_undone = stored.progress.stages(&stored.plan).iter().any(left);
    if stored.ended && !(goal == Goal::Undo && is_half_undone) {
        let error = refused(format!("run {run} has ended"));
        return Err(match is_half_undone {
            true => error.hint(format!(
                "`bakeline abort {run}` undoes what it could not undo"
            )),
            false => error.hint("run the command again"),
        });
    }
    if goal == Goal::Continue {
        check_catalog(loaded, stored, &description)?;
    }
    Ok((description, command))
}

/// Checks that the catalog and the program are those of the run.
fn check_catalog(
    loaded: &LoadedCatalog,
    stored: &StoredRun,
    description: &RunDescription,
) -> Result<()> {
    let (run, version) = (&stored.plan.run, env!("CARGO_PKG_VERSION"));
    let abort = format!("or undo the run with `bakeline abort {run}` and run the command again");
    if description.version != version {
        let text = format!(
            "run {run} was started by bakeline {}, this is {version}",
            description.version
        );
        let hint = format!("use bakeline {}, {abort}", description.version);
        return Err(Error::new(ErrorKind::Refused, text).hint(hint));
    }
    let changed = description.changed_parts(&catalog_digests(&loaded.catalog, &stored.plan));
    if changed.is_empty() {
        return Ok(());
    }
    let text = format!(
        "the catalog has changed since run {run} started: {}",
        changed.join(", ")
    );
    let hint = format!("check out the catalog of the run, {abort}");
    Err(Error::new(ErrorKind::Refused, text).hint(hint))
}

/// Refuses a run if a later one has changed the same resources.
async fn refuse_later_run(
    store: &dyn Store,
    loaded: &LoadedCatalog,
    stored: &StoredRun,
) -> Result<()> {
    let Some((later, command)) = stored_runs::later_run(store, loaded, stored).await? else {
        return Ok(());
    };
    let text = format!(
        "run {later} ({command}) has changed the same resources since run {}",
        stored.plan.run
    );
    Err(Error::new(ErrorKind::Refused, text).hint(
        "nothing was changed; `bakeline doctor` and `bakeline sweep` show what the dead run left",
    ))
}

fn builds(plan: &Plan) -> bool {
    let mut actions = plan.steps.iter().map(|step| &step.action);
    actions.any(|action| matches!(action, Action::Build { .. }))
}

async fn load_inventory(loaded: &LoadedCatalog, run: &RunId) -> Result<Inventory> {
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let access = AccessMode::Change(run);
    gather::load_inventory(loaded, &from, gather::Need::Images, access).await
}

fn print_start(stored: &StoredRun, command: &str, goal: Goal) {
    let mut scopes: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (_, stage) in stored.progress.stages(&stored.plan) {
        *scopes.entry(stage_name(stage)).or_default() += 1;
    }
    let doing = match goal {
        Goal::Continue => "continuing",
        Goal::Undo => "undoing",
    };
    let (run, scopes) = (&stored.plan.run, describe_scopes(&scopes));
    ui::say(&format!("{doing} run {run} ({command}): {scopes}"));
}

/// Returns whether something could not be undone.
fn has_stuck(ran: &RunResult) -> bool {
    let stuck = |end: &ScopeEnd| matches!(end, ScopeEnd::Stuck { .. });
    ran.outcome.scopes.values().any(stuck)
}

/// Prints the ends of the scopes. Undone scopes are the goal; only those that remain are an error.
fn finish_abort(ran: &RunResult, as_json: bool) -> Result<u8> {
    print_scopes(ran, as_json);
    if has_stuck(ran) || ran.outcome.interrupted {
        return summary::exit_code(ran);
    }
    Ok(0)
}

async fn finish(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    (description, ran): (&RunDescription, &RunResult),
    as_json: bool,
) -> Result<u8> {
    let catalog = &loaded.catalog;
    let mut report = summary::RunSummary::new(catalog, inventory, plan, Some(&ran.outcome));
    let status = match description.command.as_str() {
        "release" => {
            report = report.with_times(ran);
            changelog::add_changelog(&mut report, catalog, inventory, ran).await;
            return summary::finish_run(catalog, inventory, &report, ran, as_json).await;
        }
        "promote" => "promoted",
        "rollback" => "rolled back",
        "revoke" => "revoked",
        "hold" => "done",
        _ => {
            print_scopes(ran, as_json);
            return summary::exit_code(ran);
        }
    };
    if let Some(environment) = description.locks.last() {
        report = report.with_status(environment, status);
    }
    summary::finish_run(catalog, inventory, &report, ran, as_json).await
}

/// Prints the end of each scope on stdout.
fn print_scopes(ran: &RunResult, as_json: bool) {
    if as_json {
        return ui::json(&ran.outcome);
    }
    let mut table = Table::new(&["SCOPE", "STATUS"]);
    for (scope, end) in &ran.outcome.scopes {
        let status = match end {
            ScopeEnd::Done { .. } => "done",
            ScopeEnd::Failed { .. } | ScopeEnd::Cancelled { .. } => "undone",
            ScopeEnd::NotStarted { .. } => "not started",
            ScopeEnd::Stuck { .. } => "stuck",
        };
        table.push(vec![scope.to_string(), status.to_owned()]);
    }
    ui::table(&table);
}
