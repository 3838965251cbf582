//! Owns `bakeline doctor`: what is wrong with the tags, pointers and evidence of all locations, repaired with --apply.

use std::path::Path;

use super::{context, gather, lock, report, run};
use crate::cli::Doctor;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::doctor::Discrepancy;
use crate::model::Inventory;
use crate::plan::doctor::plan_repairs;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Doctor) -> Result<u8> {
    if args.apply && args.inventory.inventory.is_some() {
        return Err(
            Error::new(Kind::Usage, "--apply can't act on a recorded world")
                .hint("leave out --inventory"),
        );
    }
    let loaded = context::load(dir)?;
    let run = lock::take_if(args.apply, &loaded, lock::Rungs::All).await?;
    let inventory = gather::inventory(&loaded, &args.inventory, gather::Need::Pointers).await?;
    let (findings, plan) = plan_repairs(&loaded.catalog, &inventory, run);
    if args.json {
        ui::json(&findings);
    } else {
        show(&findings);
    }
    let wrong: Vec<&Discrepancy> = findings.iter().filter(|f| !f.lost).collect();
    if wrong.is_empty() {
        ui::say(agreement(&inventory));
        return Ok(0);
    }
    if args.apply && !plan.steps.is_empty() {
        let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
        report::end(&ran)?;
        ui::say(&format!("{} repaired", plan.steps.len()));
    }
    let left: Vec<&Discrepancy> = wrong
        .iter()
        .filter(|f| f.manual_action.is_some())
        .copied()
        .collect();
    if args.apply && left.is_empty() {
        return Ok(0);
    }
    let mut error = if args.apply {
        Error::new(
            Kind::Stuck,
            format!("{} finding(s) can't be repaired by tags alone", left.len()),
        )
    } else {
        let error = Error::new(
            Kind::Stuck,
            format!("{} finding(s); nothing was changed", wrong.len()),
        );
        if plan.steps.is_empty() {
            error
        } else {
            error.hint("run `bakeline doctor --apply` to repair")
        }
    };
    for finding in left {
        if let Some(by_hand) = &finding.manual_action {
            error = error.hint(format!("{}: {by_hand}", finding.location));
        }
    }
    Err(error)
}

/// What agrees, as far as it was looked at.
fn agreement(inventory: &Inventory) -> &'static str {
    match inventory.evidence.store {
        Some(_) => "tags, pointers and store agree at all places",
        None => {
            "tags and pointers agree at all places; the recorded world says nothing of the store"
        }
    }
}

fn show(findings: &[Discrepancy]) {
    let repair = |f: &Discrepancy| match &f.manual_action {
        _ if f.lost => "none: it can't be made again".to_owned(),
        Some(by_hand) => by_hand.clone(),
        None => "doctor --apply".to_owned(),
    };
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|f| vec![f.location.clone(), f.description.clone(), repair(f)])
        .collect();
    if !rows.is_empty() {
        ui::data(&ui::table::columns(&["PLACE", "FINDING", "REPAIR"], &rows));
    }
}
