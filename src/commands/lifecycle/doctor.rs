//! Implements `bakeline doctor`: compares tags, pointers and the store, and repairs differences.

use std::path::Path;

use crate::cli::Doctor;
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::doctor::Discrepancy;
use crate::model::Inventory;
use crate::plan::doctor::plan_repairs;
use crate::ui;
use crate::ui::table::Table;

pub(crate) async fn run(dir: &Path, args: &Doctor) -> Result<u8> {
    if args.apply && args.inventory.inventory.is_some() {
        return Err(Error::new(
            ErrorKind::Usage,
            "--apply cannot be used with recorded facts",
        )
        .hint("remove --inventory"));
    }
    let loaded = context::load_catalog(dir)?;
    let run = lock::take_locks_if(args.apply, &loaded, lock::LockScope::All).await?;
    let inventory = gather::load_inventory(
        &loaded,
        &args.inventory,
        gather::Need::Pointers,
        AccessMode::change_if(args.apply, "doctor", &run),
    )
    .await?;
    let (findings, plan) = plan_repairs(&loaded.catalog, &inventory, run);
    if args.json {
        ui::json(&findings);
    } else {
        print_findings(&findings);
    }
    let wrong: Vec<&Discrepancy> = findings.iter().filter(|f| !f.lost).collect();
    if wrong.is_empty() {
        ui::say(&agreement_message(&inventory, findings.len()));
        return Ok(0);
    }
    if args.apply && !plan.steps.is_empty() {
        let ran = run::execute_plan(
            &loaded,
            &inventory,
            &plan,
            run::RunOptions::independent("doctor"),
        )
        .await?;
        summary::exit_code(&ran)?;
        ui::say(&format!(
            "repaired {}",
            ui::count(plan.steps.len(), "finding")
        ));
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
            ErrorKind::Stuck,
            match left.len() {
                1 => "1 finding needs manual repair".to_owned(),
                many => format!("{many} findings need manual repair"),
            },
        )
    } else {
        let error = Error::new(
            ErrorKind::Stuck,
            format!("{}; nothing was changed", ui::count(wrong.len(), "finding")),
        );
        if plan.steps.is_empty() {
            error
        } else {
            error.hint("run `bakeline doctor --apply` to repair them")
        }
    };
    for finding in left {
        if let Some(by_hand) = &finding.manual_action {
            error = error.hint(format!("{}: {by_hand}", finding.location));
        }
    }
    Err(error)
}

/// Returns the message for an inventory without differences that can be repaired. `lost` is the number
/// of findings about lost evidence.
fn agreement_message(inventory: &Inventory, lost: usize) -> String {
    match (&inventory.evidence.store, lost) {
        (None, _) => {
            "tags and pointers are consistent; the recorded facts exclude the store".to_owned()
        }
        (Some(_), 0) => "tags, pointers and store are consistent in all locations".to_owned(),
        (Some(_), lost) => {
            format!(
                "tags and pointers are consistent; the store lacks evidence ({})",
                ui::count(lost, "finding")
            )
        }
    }
}

fn print_findings(findings: &[Discrepancy]) {
    if findings.is_empty() {
        return;
    }
    let mut table = Table::with_text(&["LOCATION"], "FINDING");
    for finding in findings {
        let repair = match &finding.manual_action {
            _ if finding.lost => "repair: none, this evidence cannot be recreated".to_owned(),
            Some(by_hand) => format!("repair: {by_hand}"),
            None => "repair: bakeline doctor --apply".to_owned(),
        };
        let text = vec![finding.description.clone(), repair];
        table.push_text(vec![finding.location.clone()], text);
    }
    ui::table(&table);
}
