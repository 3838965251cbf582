//! Implements `bakeline retire`: retires the AMIs of an image that left the catalog.

use std::path::Path;

use super::stages;
use crate::cli::Retire;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, lock, references, run, unreachable};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Inventory;
use crate::plan::prune::{PruneOptions, plan_retirement, retire_objection};
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Retire) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let image = context::parse_image_name(&loaded.catalog, &args.image)?;
    if let Some(why) = retire_objection(&loaded.catalog, &image) {
        return Err(Error::new(ErrorKind::Refused, why).hint("nothing was changed"));
    }
    let run = lock::take_locks_if(args.apply, &loaded, lock::LockScope::All).await?;
    let wish = PruneOptions {
        keep: None,
        shared_ok: args.shared_ok,
    };
    let decide = |inventory: &Inventory| {
        plan_retirement(&loaded.catalog, inventory, &image, &wish, run.clone())
    };
    let access = AccessMode::change_if(args.apply, "retire", &run);
    let inventory = references::load_inventory(&loaded, &args.inventory, access, |inventory| {
        decide(inventory).0
    })
    .await?;
    unreachable::warn_unreachable(&inventory);
    let (fates, plan) = decide(&inventory);
    if fates.is_empty() {
        let text = format!(
            "catalog `{}` has no AMI of `{image}`",
            loaded.catalog.settings.name
        );
        let none = Error::new(ErrorKind::NotFound, text).hint("`bakeline list` shows what exists");
        return Err(unreachable::not_found_or_incomplete(&inventory, none));
    }
    stages::print_decisions(&fates, stages::Detail::new(args.json, args.explain));
    if !args.apply {
        ui::say(&format!(
            "{} would be retired; run with --apply to proceed",
            ui::count(fates.iter().filter(|f| f.retire).count(), "AMI")
        ));
        return Ok(0);
    }
    if args.inventory.inventory.is_some() {
        return Err(Error::new(
            ErrorKind::Usage,
            "--apply cannot be used with recorded facts",
        )
        .hint("remove --inventory"));
    }
    if plan.steps.is_empty() {
        return unreachable::exit_code(&inventory, Ok(0));
    }
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("retire"),
    )
    .await?;
    let ended = stages::finish_retirement(&loaded, &fates, &ran);
    for fate in fates.iter().filter(|f| !f.retire) {
        ui::say(&format!(
            "{} in {} is kept for now: {}; run `bakeline retire {image}` again later",
            fate.ami,
            fate.region,
            fate.reason()
        ));
    }
    unreachable::exit_code(&inventory, ended)
}
