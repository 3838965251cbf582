//! Implements `bakeline rollback`: makes an earlier version current in all locations of an
//! environment, and holds the version that was current.

use std::path::Path;

use crate::cli::{InventoryArgs, Rollback};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::error::Result;
use crate::plan::rollback::plan_rollback;

pub(crate) async fn run(dir: &Path, args: &Rollback) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let name = context::find_image(&loaded.catalog, &args.image)?;
    let known = loaded.catalog.settings.environment_names();
    let env = context::find_environment(&known, &args.env)?;
    let run = lock::take_locks_if(!args.dry_run, &loaded, lock::LockScope::UpTo(&env)).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::load_inventory(
        &loaded,
        &from,
        gather::Need::Images,
        AccessMode::change_if(!args.dry_run, "rollback", &run),
    )
    .await?;
    let image = &loaded.catalog.images[&name];
    let plan = plan_rollback(&loaded.catalog, &inventory, image, &env, args.to, run);
    summary::print_decisions(&plan, "rolled back", args.dry_run && !args.json)?;
    let preview = args.dry_run.then_some(summary::WITHOUT_DRY_RUN);
    if summary::report_unexecuted(&loaded, &inventory, &plan, args.json, preview) {
        return Ok(0);
    }
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("rollback"),
    )
    .await?;
    let report = summary::RunSummary::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .with_status(&env, "rolled back");
    summary::finish_run(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
