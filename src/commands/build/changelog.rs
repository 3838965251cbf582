//! Summarizes the changes of each released image from the facts of the new and previous version.

use crate::catalog::{Catalog, Image};
use crate::checks::{Facts, Phase};
use crate::commands::summary::RunSummary;
use crate::commands::support::run::RunResult;
use crate::evidence::diff::BuildDiff;
use crate::lifecycle::{Record, lookup};
use crate::model::{ImageName, Inventory};
use crate::ports::{Store, Workspace};
use crate::steps::check::controls::{CheckReport, evidence_file};

/// Adds a change summary to each released image.
pub(crate) async fn add_changelog(
    report: &mut RunSummary,
    catalog: &Catalog,
    inventory: &Inventory,
    ran: &RunResult,
) {
    for image in report.images.iter_mut().filter(|i| i.status == "released") {
        image.changed = changelog_line(
            catalog,
            &*ran.store,
            inventory,
            &*ran.directory,
            &image.image,
        )
        .await;
    }
}

/// Returns the changes of an image in one line; `None` without a previous version or facts.
async fn changelog_line(
    catalog: &Catalog,
    store: &dyn Store,
    inventory: &Inventory,
    workspace: &dyn Workspace,
    name: &ImageName,
) -> Option<String> {
    let image = catalog.images.get(name)?;
    let old = previous_facts(catalog, store, inventory, image).await?;
    let bytes = workspace.read(&evidence_file(name.as_str(), Phase::Boot))?;
    let report: CheckReport = serde_json::from_slice(&bytes).ok()?;
    let new: Facts = serde_json::from_value(report.facts).ok()?;
    Some(BuildDiff::between(&old, &new, image.platform).headline())
}

/// Returns the facts of the version that was current before the run.
async fn previous_facts(
    catalog: &Catalog,
    store: &dyn Store,
    inventory: &Inventory,
    image: &Image,
) -> Option<Facts> {
    let settings = &catalog.settings;
    let records = Record::read_all(&inventory.images, settings);
    let last = lookup::find_last_good(
        &records,
        &image.name,
        &settings.environments[0].name,
        image.arch,
    )?;
    crate::commands::query::diff::version_facts(store, catalog, image, last.version)
        .await
        .ok()
}
