//! Summarizes a run: the decision table, the result file, the Slack message and the exit code.

mod blocked;
mod locations;
mod message;
mod table;

use serde::Serialize;

use crate::catalog::Catalog;
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::run::RunResult;
use crate::commands::support::stored_evidence;
use crate::engine::StepOutput;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::{Error, Result};
use crate::lifecycle::{Record, lookup};
use crate::model::{AmiId, EnvName, ImageName, Inventory, Region, RunId, Version};
use crate::plan::step::{Decision, PlanVerdict};
use crate::plan::{Plan, Scope};
use crate::ports::Workspace as _;
use crate::ui;
pub(super) use blocked::blocked_error;
use blocked::{blocked_images, refused_error};
use locations::{LocationSummary, location_summaries, may_have_moved, revocation_summaries};
use message::slack_values;
use table::result_table;
pub(super) use table::{base_cell, decision_table};

/// Result for one image.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ImageSummary {
    pub(super) image: ImageName,
    /// `released`, `promoted`, `kept`, `planned`, `failed`, `cancelled`, `not started`, `stuck`.
    pub(super) status: &'static str,
    pub(super) version: Option<Version>,
    pub(super) ami: Option<AmiId>,
    pub(super) region: Region,
    /// Version that stays current if no new version was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Version>,
    pub(super) reasons: Vec<String>,
    /// Duration of its steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<u64>,
    /// Changes of the new version, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<String>,
    /// Summary of the boot checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checks: Option<String>,
    /// Failed step and its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    /// Next actions, or resources that are left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<String>,
    /// Results in other locations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "places")]
    pub(super) locations: Vec<LocationSummary>,
}

/// Summary of a run; the contents of `result.json`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunSummary {
    pub(super) schema: u32,
    pub(super) catalog: String,
    pub(super) run: RunId,
    pub(super) environment: EnvName,
    pub(super) seconds: i64,
    pub(super) images: Vec<ImageSummary>,
}

impl RunSummary {
    /// Combines the decisions of a plan and the outcome of a run. Without an outcome, no steps ran.
    pub(super) fn new(
        catalog: &Catalog,
        inventory: &Inventory,
        plan: &Plan,
        outcome: Option<&Outcome>,
    ) -> Self {
        let region = catalog.settings.home();
        let mut images: Vec<ImageSummary> = plan
            .decisions
            .iter()
            .map(|d| image_summary(d, outcome, region, "released"))
            .collect();
        let records = Record::read_all(&inventory.images, &catalog.settings);
        for (decision, image) in plan.decisions.iter().zip(&mut images) {
            let subject = &decision.image;
            for at in &mut image.locations {
                at.add_changed_ami(plan, subject, &records);
            }
        }
        let is_preview = outcome.is_none() && !plan.steps.is_empty();
        for (decision, image) in plan.decisions.iter().zip(&mut images) {
            if is_preview && decision.verdict != PlanVerdict::Keep {
                image.status = "planned";
            }
        }
        let decided = plan.decisions.iter().zip(&mut images);
        for (decision, image) in decided.filter(|(d, _)| d.verdict == PlanVerdict::Revoke) {
            if let Some(outcome) = outcome {
                let own = &inventory.account;
                image.set_revoked(revocation_summaries(
                    outcome, decision, &records, own, "released",
                ));
            }
        }
        let lowest = &catalog.settings.environments[0].name;
        for report in images.iter_mut().filter(|i| {
            !matches!(i.status, "released" | "kept" | "planned")
                && !may_have_moved(plan, outcome, &i.image)
        }) {
            let arch = catalog
                .images
                .get(&report.image)
                .map(|i| i.arch)
                .unwrap_or_default();
            report.kept =
                lookup::find_current(&records, &report.image, lowest, arch).map(|r| r.version);
        }
        Self {
            schema: 1,
            catalog: catalog.settings.name.to_string(),
            run: plan.run.clone(),
            environment: catalog.settings.environments[0].name.clone(),
            seconds: outcome.map_or(0, |o| o.ended.as_second() - o.started.as_second()),
            images,
        }
    }

