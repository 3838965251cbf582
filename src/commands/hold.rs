//! Owns `bakeline hold`: keep a version from being promoted and built upon, or let it again.

use std::path::Path;

use super::{context, gather, lock, report, run};
use crate::cli::{Hold, InventoryArgs};
use crate::error::Result;
use crate::plan::hold::plan_hold;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Hold) -> Result<u8> {
    let loaded = context::load(dir)?;
    let name = context::image(&loaded.catalog, &args.image)?;
    let run = lock::take(&loaded, lock::Rungs::All).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::inventory(&loaded, &from, gather::Need::Images).await?;
    let image = &loaded.catalog.images[&name];
    let plan = plan_hold(
        &loaded.catalog,
        &inventory,
        image,
        args.which,
        args.release_hold,
        run,
    );
    let done = if args.release_hold {
        "released"
    } else {
        "held"
    };
    ui::say(&report::decisions(&plan));
    if let Some(blocked) = report::refused(&plan, done) {
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
    let lowest = loaded.catalog.settings.environments[0].name.clone();
    let report = report::Report::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .ended(&lowest, done);
    report::conclude(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
