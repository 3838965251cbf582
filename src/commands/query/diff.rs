//! Implements `bakeline diff`: compares the facts that the boot checks of two versions collected.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::catalog::{Catalog, Image, OnFailure};
use crate::checks::{Facts, Phase};
use crate::cli::{Diff as Args, InventoryArgs};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::{gather, lock, prerequisites, run, templates};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::diff::{BuildDiff, ValueChange};
use crate::evidence::keys;
use crate::model::Version;
use crate::plan;
use crate::ports::{Store, Workspace as _};
use crate::steps::check::controls::{CheckReport, evidence_file};
use crate::ui;
use crate::ui::table::Table;

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let catalog = &loaded.catalog;
    let name = context::find_image(catalog, &args.image)?;
    let image = &catalog.images[&name];
    let store = context::open_store(&catalog.settings).await?;
    let versions = stored_versions(&*store, catalog, image).await?;
    let (from, old, to) = if args.against.is_some() {
        let newest = newest_version(&versions, image, &store.location())?;
        (
            "scratch".to_owned(),
            build_from_scratch(&loaded, image).await?,
            newest,
        )
    } else {
        let (from, to) = choose_versions(&versions, args, image, &store.location())?;
        (
            from.to_string(),
            version_facts(&*store, catalog, image, from).await?,
            to,
        )
    };
    let new = version_facts(&*store, catalog, image, to).await?;
    let diff = BuildDiff::between(&old, &new, image.platform);
    if args.json {
        ui::json(
            &json!({ "image": name, "arch": image.arch, "from": from, "to": to, "diff": diff }),
        );
        return Ok(0);
    }
    ui::say(&format!("{name} {from} -> {to}: {}", diff.summary()));
    let table = diff_table(&diff);
    if !table.is_empty() {
        ui::table(&table);
    }
    for what in &diff.unknown {
        ui::say(&format!("not compared: {what}"));
    }
    Ok(0)
}

/// Builds the image from its current source or parent, collects its facts, and deletes the build.
async fn build_from_scratch(loaded: &LoadedCatalog, image: &Image) -> Result<Facts> {
    templates::check_all_templates(&loaded.catalog)?;
    prerequisites::require_packer(&loaded.catalog.settings).await?;
    let run = lock::take_locks(loaded, lock::LockScope::Lowest).await?;
    let from = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let inventory = gather::load_inventory(
        loaded,
        &from,
        gather::Need::Sources,
        AccessMode::Change(&run),
    )
    .await?;
    let plan = plan::release::plan_scratch_build(&loaded.catalog, &inventory, image, run)
        .map_err(|why| Error::input(format!("cannot build `{}`: {why}", image.name)))?;
    let options = run::RunOptions {
        command: "diff",
        jobs: 1,
        location_jobs: run::LOCATION_JOBS,
        on_failure: OnFailure::Stop,
        keep_failed: false,
        throwaway: false,
    };
    let ran = run::execute_plan(loaded, &inventory, &plan, options).await?;
    summary::exit_code(&ran)?;
    let failed = || Error::new(ErrorKind::StepFailed, "the build produced no facts");
    let bytes = ran
        .directory
        .read(&evidence_file(image.name.as_str(), Phase::Boot))
        .ok_or_else(failed)?;
    let report: CheckReport = serde_json::from_slice(&bytes).map_err(|e| failed().because(e))?;
    serde_json::from_value(report.facts).map_err(|e| failed().because(e))
}

fn newest_version(versions: &[Version], image: &Image, location: &str) -> Result<Version> {
    versions.last().copied().ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("the store has no facts for `{}`", image.name),
        )
        .hint(format!("the store is {location}"))
    })
}

/// Returns the versions that have facts in the store, oldest first.
async fn stored_versions(
    store: &dyn Store,
    catalog: &Catalog,
    image: &Image,
) -> Result<Vec<Version>> {
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

/// Returns the versions to compare. The default is the newest version and the one before it.
fn choose_versions(
    versions: &[Version],
    args: &Args,
    image: &Image,
    location: &str,
) -> Result<(Version, Version)> {
    let missing = |what: String| {
        Error::new(ErrorKind::NotFound, what).hint(format!("the store is {location}"))
    };
    let parse = |text: &String| {
        text.parse::<Version>().map_err(|e| {
            Error::new(ErrorKind::Usage, format!("`{text}` is not a version")).because(e)
        })
    };
    let known = |version: Version| {
        versions
            .contains(&version)
            .then_some(version)
            .ok_or_else(|| {
                missing(format!(
                    "the store has no facts for `{}` {version}",
                    image.name
                ))
                .hint("the store has facts only for versions that were released with it")
            })
    };
    let to = match &args.to {
        Some(text) => known(parse(text)?)?,
        None => newest_version(versions, image, location)?,
    };
    let from = match &args.from {
        Some(text) => known(parse(text)?)?,
        None => *versions.iter().rfind(|v| **v < to).ok_or_else(|| {
            let error = missing(format!(
                "{to} is the oldest version of `{}` with facts in the store, so there is nothing to compare \
                 it with",
                image.name
            ));
            match versions.last() == Some(&to) {
                true => error.hint("run `bakeline diff` again after the next release"),
                false => error.hint("name an older and a newer version"),
            }
        })?,
    };
    Ok((from, to))
}

/// Returns the facts that the boot checks of a version collected.
pub(crate) async fn version_facts(
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
            ErrorKind::NotFound,
            format!("the store has no facts for `{}` {version}", image.name),
        )
        .hint(format!("the store is {}", store.location()))
    })?;
    let unreadable = |e| {
        Error::input(format!(
            "{key} in {} is not a check report",
            store.location()
        ))
        .because(e)
    };
    let report: CheckReport = serde_json::from_slice(&bytes).map_err(unreadable)?;
    serde_json::from_value(report.facts).map_err(unreadable)
}

fn diff_table(diff: &BuildDiff) -> Table {
    let mut table = Table::with_text(&["CHANGE", "NAME"], "FROM -> TO");
    let mut push = |what: &str, name: &String, values: String| {
        table.push_text(vec![what.to_owned(), name.clone()], vec![values]);
    };
    for (name, value) in &diff.added {
        push("added", name, value.clone());
    }
    for (name, value) in &diff.removed {
        push("removed", name, value.clone());
    }
    for (what, changes) in [
        ("upgraded", &diff.upgraded),
        ("downgraded", &diff.downgraded),
        ("unit", &diff.units),
        ("account", &diff.users),
        ("file", &diff.files),
    ] {
        for (name, ValueChange { from, to }) in changes {
            push(what, name, format!("{from} -> {to}"));
        }
    }
    table
}