    /// Adds the duration of each image. Later plans estimate durations from these values.
    pub(super) fn with_times(mut self, ran: &RunResult) -> Self {
        for image in &mut self.images {
            image.seconds = ran.seconds.get(&Scope::of_image(&image.image)).copied();
        }
        self
    }

    /// Sets the environment, and replaces the status `released` by that of another command.
    pub(super) fn with_status(mut self, env: &EnvName, word: &'static str) -> Self {
        self.environment = env.clone();
        for image in &mut self.images {
            let locations = image.locations.iter_mut().map(|p| &mut p.status);
            for status in locations
                .chain([&mut image.status])
                .filter(|s| **s == "released")
            {
                *status = word;
            }
        }
        self
    }
}

impl ImageSummary {
    /// Sets the results of a revocation in all locations. The status of the image is the worst one.
    fn set_revoked(&mut self, locations: Vec<LocationSummary>) {
        let worst = locations.iter().find(|at| at.failure.is_some());
        self.status = worst
            .or(locations.first())
            .map_or(self.status, |at| at.status);
        self.locations = locations;
    }
}

fn image_summary(
    decision: &Decision,
    outcome: Option<&Outcome>,
    region: &Region,
    done: &'static str,
) -> ImageSummary {
    let mut report = ImageSummary {
        image: decision.image.clone(),
        status: "kept",
        version: decision.version,
        ami: decision.ami.clone(),
        region: region.clone(),
        kept: None,
        changed: None,
        reasons: decision.reasons.clone(),
        seconds: None,
        checks: None,
        failure: None,
        hints: Vec::new(),
        locations: outcome.map_or_else(Vec::new, |o| location_summaries(o, decision, done)),
    };
    match outcome.and_then(|o| o.scopes.get(&Scope::of_image(&decision.image))) {
        None => {
            let worst = report
                .locations
                .iter()
                .find(|p| p.status != done)
                .or(report.locations.first());
            report.status = worst.map_or(report.status, |p| p.status);
        }
        Some(ScopeEnd::Done { outputs }) => {
            report.status = if decision.verdict == PlanVerdict::Recheck {
                "rechecked"
            } else {
                done
            };
            let made = outputs.values().find_map(StepOutput::ami);
            report.ami = made.cloned().or(report.ami);
            report.checks = outputs
                .values()
                .find_map(StepOutput::summary)
                .map(str::to_owned);
        }
        Some(ScopeEnd::Failed {
            verb, error, hints, ..
        }) => {
            report.status = "failed";
            report.failure = Some(format!("could not {verb}: {error}"));
            report.hints.clone_from(hints);
        }
        Some(ScopeEnd::Cancelled { step, .. }) => {
            report.status = "cancelled";
            report.failure = Some(format!("cancelled at {step}"));
        }
        Some(ScopeEnd::NotStarted { because }) => {
            report.status = "not started";
            report.failure = Some(because.clone());
        }
        Some(ScopeEnd::Stuck {
            verb, error, left, ..
        }) => {
            report.status = "stuck";
            report.failure = Some(format!("could not {verb}: {error}"));
            report.hints = left.iter().map(|l| format!("not removed: {l}")).collect();
        }
    }
    report
}

/// Writes the result file, sends the Slack message, prints the table, and returns the exit code.
/// A failure of the file or the message is a warning.
pub(super) async fn finish_run(
    catalog: &Catalog,
    inventory: &Inventory,
    report: &RunSummary,
    ran: &RunResult,
    as_json: bool,
) -> Result<u8> {
    let text = serde_json::to_vec_pretty(report).unwrap_or_default();
    if let Err(e) = ran.directory.write("result.json", &text, false) {
        ui::say(&format!("warning: cannot write the result: {e}"));
    }
    let name = &catalog.settings.name;
    if let Err(e) = stored_evidence::store_result(&*ran.store, name, &report.run, &text).await {
        ui::say(&format!(
            "warning: cannot write the result to the store: {e}"
        ));
    }
    let http = context::http_client();
    let unsent = crate::notify::send_notifications(
        catalog,
        &slack_values(report, inventory),
        &context::webhook_secret,
        http.as_deref(),
    )
    .await;
    for error in unsent {
        ui::say(&format!("warning: {error}"));
    }
    print_summary(report, as_json);
    exit_code(ran)
}

