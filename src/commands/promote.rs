//! Owns `bakeline promote`: move what is current on the rung below up, at every location of the environment.

use std::path::Path;

use super::{context, gather, lock, report, run};
use crate::cli::{InventoryArgs, Promote};
use crate::error::Result;
use crate::plan::promote::plan_promotion;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Promote) -> Result<u8> {
    let loaded = context::load(dir)?;
    let images = context::images(&loaded.catalog, &args.images)?;
    let known: Vec<_> = loaded
        .catalog
        .settings
        .environments
        .iter()
        .map(|e| e.name.clone())
        .collect();
    let to = context::environment(&known, &args.to)?;
    let run = lock::take(&loaded, lock::Rungs::To(&to)).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::inventory(&loaded, &from, gather::Need::Images).await?;
    let plan = plan_promotion(&loaded.catalog, &inventory, &images, &to, run);
    ui::say(&report::decisions(&plan));
    if let Some(blocked) = report::refused(&plan, "promoted") {
        return Err(blocked);
    }
    if plan.steps.is_empty() {
        report::show(
            &report::Report::new(&loaded.catalog, &inventory, &plan, None),
            args.json,
        );
        return Ok(0);
    }
    // A location that fails holds no other up.
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
    let report = report::Report::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .ended(&to, "promoted");
    report::conclude(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
