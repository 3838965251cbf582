//! Owns `bakeline revoke`: withdraw a version and everything layered on it.

use std::path::Path;

use super::{context, gather, lock, report, run};
use crate::cli::{InventoryArgs, Revoke};
use crate::error::{Error, Kind, Result};
use crate::model::{ImageName, check_name};
use crate::plan::revoke::plan_revocation;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Revoke) -> Result<u8> {
    let loaded = context::load(dir)?;
    check_name(&args.image).map_err(|e| {
        Error::new(
            Kind::Usage,
            format!("`{}` is not an image name", args.image),
        )
        .because(e)
    })?;
    let name = ImageName::from(args.image.as_str());
    let run = lock::take_if(!args.dry_run, &loaded, lock::Rungs::All).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::inventory(&loaded, &from, gather::Need::Images).await?;
    let plan = plan_revocation(&loaded.catalog, &inventory, &name, args.which, run);
    ui::say(&report::decisions(&plan));
    if let Some(blocked) = report::refused(&plan, "revoked") {
        return Err(blocked);
    }
    if args.dry_run || plan.steps.is_empty() {
        report::show(
            &report::Report::new(&loaded.catalog, &inventory, &plan, None),
            args.json,
        );
        return Ok(0);
    }
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
    let top = loaded
        .catalog
        .settings
        .environments
        .iter()
        .map(|e| e.name.clone())
        .next_back()
        .unwrap_or_else(|| "-".into());
    let report = report::Report::new(&loaded.catalog, &inventory, &plan, Some(&ran.outcome))
        .ended(&top, "revoked");
    report::conclude(&loaded.catalog, &inventory, &report, &ran, args.json).await
}
