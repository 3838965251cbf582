//! Implements `bakeline promote`: makes the current version of the previous environment current in
//! all locations of an environment.

use std::path::Path;

use crate::catalog::Settings;
use crate::cli::{InventoryArgs, Promote};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::error::Result;
use crate::lifecycle::locations;
use crate::model::{EnvName, Inventory};
use crate::plan::promote::plan_promotion;
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Promote) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let images = context::find_images(&loaded.catalog, &args.images)?;
    let known = loaded.catalog.settings.environment_names();
    let to = context::find_environment(&known, &args.to)?;
    let run = lock::take_locks_if(!args.dry_run, &loaded, lock::LockScope::UpTo(&to)).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::load_inventory(
        &loaded,
        &from,
        gather::Need::Images,
        AccessMode::change_if(!args.dry_run, "promote", &run),
    )
    .await?;
    let plan = plan_promotion(&loaded.catalog, &inventory, &images, &to, run);
    summary::print_decisions(&plan, "promoted", args.dry_run && !args.json)?;
    if args.dry_run && !args.json && !plan.steps.is_empty() {
        print_locations(&loaded.catalog.settings, &inventory, &to);
    }
    let preview = args.dry_run.then_some(summary::WITHOUT_DRY_RUN);
    if summary::report_unexecuted(&loaded, &inventory, &plan, args.json, preview) {
        return Ok(0);
    }
    // A failed location does not stop the others.
    let options = run::RunOptions {
        location_jobs: usize::from(args.jobs),
        ..run::RunOptions::independent("promote")
    };
    let ran = run::execute_plan(&loaded, &inventory, &plan, options).await?;
    let report = summary::RunSummary::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .with_status(&to, "promoted");
    summary::finish_run(&loaded.catalog, &inventory, &report, &ran, args.json).await
}

/// Prints the locations that a promotion changes: the home location keeps the original AMI.
fn print_locations(settings: &Settings, inventory: &Inventory, to: &EnvName) {
    let Some(env) = settings.environment(to) else {
        return;
    };
    let mut all = locations::in_environment(settings, env, &inventory.account);
    all.extend(locations::receiving(env, &inventory.account));
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    ui::say_message(&format!("locations of the promotion: {}", names.join(", ")));
}
