//! Implements `bakeline prune`: shows the decision for every AMI, and retires AMIs with --apply.

use std::path::Path;

use super::stages;
use crate::catalog::Brakes;
use crate::cli::Prune;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::{lock, references, run, unreachable};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::retention::RetentionDecision;
use crate::model::{Inventory, RunId};
use crate::plan::Plan;
use crate::plan::prune::saved::{KIND, SAVED_SCHEMA, SavedPrune, collect_facts, describe_changes};
use crate::plan::prune::{PruneOptions, exceeds_limits, foreign_images, plan_prune};
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Prune) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let reviewed = match &args.apply {
        Some(Some(file)) => Some((file, read_saved_prune(&loaded, file)?)),
        _ => None,
    };
    reject_conflicting_flags(args)?;
    let run = lock::take_locks_if(args.apply.is_some(), &loaded, lock::LockScope::All).await?;
    let given = PruneOptions {
        keep: args.keep,
        shared_ok: args.shared_ok,
    };
    let wish = reviewed
        .as_ref()
        .map_or(given, |(_, saved)| saved.options.clone());
    let decide = |inventory: &Inventory| plan_prune(&loaded.catalog, inventory, &wish, run.clone());
    let access = AccessMode::change_if(args.apply.is_some(), "prune", &run);
    let inventory = references::load_inventory(&loaded, &args.inventory, access, |inventory| {
        decide(inventory).0
    })
    .await?;
    unreachable::warn_unreachable(&inventory);
    let (fates, plan) = match reviewed {
        Some((file, saved)) => verify_saved_prune(&loaded, &inventory, file, saved, run.clone())?,
        None => decide(&inventory),
    };
    stages::print_decisions(&fates, stages::Detail::new(args.json, args.explain));
    for ami in foreign_images(&loaded.catalog.settings, &inventory) {
        ui::say(&format!(
            "ignored: {} in {} has the tags of this catalog but was not created by it ({})",
            ami.id, ami.region, ami.name
        ));
    }
    for fate in fates.iter().filter(|f| f.restore) {
        ui::say(&format!(
            "{} in {} is being retired but is needed: run `bakeline restore {}`",
            fate.ami, fate.region, fate.ami
        ));
    }
    if let Some(file) = &args.save {
        context::write_json(
            file,
            &SavedPrune::new(
                &loaded.catalog,
                &inventory,
                wish,
                fates.clone(),
                plan.clone(),
            ),
        )?;
    }
    let brake = exceeds_limits(&prune_limits(&loaded, args), &fates);
    if args.apply.is_none() {
        print_preview(&fates, brake);
        return Ok(0);
    }
    if let Some(why) = brake {
        return Err(Error::new(ErrorKind::Refused, why)
            .hint("nothing was changed; review the output of `bakeline prune` first"));
    }
    if plan.steps.is_empty() {
        return unreachable::exit_code(&inventory, Ok(0));
    }
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("prune"),
    )
    .await?;
    unreachable::exit_code(&inventory, stages::finish_retirement(&loaded, &fates, &ran))
}

fn reject_conflicting_flags(args: &Prune) -> Result<()> {
    let usage = |what: &str, hint: &str| Err(Error::new(ErrorKind::Usage, what).hint(hint));
    if args.apply.is_some() && args.inventory.inventory.is_some() {
        return usage(
            "--apply cannot be used with recorded facts",
            "remove --inventory",
        );
    }
    let reviewed = matches!(args.apply, Some(Some(_)));
    if reviewed && (args.keep.is_some() || args.shared_ok) {
        return usage(
            "--keep and --shared-ok cannot be used with --apply FILE",
            "use them with --save; the saved file contains them",
        );
    }
    if args.apply.is_some() && args.save.is_some() {
        return usage(
            "--save and --apply cannot be used together",
            "save the decision, review the file, then apply it",
        );
    }
    Ok(())
}

fn prune_limits(loaded: &LoadedCatalog, args: &Prune) -> Brakes {
    let set = &loaded.catalog.settings.brakes;
    Brakes {
        most: args.most.unwrap_or(set.most),
        percent: args.percent.unwrap_or(set.percent),
    }
}

fn print_preview(fates: &[RetentionDecision], brake: Option<String>) {
    let going = fates.iter().filter(|f| !f.due_stages.is_empty()).count();
    if going > 0 {
        let amis = ui::count(going, "AMI");
        ui::say(&format!(
            "{amis} would move to the next retirement stage; run with --apply to proceed"
        ));
    }
    if let Some(why) = brake {
        ui::say(&format!("note: --apply would fail: {why}"));
    }
}

/// Reads a saved prune decision.
///
/// # Errors
/// The file is not a saved decision, has another schema, or belongs to another catalog.
fn read_saved_prune(loaded: &LoadedCatalog, file: &Path) -> Result<SavedPrune> {
    let bytes = context::read_file(file)?;
    let shown = file.display();
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| {
        Error::input(format!(
            "{shown}:{}:{}: not a saved prune decision",
            e.line(),
            e.column()
        ))
        .because(e)
    })?;
    if value["kind"] != KIND {
        return Err(Error::input(format!("{shown}: not a saved prune decision"))
            .hint("create one with `bakeline prune --save FILE`"));
    }
    if value["schema"] != SAVED_SCHEMA {
        let text = format!(
            "{shown}: the decision has schema {}, expected {SAVED_SCHEMA}",
            value["schema"]
        );
        return Err(Error::input(text).hint("save it again with this version of bakeline"));
    }
    let saved: SavedPrune = serde_json::from_value(value)
        .map_err(|e| Error::input(format!("{shown}: not a saved prune decision")).because(e))?;
    let name = loaded.catalog.settings.name.as_str();
    if saved.catalog != name {
        return Err(Error::input(format!(
            "{shown}: the decision is for catalog `{}`, not for `{name}`",
            saved.catalog
        )));
    }
    Ok(saved)
}

/// Maximum number of additional differences in an error.
const MAX_DIFFERENCES: usize = 5;

/// Returns the saved decision and plan if the facts have not changed since.
fn verify_saved_prune(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    file: &Path,
    saved: SavedPrune,
    run: RunId,
) -> Result<(Vec<RetentionDecision>, Plan)> {
    let moved = describe_changes(&saved.facts, &collect_facts(&loaded.catalog, inventory));
    if moved.is_empty() {
        let plan = Plan { run, ..saved.plan };
        return Ok((saved.decisions, plan));
    }
    let text = format!(
        "the facts have changed since {} was saved: {}",
        file.display(),
        moved[0]
    );
    let mut error = Error::new(ErrorKind::Refused, text);
    for more in moved.iter().skip(1).take(MAX_DIFFERENCES) {
        error = error.hint(format!("and {more}"));
    }
    Err(error.hint("nothing was changed; save the decision again, review it, and apply it"))
}
