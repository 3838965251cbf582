//! Implements `bakeline release`: builds and checks images and makes them current.

use std::path::Path;

use super::{changelog, clock, preflight};
use crate::adapters::system::variable;
use crate::catalog::Catalog;
use crate::cli::{InventoryArgs, Release};
use crate::commands::retention::sweep;
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::LoadedCatalog;
use crate::commands::support::{context, gather, lock, prerequisites, run, session, templates};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ImageName, Inventory, RunId};
use crate::plan::Plan;
use crate::plan::release::{ReleaseRequest, plan_release};
use crate::plan::saved::{SAVED_SCHEMA, SavedRelease};
use crate::steps::preflight::{Check, Group};
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Release) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let images = context::find_images(&loaded.catalog, &args.images)?;
    templates::check_all_templates(&loaded.catalog)?;
    let run = prepare_run(&loaded, &images).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: args.save_inventory.clone(),
    };
    let inventory = gather::load_inventory(
        &loaded,
        &from,
        gather::Need::Sources,
        AccessMode::Change(&run),
    )
    .await?;
    let request = ReleaseRequest {
        images,
        force: args.force,
        run,
    };
    let plan = match &args.plan {
        Some(file) => read_reviewed_plan(file, &loaded.catalog, &inventory, &request.run)?,
        None => plan_release(&loaded.catalog, &inventory, &request),
    };
    clock::warn_future_versions(&loaded.catalog.settings, &inventory);
    ui::say_table(&summary::decision_table(&plan));
    if let Some(blocked) = summary::blocked_error(&plan, ui::stderr_is_terminal()) {
        return Err(blocked);
    }
    if plan.steps.is_empty() {
        summary::print_summary(
            &summary::RunSummary::new(&loaded.catalog, &inventory, &plan, None),
            args.json,
        );
        sweep::sweep_after_run(&loaded, &inventory, None).await;
        return Ok(0);
    }
    print_ci_notes(
        &plan.run,
        loaded
            .lock
            .get()
            .is_some_and(|lock| lock.store.is_durable()),
    );
    let on_failure = loaded.catalog.settings.on_failure;
    let options = run::RunOptions {
        command: "release",
        jobs: usize::from(args.jobs),
        location_jobs: run::LOCATION_JOBS,
        on_failure,
        keep_failed: args.keep_failed,
        throwaway: false,
    };
    let ran = run::execute_plan(&loaded, &inventory, &plan, options).await?;
    let mut report =
        summary::RunSummary::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
            .with_times(&ran);
    changelog::add_changelog(&mut report, &loaded.catalog, &inventory, &ran).await;
    let ended = summary::finish_run(&loaded.catalog, &inventory, &report, &ran, args.json).await;
    if ran.outcome.allows_sweep() {
        sweep::sweep_after_run(&loaded, &inventory, None).await;
    }
    ended
}

/// Checks this machine and takes the locks. If either fails, collects all prerequisites, so that the
/// error names every missing one.
async fn prepare_run(loaded: &LoadedCatalog, images: &[ImageName]) -> Result<RunId> {
    let (packer, session) = tokio::join!(
        prerequisites::check_packer(&loaded.catalog.settings),
        session::check_session()
    );
    let checks: Vec<Check> = packer.into_iter().chain(session).collect();
    if checks.iter().any(|check| check.blocks_release) {
        let all = Box::pin(preflight::collect_checks(loaded, images, None)).await;
        return Err(prerequisites::refuse_run(all, checks));
    }
    prerequisites::report_checks(checks)?;
    match lock::take_locks(loaded, lock::LockScope::Lowest).await {
        // Credentials or the store.
        Err(error) if error.kind == ErrorKind::Input => {
            let all = Box::pin(preflight::collect_checks(loaded, images, None)).await;
            let own = Check::missing(Group::Store, "locks", error);
            Err(prerequisites::refuse_run(all, vec![own]))
        }
        other => other,
    }
}

/// Reads a reviewed plan and checks that the facts have not changed since.
fn read_reviewed_plan(
    file: &Path,
    catalog: &Catalog,
    inventory: &Inventory,
    run: &RunId,
) -> Result<Plan> {
    let name = file.display();
    let bytes = context::read_file(file)?;
    let schema = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|v| v.get("schema")?.as_u64());
    if let Some(newer) = schema.filter(|s| *s > u64::from(SAVED_SCHEMA)) {
        let text =
            format!("{name}: the plan has schema {newer}, the newest supported is {SAVED_SCHEMA}");
        return Err(Error::input(text)
            .hint("use the version of bakeline that saved it, or save a new plan"));
    }
    let saved: SavedRelease = serde_json::from_slice(&bytes).map_err(|e| {
        Error::input(format!(
            "{name}:{}:{}: not a saved plan",
            e.line(),
            e.column()
        ))
        .because(e)
        .hint("create one with `bakeline plan --save FILE`")
    })?;
    if saved.catalog != catalog.settings.name {
        let text = format!(
            "{name}: the plan is for catalog `{}`, not for `{}`",
            saved.catalog, catalog.settings.name
        );
        return Err(Error::input(text));
    }
    let age = inventory
        .captured_at
        .duration_since(saved.plan.decided_at)
        .as_secs()
        / 60;
    ui::say(&format!(
        "the plan was saved at {}, {} h {} min ago",
        saved.plan.decided_at,
        age / 60,
        age % 60
    ));
    saved.replan(catalog, inventory, run).map_err(|moved| {
        let shown = moved.iter().take(6).cloned().collect::<Vec<_>>().join("; ");
        let more = if moved.len() > 6 {
            format!("; and {} more", moved.len() - 6)
        } else {
            String::new()
        };
        Error::new(
            ErrorKind::Refused,
            format!("{name}: the facts behind the plan have changed: {shown}{more}"),
        )
        .hint("nothing was changed; save a new plan and review it")
    })
}

/// Prints the limits of a run in a CI job.
fn print_ci_notes(run: &RunId, durable: bool) {
    if variable("CI").is_some() {
        if durable {
            ui::say(&format!(
                "note: if this job is killed, `bakeline resume {run}` continues it on any machine"
            ));
        } else {
            ui::say(
                "note: without an S3 store, a killed job cannot be resumed on another machine; \
                 its resources have the tags bakeline:run and bakeline:expires",
            );
            ui::say(
                "note: the store is a local directory, so locks protect only this machine; use an S3 store",
            );
        }
    }
}
