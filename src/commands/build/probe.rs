//! Implements `bakeline probe`: looks for pending updates on instances of the current versions.

use std::path::Path;

use crate::cli::{InventoryArgs, Probe as Args};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::engine::StepOutput;
use crate::engine::outcome::ScopeEnd;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Probe;
use crate::plan::probe::plan_probe;
use crate::plan::step::PlanVerdict;
use crate::ui;
use crate::ui::table::Table;

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let images = context::find_images(&loaded.catalog, &args.images)?;
    let run = lock::take_locks(&loaded, lock::LockScope::Lowest).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::load_inventory(
        &loaded,
        &from,
        gather::Need::Images,
        AccessMode::Change(&run),
    )
    .await?;
    let plan = plan_probe(&loaded.catalog, &inventory, &images, run);
    if let Some(missing) = plan
        .decisions
        .iter()
        .find(|d| d.verdict == PlanVerdict::Blocked)
    {
        return Err(Error::new(ErrorKind::NotFound, missing.reasons.join("; "))
            .hint("nothing was changed; release the image first"));
    }
    let options = run::RunOptions {
        jobs: usize::from(args.jobs),
        ..run::RunOptions::independent("probe")
    };
    let ran = run::execute_plan(&loaded, &inventory, &plan, options).await?;
    let probes: Vec<Probe> = ran
        .outcome
        .scopes
        .values()
        .filter_map(scope_probe)
        .collect();
    if args.json {
        ui::json(&probes);
    } else {
        ui::table(&update_table(&probes));
        for probe in probes.iter().filter(|p| p.pending.is_empty()) {
            ui::say(&format!(
                "{} {}: no pending updates",
                probe.image, probe.version
            ));
        }
    }
    summary::exit_code(&ran)
}

fn scope_probe(end: &ScopeEnd) -> Option<Probe> {
    let ScopeEnd::Done { outputs } = end else {
        return None;
    };
    outputs.values().find_map(|output| match output {
        StepOutput::Updates { probe, .. } => Some(probe.clone()),
        _ => None,
    })
}

fn update_table(probes: &[Probe]) -> Table {
    let mut table = Table::with_text(&["IMAGE", "VERSION", "PACKAGE", "SECURITY"], "UPDATE");
    for probe in probes {
        for update in &probe.pending {
            let security = if update.security { "yes" } else { "-" };
            let values = vec![
                probe.image.to_string(),
                probe.version.to_string(),
                update.package.clone(),
                security.to_owned(),
            ];
            let current = if update.current.is_empty() {
                "-"
            } else {
                &update.current
            };
            let text = format!("{current} -> {} ({})", update.candidate, update.origin);
            table.push_text(values, vec![text]);
        }
    }
    table
}
