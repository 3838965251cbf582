//! Owns what a run says at its end: the table of decisions, the result file, the message, the exit code.

mod locations;
mod message;

use serde::Serialize;

use super::context;
use super::run::Ran;
use crate::catalog::Catalog;
use crate::engine::StepOutput;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{Record, lookup};
use crate::model::{AmiId, EnvName, ImageName, Inventory, Region, RunId, Version};
use crate::plan::Plan;
use crate::plan::step::{Decision, Verdict};
use crate::ports::Workspace as _;
use crate::ui;
use locations::{LocationReport, locations};
use message::slack;

/// What happened to one image.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ImageReport {
    pub(super) image: ImageName,
    /// `released`, `promoted`, `kept`, `failed`, `cancelled`, `not started`, `stuck`.
    pub(super) status: &'static str,
    pub(super) version: Option<Version>,
    pub(super) ami: Option<AmiId>,
    pub(super) region: Region,
    /// What it stays at, where nothing new was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Version>,
    pub(super) reasons: Vec<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<u64>,
    /// What the new version brings, compared with the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<String>,
    /// What the boot checks came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checks: Option<String>,
    /// Where and why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    /// What to do next, or what is left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<String>,
    /// What happened at further locations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "places")]
    pub(super) locations: Vec<LocationReport>,
}

/// What a run came to; the result file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) schema: u32,
    pub(super) catalog: String,
    pub(super) run: RunId,
    pub(super) environment: EnvName,
    pub(super) seconds: i64,
    pub(super) images: Vec<ImageReport>,
}

