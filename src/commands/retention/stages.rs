//! Prints retirement decisions, writes the result file of `prune` and `retire`, and sets the exit
//! code.

use serde::Serialize;

use crate::commands::summary;
use crate::commands::support::context::LoadedCatalog;
use crate::commands::support::run::RunResult;
use crate::engine::outcome::ScopeEnd;
use crate::error::Result;
use crate::lifecycle::retention::RetentionDecision;
use crate::lifecycle::retirement::RetirementStage;
use crate::model::{AmiId, ImageName, Region, RunId, Version};
use crate::plan::Scope;
use crate::ports::Workspace as _;
use crate::ui;

/// Prints the decisions as a table, or with the result of every rule as JSON.
pub(crate) fn print_decisions(fates: &[RetentionDecision], as_json: bool) {
    if as_json {
        return ui::json(&fates);
    }
    let several = fates
        .iter()
        .any(|f| (&f.region, &f.owner) != (&fates[0].region, &fates[0].owner));
    let mut head = vec!["IMAGE", "VERSION", "AMI", "ACTION", "REASON"];
    if several {
        head.insert(3, "LOCATION");
    }
    let row = |f: &RetentionDecision| {
        let mut row = vec![
            f.image.to_string(),
            f.version.to_string(),
            f.ami.to_string(),
            f.action().to_owned(),
            f.reason(),
        ];
        if several {
            row.insert(3, format!("{} {}", f.region, f.owner));
        }
        row
    };
    ui::data(&ui::table::columns(
        &head,
        &fates.iter().map(row).collect::<Vec<_>>(),
    ));
}

/// Result for one AMI.
#[derive(Debug, Serialize)]
struct AmiResult<'a> {
    ami: &'a AmiId,
    region: &'a Region,
    owner: &'a str,
    image: &'a ImageName,
    version: Version,
    /// `done`, `failed`, `stuck`, `cancelled`, `not started`.
    status: &'static str,
    rungs: &'a [RetirementStage],
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// Contents of the result file.
#[derive(Debug, Serialize)]
struct ResultFile<'a> {
    schema: u32,
    catalog: String,
    run: RunId,
    seconds: i64,
    amis: Vec<AmiResult<'a>>,
}

/// Writes the result file, prints the counts, and returns the exit code.
pub(crate) fn finish_retirement(
    loaded: &LoadedCatalog,
    fates: &[RetentionDecision],
    ran: &RunResult,
) -> Result<u8> {
    let outcome = &ran.outcome;
    let moved = |fate: &'_ RetentionDecision| {
        outcome
            .scopes
            .get(&Scope::of_ami(&fate.ami))
            .map(scope_status)
    };
    let amis = fates.iter().filter_map(|fate| {
        let (status, failure) = moved(fate)?;
        let reason = fate.reason();
        let RetentionDecision {
            ami,
            region,
            owner,
            image,
            version,
            due_stages: next,
            ..
        } = fate;
        Some(AmiResult {
            ami,
            region,
            owner,
            image,
            version: *version,
            status,
            rungs: next,
            reason,
            failure,
        })
    });
    let result = ResultFile {
        schema: 1,
        catalog: loaded.catalog.settings.name.to_string(),
        run: outcome.run.clone(),
        seconds: outcome.ended.as_second() - outcome.started.as_second(),
        amis: amis.collect(),
    };
    let text = serde_json::to_vec_pretty(&result).unwrap_or_default();
    if let Err(e) = ran.directory.write("result.json", &text, false) {
        ui::say(&format!("warning: cannot write the result: {e}"));
    }
    for rung in [
        RetirementStage::Deprecate,
        RetirementStage::Disable,
        RetirementStage::Deregister,
    ] {
        let count = result
            .amis
            .iter()
            .filter(|m| m.status == "done" && m.rungs.last() == Some(&rung))
            .count();
        if count > 0 {
            ui::say(&format!(
                "{count} {}d",
                if rung == RetirementStage::Deregister {
                    "deregistere"
                } else {
                    rung.as_str()
                }
            ));
        }
    }
    summary::exit_code(ran)
}

fn scope_status(end: &ScopeEnd) -> (&'static str, Option<String>) {
    match end {
        ScopeEnd::Done { .. } => ("done", None),
        ScopeEnd::Failed { verb, error, .. } => {
            ("failed", Some(format!("could not {verb}: {error}")))
        }
        ScopeEnd::Cancelled { step, .. } => ("cancelled", Some(format!("cancelled at {step}"))),
        ScopeEnd::NotStarted { because } => ("not started", Some(because.clone())),
        ScopeEnd::Stuck { verb, error, .. } => {
            ("stuck", Some(format!("could not {verb}: {error}")))
        }
        #[expect(unreachable_patterns, reason = "more variants may follow")]
        _ => ("ended", None),
    }
}
