//! Owns `bakeline plan`: what a release would do, and why.

use std::path::Path;

use serde::Serialize;

use super::{context, gather, report, since, validate};
use crate::adapters::system::new_run_id;
use crate::cli::{Format, Plan as Args};
use crate::error::Result;
use crate::model::{ImageName, Inventory};
use crate::plan::Plan;
use crate::plan::release::{PLAN_SCHEMA, ReleaseRequest, plan_release};
use crate::plan::saved::SavedRelease;
use crate::plan::waves::{Wave, waves};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let reading = gather::begin(&args.inventory);
    let loaded = context::load(dir)?;
    let named = context::images(&loaded.catalog, &args.images)?;
    let images = match &args.since {
        Some(revision) => Some(only(&named, since::changed(&loaded, revision)?)),
        None => None,
    };
    let inventory = gather::begun(&loaded, &args.inventory, gather::Need::Sources, reading).await?;
    let run = new_run_id(inventory.captured_at);
    let nothing = images.as_ref().is_some_and(Vec::is_empty);
    let request = ReleaseRequest {
        images: images.unwrap_or(named),
        force: args.force,
        run,
    };
    // No image at all is not the same as no choice of images, which means all.
    let plan = match nothing {
        true => Plan {
            schema: PLAN_SCHEMA,
            run: request.run.clone(),
            decided_at: inventory.captured_at,
            decisions: vec![],
            steps: vec![],
        },
        false => plan_release(&loaded.catalog, &inventory, &request),
    };
    validate::buildable(&loaded.catalog, &plan)?;
    show(
        &plan,
        &inventory,
        if args.json { Format::Json } else { args.format },
    );
    if let (true, Some(revision)) = (nothing, &args.since) {
        ui::say(&format!("nothing differs from `{revision}`"));
    }
    if let Some(file) = &args.save {
        context::write(
            file,
            &SavedRelease::new(&loaded.catalog, &inventory, &request, plan.clone()),
        )?;
        ui::say(&format!(
            "saved; after review: bakeline release --plan {}",
            file.display()
        ));
    }
    let end = report::blocked(&plan).map_or(Ok(0), Err);
    // Handing back every string of a large catalog and inventory takes as long as deciding, and the process ends here.
    std::mem::forget((loaded, inventory, plan));
    end
}

fn only(named: &[ImageName], changed: std::collections::BTreeSet<ImageName>) -> Vec<ImageName> {
    changed
        .into_iter()
        .filter(|i| named.is_empty() || named.contains(i))
        .collect()
}

/// The plan with its waves.
#[derive(Serialize)]
struct Shown<'p> {
    #[serde(flatten)]
    plan: &'p Plan,
    waves: Vec<Wave>,
}

fn show(plan: &Plan, inventory: &Inventory, format: Format) {
    let waves = waves(plan, inventory);
    match format {
        Format::Json => ui::json(&Shown { plan, waves }),
        Format::Markdown => ui::data(&[markdown(plan), lines(&waves)].concat().join("\n")),
        Format::Table => {
            ui::data(&report::decisions(plan));
            for line in lines(&waves) {
                ui::say(&line);
            }
        }
    }
}

/// `wave 1: base, other (about 4 min)`.
fn lines(waves: &[Wave]) -> Vec<String> {
    let time = |minutes: Option<u64>| {
        minutes.map_or_else(|| "? min".to_owned(), |m| format!("about {m} min"))
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
    if waves.len() > 1 {
        let all: Option<Vec<u64>> = waves.iter().map(|w| w.minutes).collect();
        out.push(format!(
            "all waves: {}, given enough jobs",
            time(all.map(|m| m.iter().sum()))
        ));
    }
    out
}

/// A table for a merge request; user text can't break out of its cell.
fn markdown(plan: &Plan) -> Vec<String> {
    let cell = |text: &str| {
        let plain = text.replace(['\n', '\r'], " ");
        let mut out = String::new();
        for c in plain.chars() {
            if "|<>\\*_[]".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        out
    };
    let mut out = vec![
        "| image | do | version | built on | because |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for d in &plan.decisions {
        let version = d.version.map_or_else(|| "-".to_owned(), |v| v.to_string());
        let (base, because) = (report::built_on(d), d.reasons.join("; "));
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
