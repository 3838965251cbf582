//! Owns `bakeline prune`: every AMI with the reason it stays or goes; moving them down the ladder only with --apply.

use std::path::Path;

use super::context::{self, Loaded};
use super::{ladder, lock, run, unread, uses};
use crate::catalog::Brakes;
use crate::cli::Prune;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::retention::RetentionDecision;
use crate::model::{Inventory, RunId};
use crate::plan::Plan;
use crate::plan::prune::saved::{KIND, SAVED_SCHEMA, SavedPrune, collect_facts, describe_changes};
use crate::plan::prune::{PruneOptions, exceeds_limits, foreign_images, plan_prune};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Prune) -> Result<u8> {
    let loaded = context::load(dir)?;
    let reviewed = match &args.apply {
        Some(Some(file)) => Some((file, read(&loaded, file)?)),
        _ => None,
    };
    refuse_mixtures(args)?;
    let run = lock::take_if(args.apply.is_some(), &loaded, lock::Rungs::All).await?;
    let given = PruneOptions {
        keep: args.keep,
        shared_ok: args.shared_ok,
    };
    let wish = reviewed
        .as_ref()
        .map_or(given, |(_, saved)| saved.options.clone());
    let decide = |inventory: &Inventory| plan_prune(&loaded.catalog, inventory, &wish, run.clone());
    let inventory =
        uses::inventory(&loaded, &args.inventory, |inventory| decide(inventory).0).await?;
    unread::warn(&inventory);
    let (fates, plan) = match reviewed {
        Some((file, saved)) => unmoved(&loaded, &inventory, file, saved, run.clone())?,
        None => decide(&inventory),
    };
    ladder::show(&fates, args.json);
    for ami in foreign_images(&loaded.catalog.settings, &inventory) {
        ui::say(&format!(
            "left alone: {} in {} carries this catalog's tags but is not its own ({})",
            ami.id, ami.region, ami.name
        ));
    }
    for fate in fates.iter().filter(|f| f.restore) {
        ui::say(&format!(
            "{} in {} is on the way out but needed: `bakeline restore {}`",
            fate.ami, fate.region, fate.ami
        ));
    }
    if let Some(file) = &args.save {
        context::write(
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
    let brake = exceeds_limits(&brakes(&loaded, args), &fates);
    if args.apply.is_none() {
        say_what_would(&fates, brake);
        return Ok(0);
    }
    if let Some(why) = brake {
        return Err(Error::new(Kind::Refused, why)
            .hint("nothing was changed; look at `bakeline prune` first"));
    }
    if plan.steps.is_empty() {
        return unread::ended(&inventory, Ok(0));
    }
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
    unread::ended(&inventory, ladder::end(&loaded, &fates, &ran))
}

fn refuse_mixtures(args: &Prune) -> Result<()> {
    let usage = |what: &str, hint: &str| Err(Error::new(Kind::Usage, what).hint(hint));
    if args.apply.is_some() && args.inventory.inventory.is_some() {
        return usage(
            "--apply can't act on a recorded world",
            "leave out --inventory",
        );
    }
    let reviewed = matches!(args.apply, Some(Some(_)));
    if reviewed && (args.keep.is_some() || args.shared_ok) {
        return usage(
            "--keep and --shared-ok are part of what was reviewed",
            "give them together with --save",
        );
    }
    if args.apply.is_some() && args.save.is_some() {
        return usage(
            "--save and --apply exclude each other",
            "save first, review, then apply the file",
        );
    }
    Ok(())
}

fn brakes(loaded: &Loaded, args: &Prune) -> Brakes {
    let set = &loaded.catalog.settings.brakes;
    Brakes {
        most: args.most.unwrap_or(set.most),
        percent: args.percent.unwrap_or(set.percent),
    }
}

fn say_what_would(fates: &[RetentionDecision], brake: Option<String>) {
    let going = fates.iter().filter(|f| !f.due_stages.is_empty()).count();
    if going > 0 {
        ui::say(&format!(
            "{going} would go; run with --apply to move them down the ladder"
        ));
    }
    if let Some(why) = brake {
        ui::say(&format!("note: --apply would refuse: {why}"));
    }
}

/// Reads a reviewed prune; another catalog's or another shape's is wrong input.
fn read(loaded: &Loaded, file: &Path) -> Result<SavedPrune> {
    let bytes = context::read(file)?;
    let shown = file.display();
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| {
        Error::input(format!(
            "{shown}:{}:{}: it is not a saved prune",
            e.line(),
            e.column()
        ))
        .because(e)
    })?;
    if value["kind"] != KIND {
        return Err(Error::input(format!("{shown}: it is not a saved prune"))
            .hint("write one with `bakeline prune --save FILE`"));
    }
    if value["schema"] != SAVED_SCHEMA {
        let text = format!(
            "{shown}: its schema {} is not {SAVED_SCHEMA}",
            value["schema"]
        );
        return Err(Error::input(text).hint("save it again with this bakeline"));
    }
    let saved: SavedPrune = serde_json::from_value(value)
        .map_err(|e| Error::input(format!("{shown}: it is not a saved prune")).because(e))?;
    let name = loaded.catalog.settings.name.as_str();
    if saved.catalog != name {
        return Err(Error::input(format!(
            "{shown} is a prune of catalog `{}`, this is `{name}`",
            saved.catalog
        )));
    }
    Ok(saved)
}

/// How many differences are said.
const SAID: usize = 5;

/// What was reviewed, if every fact it was decided from still holds.
fn unmoved(
    loaded: &Loaded,
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
        "the world moved since {} was made: {}",
        file.display(),
        moved[0]
    );
    let mut error = Error::new(Kind::Refused, text);
    for more in moved.iter().skip(1).take(SAID) {
        error = error.hint(format!("and {more}"));
    }
    Err(error.hint("nothing was changed; save it again, review, apply"))
}
