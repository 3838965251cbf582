//! Implements `bakeline plan`: shows which images a release would build, and why.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::plan_note::{PlanPage, write_plan_note};
use super::{clock, since};
use crate::adapters::system::new_run_id;
use crate::catalog::Catalog;
use crate::cli::{Format, Plan as Args};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::{gather, prerequisites, templates};
use crate::error::Result;
use crate::model::{ImageName, Inventory};
use crate::plan::Plan;
use crate::plan::release::{PLAN_SCHEMA, ReleaseRequest, plan_release};
use crate::plan::saved::SavedRelease;
use crate::plan::step::PlanVerdict;
use crate::plan::waves::{Wave, waves};
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let mut page = None;
    let result = show_plan(dir, args, &mut page).await;
    if args.gitlab_note {
        write_plan_note(dir, page.as_ref(), result.as_ref().err()).await;
    }
    result
}

/// Prints the plan. Sets `page` if the plan is needed as a note.
async fn show_plan(dir: &Path, args: &Args, page: &mut Option<PlanPage>) -> Result<u8> {
    let reading = gather::start_reading(&args.inventory);
    let loaded = context::load_catalog(dir)?;
    let named = context::find_images(&loaded.catalog, &args.images)?;
    let images = match &args.since {
        Some(revision) => Some(select_changed(
            &named,
            since::changed_images(&loaded, revision)?,
        )),
        None => None,
    };
    let inventory = gather::finish_reading(
        &loaded,
        &args.inventory,
        gather::Need::Sources,
        AccessMode::Read("plan"),
        reading,
    )
    .await?;
    let run = new_run_id(inventory.captured_at);
    let is_empty = images.as_ref().is_some_and(Vec::is_empty);
    let request = ReleaseRequest {
        images: images.unwrap_or(named),
        force: args.force,
        run,
    };
    // An empty list of images means all images, so an empty selection needs its own plan.
    let plan = if is_empty {
        Plan {
            schema: PLAN_SCHEMA,
            run: request.run.clone(),
            decided_at: inventory.captured_at,
            decisions: vec![],
            steps: vec![],
        }
    } else {
        plan_release(&loaded.catalog, &inventory, &request)
    };
    templates::check_planned_templates(&loaded.catalog, &plan)?;
    clock::warn_future_versions(&loaded.catalog.settings, &inventory);
    warn_unset_webhooks(&loaded.catalog, &plan);
    print_plan(
        &loaded,
        &plan,
        &inventory,
        if args.json { Format::Json } else { args.format },
    );
    *page = args.gitlab_note.then(|| PlanPage {
        catalog: loaded.catalog.settings.name.to_string(),
        markdown: markdown_page(&plan, &waves(&plan, &inventory)),
    });
    if let (true, Some(revision)) = (is_empty, &args.since) {
        ui::say(&format!("no image differs from `{revision}`"));
    }
    if let Some(file) = &args.save {
        context::write_json(
            file,
            &SavedRelease::new(&loaded.catalog, &inventory, &request, plan.clone()),
        )?;
        ui::say(&format!(
            "plan saved; to execute it after review, run `bakeline release --plan {}`",
            file.display()
        ));
    }
    let end = summary::blocked_error(&plan, ui::stdout_is_terminal()).map_or(Ok(0), Err);
    // The process ends here, and dropping a large catalog and inventory takes time.
    std::mem::forget((loaded, inventory, plan));
    end
}

/// Prints a warning for each notifier that could not report the planned release.
fn warn_unset_webhooks(catalog: &Catalog, plan: &Plan) {
    if plan.steps.is_empty() {
        return;
    }
    for variable in prerequisites::unset_webhooks(&catalog.settings) {
        ui::say(&format!(
            "warning: {variable} is not set, so no notification will be sent: set it to the URL of the \
             Slack webhook, or remove the notifier"
        ));
    }
}

