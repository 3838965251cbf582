//! Owns `bakeline release`: plan, act, report, tell.

use std::path::Path;

use super::{changes, context, gather, lock, report, run, sweep, validate};
use crate::adapters::system::variable;
use crate::catalog::Catalog;
use crate::cli::{InventoryArgs, Release};
use crate::error::{Error, Kind, Result};
use crate::model::{Inventory, RunId};
use crate::plan::Plan;
use crate::plan::release::{ReleaseRequest, plan_release};
use crate::plan::saved::{SAVED_SCHEMA, SavedRelease};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Release) -> Result<u8> {
    let loaded = context::load(dir)?;
    let images = context::images(&loaded.catalog, &args.images)?;
    validate::ready(&loaded.catalog)?;
    run::check_packer().await?;
    let run = lock::take(&loaded, lock::Rungs::Lowest).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: args.save_inventory.clone(),
    };
    let inventory = gather::inventory(&loaded, &from, gather::Need::Sources).await?;
    let request = ReleaseRequest {
        images,
        force: args.force,
        run,
    };
    let plan = match &args.plan {
        Some(file) => reviewed(file, &loaded.catalog, &inventory, &request.run)?,
        None => plan_release(&loaded.catalog, &inventory, &request),
    };
    ui::say(&report::decisions(&plan));
    if let Some(blocked) = report::blocked(&plan) {
        return Err(blocked);
    }
    if plan.steps.is_empty() {
        report::show(
            &report::Report::new(&loaded.catalog, &inventory, &plan, None),
            args.json,
        );
        sweep::after(&loaded, &inventory).await;
        return Ok(0);
    }
    notes(loaded.lock.get().is_some_and(|lock| lock.store.durable()));
    let on_failure = loaded.catalog.settings.on_failure;
    let manner = run::Manner {
        jobs: usize::from(args.jobs),
        on_failure,
        keep_failed: args.keep_failed,
        throwaway: false,
    };
    let ran = run::act(&loaded, &inventory, &plan, manner).await?;
    let mut report =
        report::Report::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome)).timed(&ran);
    changes::add(&mut report, &loaded.catalog, &inventory, &ran).await;
    let ended = report::conclude(&loaded.catalog, &inventory, &report, &ran, args.json).await;
    if !ran.outcome.interrupted {
        sweep::after(&loaded, &inventory).await;
    }
    ended
}

/// A reviewed plan, if it still says what is to be done.
fn reviewed(file: &Path, catalog: &Catalog, inventory: &Inventory, run: &RunId) -> Result<Plan> {
    let name = file.display();
    let bytes = context::read(file)?;
    let schema = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|v| v.get("schema")?.as_u64());
    if let Some(newer) = schema.filter(|s| *s > u64::from(SAVED_SCHEMA)) {
        let text = format!("{name}: plan schema {newer} is newer than {SAVED_SCHEMA}");
        return Err(Error::input(text).hint("use the bakeline that saved it, or plan again"));
    }
    let saved: SavedRelease = serde_json::from_slice(&bytes).map_err(|e| {
        Error::input(format!(
            "{name}:{}:{}: it is not a saved plan",
            e.line(),
            e.column()
        ))
        .because(e)
        .hint("make one with `bakeline plan --save FILE`")
    })?;
    if saved.catalog != catalog.settings.name {
        let text = format!(
            "{name}: it is a plan of catalog `{}`, not of `{}`",
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
        "plan of {}, {} h {} min old",
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
            Kind::Refused,
            format!("{name}: what it was decided from has changed: {shown}{more}"),
        )
        .hint("nothing was changed; plan again and have it reviewed")
    })
}

/// What this run can't promise, said before it starts.
fn notes(durable: bool) {
    if variable("CI").is_some() {
        ui::say(
            "note: a run killed in CI can't be resumed; what it leaves carries bakeline:run and bakeline:expires",
        );
        if !durable {
            ui::say(
                "note: the store is a local folder: its lock keeps only runs on this machine apart; name an S3 store",
            );
        }
    }
}
