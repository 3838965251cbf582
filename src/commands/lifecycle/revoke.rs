//! Implements `bakeline revoke`: revokes a version and all versions built from it.

use std::path::Path;

use crate::cli::{InventoryArgs, Revoke};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::error::Result;
use crate::plan::revoke::plan_revocation;

pub(crate) async fn run(dir: &Path, args: &Revoke) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let name = context::parse_image_name(&loaded.catalog, &args.image)?;
    let run = lock::take_locks_if(args.apply, &loaded, lock::LockScope::All).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::load_inventory(
        &loaded,
        &from,
        gather::Need::Images,
        AccessMode::change_if(args.apply, "revoke", &run),
    )
    .await?;
    let plan = plan_revocation(&loaded.catalog, &inventory, &name, args.which, run);
    summary::print_decisions(&plan, "revoked", !args.apply && !args.json)?;
    let preview = (!args.apply).then_some(summary::WITH_APPLY);
    if summary::report_unexecuted(&loaded, &inventory, &plan, args.json, preview) {
        return Ok(0);
    }
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("revoke"),
    )
    .await?;
    let names = loaded.catalog.settings.environment_names();
    let top = names.last().cloned().unwrap_or_else(|| "-".into());
    let report = summary::RunSummary::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .with_status(&top, "revoked");
    summary::finish_run(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