impl Report {
    /// Joins decisions and ends; without an outcome nothing was to be done.
    pub(super) fn new(
        catalog: &Catalog,
        inventory: &Inventory,
        plan: &Plan,
        outcome: Option<&Outcome>,
    ) -> Self {
        let region = catalog.settings.home();
        let mut images: Vec<ImageReport> = plan
            .decisions
            .iter()
            .map(|d| image(d, outcome, region, "released"))
            .collect();
        let records = Record::all(&inventory.images, &catalog.settings.name);
        let lowest = &catalog.settings.environments[0].name;
        for report in images
            .iter_mut()
            .filter(|i| !matches!(i.status, "released" | "kept"))
        {
            let arch = catalog
                .images
                .get(&report.image)
                .map(|i| i.arch)
                .unwrap_or_default();
            report.kept = lookup::current(&records, &report.image, lowest, arch).map(|r| r.version);
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

    /// The same with the time that each image took, from which the next plan says how long it may take.
    pub(super) fn timed(mut self, ran: &Ran) -> Self {
        for image in &mut self.images {
            image.seconds = ran.seconds.get(image.image.as_str()).copied();
        }
        self
    }

    /// The same for what is no release, with its own word for what was done.
    pub(super) fn ended(mut self, env: &EnvName, word: &'static str) -> Self {
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

fn image(
    decision: &Decision,
    outcome: Option<&Outcome>,
    region: &Region,
    done: &'static str,
) -> ImageReport {
    let mut report = ImageReport {
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
        locations: outcome.map_or_else(Vec::new, |o| locations(o, decision, done)),
    };
    match outcome.and_then(|o| o.scopes.get(decision.image.as_str())) {
        None => {
            let worst = report
                .locations
                .iter()
                .find(|p| p.status != done)
                .or(report.locations.first());
            report.status = worst.map_or(report.status, |p| p.status);
        }
        Some(ScopeEnd::Done { outputs }) => {
            report.status = if decision.verdict == Verdict::Recheck {
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
        Some(ScopeEnd::Cancelled { step }) => {
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
            report.hints = left.iter().map(|l| format!("left behind: {l}")).collect();
        }
    }
    report
}

/// The table of decisions.
pub(super) fn decisions(plan: &Plan) -> String {
    let dash = || "-".to_owned();
    let rows: Vec<Vec<String>> = plan
        .decisions
        .iter()
        .map(|d| {
            let version = d.version.map_or_else(dash, |v| v.to_string());
            vec![
                d.image.to_string(),
                d.verdict.as_str().to_owned(),
                version,
                built_on(d),
                d.reasons.join("; "),
            ]
        })
        .collect();
    ui::table::columns(&["IMAGE", "DO", "VERSION", "BUILT ON", "BECAUSE"], &rows)
}

/// What an image is built on, and why that.
pub(super) fn built_on(decision: &Decision) -> String {
    match (&decision.base, &decision.base_because) {
        (Some(base), Some(because)) => format!("{base}: {because}"),
        (Some(base), None) => base.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// A release with an image that can't be built does nothing: the catalog, or what it names, is wrong.
pub(super) fn blocked(plan: &Plan) -> Option<Error> {
    let found = plan
        .decisions
        .iter()
        .find(|d| d.verdict == Verdict::Blocked)?;
    let error = Error::input(format!(
        "`{}` can't be built: {}",
        found.image,
        found.reasons.join("; ")
    ));
    Some(error.hint("nothing was changed; mend it, or release the other images by name"))
}

/// What may not happen to these images, each with every reason.
pub(super) fn refused(plan: &Plan, word: &str) -> Option<Error> {
    let blocked = plan
        .decisions
        .iter()
        .filter(|d| d.verdict == Verdict::Blocked);
    let said: Vec<String> = blocked
        .map(|d| format!("`{}` is not {word}: {}", d.image, d.reasons.join("; ")))
        .collect();
    (!said.is_empty())
        .then(|| Error::new(Kind::Refused, said.join("; ")).hint("nothing was changed"))
}

/// Ends a run for people: the result file, the message, the table, the exit code. Neither file nor message can fail it.
pub(super) async fn conclude(
    catalog: &Catalog,
    inventory: &Inventory,
    report: &Report,
    ran: &Ran,
    as_json: bool,
) -> Result<u8> {
    let text = serde_json::to_vec_pretty(report).unwrap_or_default();
    if let Err(e) = ran.directory.write("result.json", &text, false) {
        ui::say(&format!("warning: the result can't be written: {e}"));
    }
    let key = crate::evidence::keys::report(&catalog.settings.name, &report.run);
    if let Err(e) = ran.store.put(&key, &text).await {
        ui::say(&format!("warning: the result is not in the store: {e}"));
    }
    let http = context::http();
    crate::notify::tell(
        catalog,
        &slack(report, inventory),
        &context::webhook,
        http.as_deref(),
    )
    .await;
    show(report, as_json);
    end(ran)
}

/// Shows the ids on stdout.
pub(super) fn show(report: &Report, as_json: bool) {
    if as_json {
        return ui::json(report);
    }
    let dash = || "-".to_owned();
    let rows: Vec<Vec<String>> = report
        .images
        .iter()
        .flat_map(|i| {
            let version = i.version.map_or_else(dash, |v| v.to_string());
            let ami = i.ami.as_ref().map_or_else(dash, ToString::to_string);
            let checks = i.checks.clone().unwrap_or_else(dash);
            let status = match i.kept {
                Some(version) => format!("{}, stays at {version}", i.status),
                None => i.status.to_owned(),
            };
            let version = if i.failure.is_some() { dash() } else { version };
            let mut rows = vec![vec![
                i.image.to_string(),
                status,
                version.clone(),
                ami,
                i.region.to_string(),
                checks,
            ]];
            rows.extend(i.locations.iter().map(|p| {
                let ami = p.ami.as_ref().map_or_else(dash, ToString::to_string);
                vec![
                    i.image.to_string(),
                    p.status.to_owned(),
                    version.clone(),
                    ami,
                    p.location.clone(),
                    dash(),
                ]
            }));
            rows
        })
        .collect();
    ui::data(&ui::table::columns(
        &["IMAGE", "STATUS", "VERSION", "AMI", "REGION", "BOOT CHECKS"],
        &rows,
    ));
}

/// The exit code, or the worst failure as an error.
pub(super) fn end(ran: &Ran) -> Result<u8> {
    let directory = ran.directory.root().display();
    let Some(kind) = ran.outcome.kind() else {
        return Ok(0);
    };
    let mut error = Error::new(kind, headline(&ran.outcome));
    for (scope, end) in &ran.outcome.scopes {
        match end {
            ScopeEnd::Failed {
                verb,
                error: text,
                hints,
                ..
            } => {
                ui::say(&format!("failed: {scope}: could not {verb}: {text}"));
                for hint in hints {
                    error = error.hint(format!("{scope}: {hint}"));
                }
            }
            ScopeEnd::Stuck {
                verb,
                error: text,
                left,
                ..
            } => {
                ui::say(&format!("stuck: {scope}: could not {verb}: {text}"));
                for what in left {
                    error = error.hint(format!("{scope}: left behind: {what}"));
                }
            }
            _ => {}
        }
    }
    Err(error.hint(format!("everything about this run is in {directory}")))
}

fn headline(outcome: &Outcome) -> String {
    let count =
        |wanted: fn(&ScopeEnd) -> bool| outcome.scopes.values().filter(|e| wanted(e)).count();
    let parts = [
        (count(|e| matches!(e, ScopeEnd::Done { .. })), "done"),
        (count(|e| matches!(e, ScopeEnd::Failed { .. })), "failed"),
        (count(|e| matches!(e, ScopeEnd::Stuck { .. })), "stuck"),
        (
            count(|e| matches!(e, ScopeEnd::Cancelled { .. })),
            "cancelled",
        ),
        (
            count(|e| matches!(e, ScopeEnd::NotStarted { .. })),
            "not started",
        ),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    format!("run {} did not succeed: {}", outcome.run, words.join(", "))
}
