//! Owns `bakeline diff`: what two versions of an image differ in, from the facts their boot checks collected.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::context::{self, Loaded};
use super::{gather, lock, report, run, validate};
use crate::catalog::{Catalog, Image, OnFailure};
use crate::checks::{Facts, Phase};
use crate::cli::{Diff as Args, InventoryArgs};
use crate::error::{Error, Kind, Result};
use crate::evidence::diff::{BuildDiff, ValueChange};
use crate::evidence::keys;
use crate::model::Version;
use crate::plan;
use crate::ports::{Store, Workspace as _};
use crate::steps::check::{CheckReport, evidence_file};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load(dir)?;
    let catalog = &loaded.catalog;
    let name = context::image(catalog, &args.image)?;
    let image = &catalog.images[&name];
    let store = context::store(&catalog.settings).await?;
    let versions = versions(&*store, catalog, image).await?;
    let (from, old, to) = if args.against.is_some() {
        let newest = newest(&versions, image, &store.location())?;
        ("scratch".to_owned(), scratch(&loaded, image).await?, newest)
    } else {
        let (from, to) = choose(&versions, args, image, &store.location())?;
        (
            from.to_string(),
            facts(&*store, catalog, image, from).await?,
            to,
        )
    };
    let new = facts(&*store, catalog, image, to).await?;
    let diff = BuildDiff::between(&old, &new, image.platform);
    if args.json {
        ui::json(
            &json!({ "image": name, "arch": image.arch, "from": from, "to": to, "diff": diff }),
        );
        return Ok(0);
    }
    ui::say(&format!("{name} {from} -> {to}: {}", diff.summary()));
    let rows = rows(&diff);
    if !rows.is_empty() {
        ui::data(&ui::table::columns(&["WHAT", "NAME", "FROM", "TO"], &rows));
    }
    for what in &diff.unknown {
        ui::say(&format!("not compared: {what}"));
    }
    Ok(0)
}

/// The facts of a build from the source or parent as they are now; nothing of it stays.
async fn scratch(loaded: &Loaded, image: &Image) -> Result<Facts> {
    validate::ready(&loaded.catalog)?;
    run::check_packer().await?;
    let run = lock::take(loaded, lock::Rungs::Lowest).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::inventory(loaded, &from, gather::Need::Sources).await?;
    let plan = plan::release::plan_scratch_build(&loaded.catalog, &inventory, image, run)
        .map_err(|why| Error::input(format!("`{}` can't be built: {why}", image.name)))?;
    let manner = run::Manner {
        jobs: 1,
        on_failure: OnFailure::Stop,
        keep_failed: false,
        throwaway: false,
    };
    let ran = run::act(loaded, &inventory, &plan, manner).await?;
    report::end(&ran)?;
    let failed = || Error::new(Kind::StepFailed, "the fresh build left no facts");
    let bytes = ran
        .directory
        .read(&evidence_file(image.name.as_str(), Phase::Boot))
        .ok_or_else(failed)?;
    let report: CheckReport = serde_json::from_slice(&bytes).map_err(|e| failed().because(e))?;
    serde_json::from_value(report.facts).map_err(|e| failed().because(e))
}

fn newest(versions: &[Version], image: &Image, location: &str) -> Result<Version> {
    versions.last().copied().ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("the store has no facts of `{}`", image.name),
        )
        .hint(format!("the store is {location}"))
    })
}

/// The versions whose facts the store has, oldest first.
async fn versions(store: &dyn Store, catalog: &Catalog, image: &Image) -> Result<Vec<Version>> {
    let below = keys::image(&catalog.settings.name, &image.name, image.arch);
    let found: BTreeSet<Version> = store
        .list(&below)
        .await?
        .iter()
        .filter(|key| key.ends_with("/facts.json"))
        .filter_map(|key| keys::version_in(key))
        .collect();
    Ok(found.into_iter().collect())
}

/// The two that are asked for; by default the newest and the one before it.
fn choose(
    versions: &[Version],
    args: &Args,
    image: &Image,
    location: &str,
) -> Result<(Version, Version)> {
    let missing =
        |what: String| Error::new(Kind::NotFound, what).hint(format!("the store is {location}"));
    let parse = |text: &String| {
        text.parse::<Version>()
            .map_err(|e| Error::new(Kind::Usage, format!("`{text}` is not a version")).because(e))
    };
    let known = |version: Version| {
        versions
            .contains(&version)
            .then_some(version)
            .ok_or_else(|| {
                missing(format!(
                    "the store has no facts of `{}` {version}",
                    image.name
                ))
                .hint("facts are kept since the version was released with this store")
            })
    };
    let to = match &args.to {
        Some(text) => known(parse(text)?)?,
        None => newest(versions, image, location)?,
    };
    let from = match &args.from {
        Some(text) => known(parse(text)?)?,
        None => *versions.iter().rfind(|v| **v < to).ok_or_else(|| {
            missing(format!(
                "the store has no facts of a version of `{}` before {to}",
                image.name
            ))
        })?,
    };
    Ok((from, to))
}

/// What the boot checks of a version collected.
pub(super) async fn facts(
    store: &dyn Store,
    catalog: &Catalog,
    image: &Image,
    version: Version,
) -> Result<Facts> {
    let key = keys::facts(
        &catalog.settings.name,
        &image.name,
        image.arch,
        version,
        Phase::Boot,
    );
    let bytes = store.get(&key).await?.ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("the store has no facts of `{}` {version}", image.name),
        )
        .hint(format!("the store is {}", store.location()))
    })?;
    let unreadable = |e| {
        Error::input(format!(
            "{key} in {} is not a report of checks",
            store.location()
        ))
        .because(e)
    };
    let report: CheckReport = serde_json::from_slice(&bytes).map_err(unreadable)?;
    serde_json::from_value(report.facts).map_err(unreadable)
}

fn rows(diff: &BuildDiff) -> Vec<Vec<String>> {
    let dash = || "-".to_owned();
    let row = |what: &str, name: &String, from: String, to: String| {
        vec![what.to_owned(), name.clone(), from, to]
    };
    let change = |what: &'static str| {
        move |(name, change): (&String, &ValueChange)| {
            row(what, name, change.from.clone(), change.to.clone())
        }
    };
    let mut out: Vec<Vec<String>> = diff
        .added
        .iter()
        .map(|(n, v)| row("added", n, dash(), v.clone()))
        .collect();
    out.extend(
        diff.removed
            .iter()
            .map(|(n, v)| row("removed", n, v.clone(), dash())),
    );
    out.extend(diff.upgraded.iter().map(change("upgraded")));
    out.extend(diff.downgraded.iter().map(change("downgraded")));
    out.extend(diff.units.iter().map(change("unit")));
    out.extend(diff.users.iter().map(change("account")));
    out.extend(diff.files.iter().map(change("file")));
    out
}
