//! Implements `bakeline restore`: undoes the retirement of an AMI.

use std::path::Path;

use serde_json::{Value, json};

use crate::catalog::Settings;
use crate::cli::{InventoryArgs, Restore};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run, unreachable};
use crate::engine::StepOutput;
use crate::engine::outcome::ScopeEnd;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::Record;
use crate::model::{Ami, Inventory, State};
use crate::plan::prune::plan_restore;
use crate::ports::Workspace as _;
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Restore) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let settings = &loaded.catalog.settings;
    let run = lock::take_locks(&loaded, lock::LockScope::All).await?;
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
    unreachable::warn_unreachable(&inventory);
    let ami = find_ami(&inventory, settings, args)?;
    let refused =
        |why: String| Err(Error::new(ErrorKind::Refused, why).hint("nothing was changed"));
    let Some(record) = Record::read(ami, settings) else {
        return refused(format!(
            "{} in {} has the tags of this catalog but was not created by it",
            ami.id, ami.region
        ));
    };
    if record.state != State::Retiring {
        if ami.status == "disabled" {
            return refused(format!(
                "{} in {} was not disabled by bakeline",
                ami.id, ami.region
            ));
        }
        ui::say(&format!(
            "{} in {} is {} already; nothing to do",
            ami.id,
            ami.region,
            record.state.as_str()
        ));
        return Ok(0);
    }
    let plan = plan_restore(&inventory, ami, run);
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("restore"),
    )
    .await?;
    print_restored(&ran, &record, &args.ami);
    let name = settings.name.as_str();
    write_result(
        &ran,
        &json!({ "schema": 1, "catalog": name, "run": ran.outcome.run, "amis": ran.outcome.scopes }),
    );
    summary::exit_code(&ran)
}

/// Returns the AMI with the requested ID and Region.
fn find_ami<'i>(inventory: &'i Inventory, settings: &Settings, args: &Restore) -> Result<&'i Ami> {
    let is_wanted = |ami: &&Ami| {
        let region = args.region.as_deref();
        ami.id.as_str() == args.ami && region.is_none_or(|region| ami.region.as_str() == region)
    };
    inventory.images.iter().find(is_wanted).ok_or_else(|| {
        let location = args
            .region
            .as_ref()
            .map_or_else(String::new, |r| format!(" in {r}"));
        let message = format!(
            "catalog `{}` has no AMI {}{location}",
            settings.name, args.ami
        );
        let error = Error::new(ErrorKind::NotFound, message)
            .hint("`bakeline list` shows what exists; deregistered AMIs cannot be restored");
        unreachable::not_found_or_incomplete(inventory, error)
    })
}

/// Prints the result of each finished scope, and the ID of the AMI.
fn print_restored(ran: &run::RunResult, record: &Record<'_>, ami: &str) {
    for end in ran.outcome.scopes.values() {
        let ScopeEnd::Done { outputs } = end else {
            continue;
        };
        for output in outputs.values() {
            let StepOutput::Restored {
                state,
                permissions,
                lost,
                refused,
                ..
            } = output
            else {
                continue;
            };
            let given = permissions.len();
            ui::say(&format!(
                "{} {} is {} again and shared with {given} others",
                record.image,
                record.version,
                state.as_str()
            ));
            if *lost > 0 {
                ui::say(&format!(
                    "warning: {lost} launch permissions are not recorded and cannot be restored"
                ));
            }
            if let Some(error) = refused {
                ui::say(&format!(
                    "warning: the AMI was public, and EC2 refused to make it public again: {error}; turn off Block Public Access for AMIs in this Region, then share it with everybody"
                ));
            }
        }
        ui::data(ami);
        ui::say(
            "note: the next prune retires the AMI again unless a rule keeps it; promote, use or protect it",
        );
    }
}

fn write_result(ran: &run::RunResult, value: &Value) {
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    if let Err(e) = ran.directory.write("result.json", &text, false) {
        ui::say(&format!("warning: cannot write the result: {e}"));
    }
}
