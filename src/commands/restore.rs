//! Owns `bakeline restore`: one AMI back up the ladder.

use std::path::Path;

use serde_json::{Value, json};

use super::{context, gather, lock, report, run, unread};
use crate::cli::{InventoryArgs, Restore};
use crate::engine::StepOutput;
use crate::engine::outcome::ScopeEnd;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::Record;
use crate::model::State;
use crate::plan::prune::restore;
use crate::ports::Workspace as _;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Restore) -> Result<u8> {
    let loaded = context::load(dir)?;
    let settings = &loaded.catalog.settings;
    let run = lock::take(&loaded, lock::Rungs::All).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::inventory(&loaded, &from, gather::Need::Images).await?;
    unread::warn(&inventory);
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
        .hint("`bakeline list` shows what exists; what is deregistered can't be restored");
        return Err(unread::missing(&inventory, none));
    };
    let refused = |why: String| Err(Error::new(Kind::Refused, why).hint("nothing was changed"));
    let Some(record) = Record::read(ami, &settings.name) else {
        return refused(format!(
            "{} in {} carries this catalog's tags but is not its own",
            ami.id, ami.region
        ));
    };
    if record.state != State::Retiring {
        if ami.status == "disabled" {
            return refused(format!(
                "{} in {} was disabled by somebody else than bakeline",
                ami.id, ami.region
            ));
        }
        ui::say(&format!(
            "{} in {} is {}: nothing to do",
            ami.id,
            ami.region,
            record.state.as_str()
        ));
        return Ok(0);
    }
    let plan = restore(&inventory, ami, run);
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
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
                "{} {} is {} again, launchable by {given} others",
                record.image,
                record.version,
                state.as_str()
            ));
            if *lost > 0 {
                ui::say(&format!(
                    "warning: {lost} of its launch permissions are recorded nowhere and are lost"
                ));
            }
        }
        ui::data(&args.ami);
        ui::say(
            "the next prune retires it again unless something keeps it: promote it, refer to it, or protect it",
        );
    }
    let name = settings.name.as_str();
    write(
        &ran,
        &json!({ "schema": 1, "catalog": name, "run": ran.outcome.run, "amis": ran.outcome.scopes }),
    );
    report::end(&ran)
}

fn write(ran: &run::Ran, value: &Value) {
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    if let Err(e) = ran.directory.write("result.json", &text, false) {
        ui::say(&format!("warning: the result can't be written: {e}"));
    }
}