fn select_changed(
    named: &[ImageName],
    changed: std::collections::BTreeSet<ImageName>,
) -> Vec<ImageName> {
    changed
        .into_iter()
        .filter(|i| named.is_empty() || named.contains(i))
        .collect()
}

/// JSON document of a plan with its waves.
#[derive(Serialize)]
struct PlanDocument<'p> {
    #[serde(flatten)]
    plan: &'p Plan,
    waves: Vec<Wave>,
}

fn print_plan(loaded: &LoadedCatalog, plan: &Plan, inventory: &Inventory, format: Format) {
    let catalog = &loaded.catalog;
    let waves = waves(plan, inventory);
    match format {
        Format::Json => ui::json(&PlanDocument { plan, waves }),
        Format::Markdown => ui::data(&markdown_page(plan, &waves)),
        Format::Codequality => ui::json(&ui::code_quality::plan_findings(
            catalog,
            plan,
            &loaded.files.folder_in_repository(),
        )),
        Format::Table => {
            ui::table(&summary::decision_table(plan));
            for line in [wave_lines(&waves), instance_type_lines(catalog, plan)].concat() {
                ui::say_wrapped(&line);
            }
        }
    }
}

/// Returns one line for each list of several instance types, with the images that are built on them.
fn instance_type_lines(catalog: &Catalog, plan: &Plan) -> Vec<String> {
    let built = plan
        .decisions
        .iter()
        .filter(|decision| decision.verdict == PlanVerdict::Build);
    let mut images: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    for image in built.filter_map(|decision| catalog.images.get(&decision.image)) {
        let types = image
            .builder(&catalog.settings)
            .types_for(image.arch)
            .to_vec();
        images.entry(types).or_default().push(image.name.as_str());
    }
    let several = images.into_iter().filter(|(types, _)| types.len() > 1);
    several
        .map(|(types, images)| {
            let (types, images) = (types.join(", then "), images.join(", "));
            format!("instance types: {types} ({images})")
        })
        .collect()
}

/// Returns one line per wave, such as `wave 1: base, other (about 4 min)`.
fn wave_lines(waves: &[Wave]) -> Vec<String> {
    let time = |minutes: Option<u64>| {
        minutes.map_or_else(
            || "duration unknown".to_owned(),
            |m| format!("about {m} min"),
        )
    };
    let mut out: Vec<String> = waves
        .iter()
        .map(|wave| {
            let images: Vec<&str> = wave.images.keys().map(|i| i.as_str()).collect();
            format!(
                "wave {}: {} ({})",
                wave.number,
                images.join(", "),
                time(wave.minutes)
            )
        })
        .collect();
    let all: Option<u64> = waves.iter().map(|w| w.minutes).sum();
    if waves.len() > 1 && all.is_some() {
        out.push(format!(
            "all waves: {} with enough parallel jobs",
            time(all)
        ));
    }
    out
}

/// Returns the plan in Markdown: the decisions and the waves.
fn markdown_page(plan: &Plan, waves: &[Wave]) -> String {
    let waves = wave_lines(waves)
        .into_iter()
        .map(|line| format!("- {line}"))
        .collect();
    [markdown_table(plan), waves].concat().join("\n")
}

/// Returns the plan as a Markdown table. Escapes user text, so that it stays in its cell.
fn markdown_table(plan: &Plan) -> Vec<String> {
    let cell = |text: &str| {
        let plain = text.replace(['\n', '\r'], " ");
        let mut out = String::new();
        for c in plain.chars() {
            if "|<>\\*_[]@#!~&".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        out
    };
    let mut out = vec![
        "| image | action | version | base | reason |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for d in &plan.decisions {
        let version = d.version.map_or_else(|| "-".to_owned(), |v| v.to_string());
        let (base, because) = (summary::base_cell(d), d.reasons.join("; "));
        let cells = [
            d.image.as_str(),
            d.verdict.as_str(),
            &version,
            &base,
            &because,
        ]
        .map(cell);
        out.push(format!("| {} |", cells.join(" | ")));
    }
    out.push(String::new());
    out
}
