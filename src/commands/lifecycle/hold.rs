//! Implements `bakeline hold`: holds a version or releases the hold.

use std::path::Path;

use crate::cli::{Hold, InventoryArgs};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::error::Result;
use crate::plan::hold::plan_hold;

pub(crate) async fn run(dir: &Path, args: &Hold) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let name = context::find_image(&loaded.catalog, &args.image)?;
    let run = lock::take_locks_if(!args.dry_run, &loaded, lock::LockScope::All).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::load_inventory(
        &loaded,
        &from,
        gather::Need::Images,
        AccessMode::change_if(!args.dry_run, "hold", &run),
    )
    .await?;
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
    summary::print_decisions(&plan, done, args.dry_run && !args.json)?;
    let preview = args.dry_run.then_some(summary::WITHOUT_DRY_RUN);
    if summary::report_unexecuted(&loaded, &inventory, &plan, args.json, preview) {
        return Ok(0);
    }
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("hold"),
    )
    .await?;
    let lowest = loaded.catalog.settings.environments[0].name.clone();
    let report = summary::RunSummary::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .with_status(&lowest, done);
    summary::finish_run(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
