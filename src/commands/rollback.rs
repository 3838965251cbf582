//! Owns `bakeline rollback`: point an environment back, at every one of its locations, and hold what it leaves.

use std::path::Path;

use super::{context, gather, lock, report, run};
use crate::cli::{InventoryArgs, Rollback};
use crate::error::Result;
use crate::plan::rollback::plan_rollback;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Rollback) -> Result<u8> {
    let loaded = context::load(dir)?;
    let name = context::image(&loaded.catalog, &args.image)?;
    let known: Vec<_> = loaded
        .catalog
        .settings
        .environments
        .iter()
        .map(|e| e.name.clone())
        .collect();
    let env = context::environment(&known, &args.env)?;
    let run = lock::take(&loaded, lock::Rungs::To(&env)).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::inventory(&loaded, &from, gather::Need::Images).await?;
    let image = &loaded.catalog.images[&name];
    let plan = plan_rollback(&loaded.catalog, &inventory, image, &env, args.to, run);
    ui::say(&report::decisions(&plan));
    if let Some(blocked) = report::refused(&plan, "rolled back") {
        return Err(blocked);
    }
    if plan.steps.is_empty() {
        report::show(
            &report::Report::new(&loaded.catalog, &inventory, &plan, None),
            args.json,
        );
        return Ok(0);
    }
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
    let report = report::Report::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .ended(&env, "rolled back");
    report::conclude(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
