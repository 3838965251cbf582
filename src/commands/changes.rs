//! Owns what a release changed, image by image: the new facts against those of the version before.

use super::report::Report;
use super::run::Ran;
use crate::catalog::{Catalog, Image};
use crate::checks::{Facts, Phase};
use crate::evidence::diff::BuildDiff;
use crate::lifecycle::{Record, lookup};
use crate::model::{ImageName, Inventory};
use crate::ports::{Store, Workspace};
use crate::steps::check::{CheckReport, evidence_file};

/// Says of each image that was released what it brings.
pub(super) async fn add(report: &mut Report, catalog: &Catalog, inventory: &Inventory, ran: &Ran) {
    for image in report.images.iter_mut().filter(|i| i.status == "released") {
        image.changed = of(
            catalog,
            &*ran.store,
            inventory,
            &*ran.directory,
            &image.image,
        )
        .await;
    }
}

/// One line on what the new version of an image brings; none for a first version, or where the facts are not known.
async fn of(
    catalog: &Catalog,
    store: &dyn Store,
    inventory: &Inventory,
    workspace: &dyn Workspace,
    name: &ImageName,
) -> Option<String> {
    let image = catalog.images.get(name)?;
    let old = before(catalog, store, inventory, image).await?;
    let bytes = workspace.read(&evidence_file(name.as_str(), Phase::Boot))?;
    let report: CheckReport = serde_json::from_slice(&bytes).ok()?;
    let new: Facts = serde_json::from_value(report.facts).ok()?;
    Some(BuildDiff::between(&old, &new, image.platform).headline())
}

/// The facts of the version that was current when the inventory was gathered.
async fn before(
    catalog: &Catalog,
    store: &dyn Store,
    inventory: &Inventory,
    image: &Image,
) -> Option<Facts> {
    let settings = &catalog.settings;
    let records = Record::read_all(&inventory.images, &settings.name);
    let last = lookup::find_last_good(
        &records,
        &image.name,
        &settings.environments[0].name,
        image.arch,
    )?;
    super::diff::facts(store, catalog, image, last.version)
        .await
        .ok()
}