/// Prints the decisions of a plan, on stdout if they are the result of the command. Returns an error if
/// images are blocked; if all are, it has the reasons and no table is necessary. `action` is a past
/// participle, such as `promoted`.
pub(super) fn print_decisions(plan: &Plan, action: &str, is_result: bool) -> Result<()> {
    let refused = refused_error(plan, action);
    if refused.is_none() || blocked_images(plan).count() < plan.decisions.len() {
        let table = decision_table(plan);
        match is_result {
            true => ui::table(&table),
            false => ui::say_table(&table),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Next step after the preview of a command with `--dry-run`.
pub(super) const WITHOUT_DRY_RUN: &str = "run again without --dry-run to proceed";
/// Next step after the preview of a command with `--apply`.
pub(super) const WITH_APPLY: &str = "run again with --apply to proceed";

/// Prints the result of a plan that is not executed: a preview, or a plan without steps. `preview` is
/// the next step after a preview, whose decisions are already on stdout. Returns false if the plan has
/// to be executed.
pub(super) fn report_unexecuted(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    plan: &Plan,
    as_json: bool,
    preview: Option<&str>,
) -> bool {
    let has_steps = !plan.steps.is_empty();
    if has_steps && preview.is_none() {
        return false;
    }
    if as_json || preview.is_none() {
        let report = RunSummary::new(&loaded.catalog, inventory, plan, None);
        print_summary(&report, as_json);
    }
    if let Some(next) = preview {
        ui::say(&match has_steps {
            false => "nothing to do".to_owned(),
            true => format!("nothing was changed; {next}"),
        });
    }
    true
}

/// Prints the result of each image on stdout.
pub(super) fn print_summary(report: &RunSummary, as_json: bool) {
    if as_json {
        return ui::json(report);
    }
    ui::table(&result_table(report));
}

/// Returns exit code 0, or the most severe failure as an error.
pub(super) fn exit_code(ran: &RunResult) -> Result<u8> {
    let directory = ran.directory.root().display();
    let Some(kind) = ran.outcome.kind() else {
        return Ok(0);
    };
    say_failures(&ran.outcome);
    let mut error = Error::new(kind, outcome_headline(&ran.outcome));
    for (scope, end) in &ran.outcome.scopes {
        match end {
            ScopeEnd::Failed { hints, .. } => {
                for hint in hints {
                    error = error.hint(format!("{scope}: {hint}"));
                }
            }
            ScopeEnd::Stuck { left, .. } => {
                for what in left {
                    error = error.hint(format!("{scope}: not removed: {what}"));
                }
            }
            _ => {}
        }
    }
    if let Some(hint) = cancellation_hint(&ran.outcome) {
        error = error.hint(hint);
    }
    Err(error.hint(format!("the files of this run are in {directory}")))
}

/// Prints the errors of all failed scopes.
pub(super) fn say_failures(outcome: &Outcome) {
    for (scope, end) in &outcome.scopes {
        if let ScopeEnd::Failed { verb, error, .. } | ScopeEnd::Stuck { verb, error, .. } = end {
            let status = end.status();
            ui::say_message(&format!("{status}: {scope}: could not {verb}: {error}"));
        }
    }
}

/// Returns why images were cancelled, and the setting that continues with them.
fn cancellation_hint(outcome: &Outcome) -> Option<String> {
    let failed = outcome.stopped_by.as_ref()?;
    let is_cancelled = |end: &ScopeEnd| matches!(end, ScopeEnd::Cancelled { .. });
    outcome.scopes.values().any(is_cancelled).then(|| {
        format!(
            "`{failed}` failed, so the others were cancelled; `on_failure: continue` in bakeline.yaml \
             continues with them"
        )
    })
}

fn outcome_headline(outcome: &Outcome) -> String {
    format!("run {} failed: {}", outcome.run, outcome.counts_text())
}
