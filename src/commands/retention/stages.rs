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
use crate::ui::table::Table;

/// Form in which decisions are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// A table with the deciding reason of each version.
    Reason,
    /// A table with the result of every rule for each AMI.
    Rules,
    /// Everything as JSON.
    Json,
}

impl Detail {
    /// Returns the form that the flags `--json` and `--explain` select.
    pub(crate) fn new(json: bool, explain: bool) -> Self {
        match (json, explain) {
            (true, _) => Self::Json,
            (false, true) => Self::Rules,
            (false, false) => Self::Reason,
        }
    }
}

/// Prints the decisions.
pub(crate) fn print_decisions(fates: &[RetentionDecision], detail: Detail) {
    match detail {
        Detail::Json => ui::json(&fates),
        Detail::Rules => ui::table(&rule_table(fates)),
        Detail::Reason => ui::table(&version_table(fates)),
    }
}

/// Returns a table with one row for the AMIs of a version that have the same decision. AMIs that
/// change are listed below their row.
fn version_table(fates: &[RetentionDecision]) -> Table {
    let mut table = Table::with_text(&["IMAGE", "VERSION", "ACTION", "AMI"], "REASON");
    let place = LocationNames::new(fates);
    let key = |f: &RetentionDecision| (f.image.clone(), f.version, f.action(), f.deciding_reason());
    let mut groups: Vec<Vec<&RetentionDecision>> = Vec::new();
    for fate in fates {
        let same = groups.iter_mut().rev();
        let mut same =
            same.take_while(|g| (&g[0].image, g[0].version) == (&fate.image, fate.version));
        match same.find(|group| key(group[0]) == key(fate)) {
            Some(group) => group.push(fate),
            None => groups.push(vec![fate]),
        }
    }
    for group in groups {
        let (image, version, action, reason) = key(group[0]);
        let amis = match group.as_slice() {
            [only] => only.ami.to_string(),
            several => format!("{} AMIs", several.len()),
        };
        let values = vec![
            image.to_string(),
            version.to_string(),
            action.to_owned(),
            amis,
        ];
        table.push_text(values, vec![reason]);
        let is_listed = group[0].retire && (group.len() > 1 || place.several);
        for fate in group.iter().filter(|_| is_listed) {
            table.push_detail(&place.describe(fate));
        }
    }
    table
}

/// Returns a table with the result of every rule for every AMI.
fn rule_table(fates: &[RetentionDecision]) -> Table {
    let mut table = Table::with_text(&["AMI", "RULE", "KEEPS"], "FINDING");
    let place = LocationNames::new(fates);
    for fate in fates {
        let title = format!(
            "{} {} {}: {}",
            fate.image,
            fate.version,
            place.describe(fate),
            fate.action()
        );
        for result in &fate.results {
            let keeps = if result.keep { "yes" } else { "-" };
            let values = vec![title.clone(), result.rule.clone(), keeps.to_owned()];
            table.push_text(values, vec![result.reason.clone()]);
        }
    }
    table
}

/// Names of the locations of AMIs, as short as the decisions allow.
struct LocationNames {
    several: bool,
    accounts: bool,
}

impl LocationNames {
    fn new(fates: &[RetentionDecision]) -> Self {
        let differs = |of: fn(&RetentionDecision) -> (&str, &str)| {
            fates.iter().any(|fate| of(fate) != of(&fates[0]))
        };
        Self {
            several: differs(|fate| (fate.region.as_str(), fate.owner.as_str())),
            accounts: differs(|fate| (fate.owner.as_str(), "")),
        }
    }

    /// Returns the ID of an AMI and its location.
    fn describe(&self, fate: &RetentionDecision) -> String {
        match (self.several, self.accounts) {
            (false, _) => fate.ami.to_string(),
            (true, false) => format!("{} in {}", fate.ami, fate.region),
            (true, true) => format!("{} in {}, account {}", fate.ami, fate.region, fate.owner),
        }
    }
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
