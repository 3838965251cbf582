//! Implements `bakeline restore`: undoes the retirement of an AMI.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{InventoryArgs, Restore};
use crate::commands::summary;
use crate::commands::support::{context, gather, lock, run, unreachable};
use crate::engine::StepOutput;
use crate::engine::outcome::ScopeEnd;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::Record;
use crate::model::State;
use crate::plan::prune::restore;
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
    let inventory = gather::load_inventory(&loaded, &from, gather::Need::Images).await?;
    unreachable::warn_unreachable(&inventory);
    let wanted = |r: &&crate::model::Ami| {
        args.region
            .as_ref()
            .is_none_or(|region| r.region.as_str() == region)
    };
    let Some(ami) = inventory
        .images
        .iter()
        .filter(|a| a.id.as_str() == args.ami)
        .find(wanted)
    else {
        let location = args
            .region
            .as_ref()
            .map_or_else(String::new, |r| format!(" in {r}"));
        let none = Error::new(
            Kind::NotFound,
            format!(
                "catalog `{}` has no AMI {}{location}",
                settings.name, args.ami
            ),
        )
        .hint("`bakeline list` shows what exists; deregistered AMIs cannot be restored");
        return Err(unreachable::not_found_or_incomplete(&inventory, none));
    };
    let refused = |why: String| Err(Error::new(Kind::Refused, why).hint("nothing was changed"));
    let Some(record) = Record::read(ami, &settings.name) else {
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
    let plan = restore(&inventory, ami, run);
    let ran = run::execute_plan(&loaded, &inventory, &plan, run::RunOptions::INDEPENDENT).await?;
    for end in ran.outcome.scopes.values() {
        let ScopeEnd::Done { outputs } = end else {
            continue;
        };
        for output in outputs.values() {
            let StepOutput::Restored {
                state,
                permissions,
                lost,
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
        }
        ui::data(&args.ami);
        ui::say(
            "note: the next prune retires the AMI again unless a rule keeps it; promote, use or protect it",
        );
    }
    let name = settings.name.as_str();
    write_result(
        &ran,
        &json!({ "schema": 1, "catalog": name, "run": ran.outcome.run, "amis": ran.outcome.scopes }),
    );
    summary::exit_code(&ran)
}

fn write_result(ran: &run::RunResult, value: &Value) {
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    if let Err(e) = ran.directory.write("result.json", &text, false) {
        ui::say(&format!("warning: cannot write the result: {e}"));
    }
}
