//! Lists the evidence in the store, and evidence in local run directories that the store lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::context::{self, LoadedCatalog};
use super::stored_evidence::fetch_existing;
use crate::adapters::state_directory::run_directory;
use crate::adapters::system;
use crate::checks::Phase;
use crate::error::{Error, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::{Record, tags};
use crate::model::{CatalogName, Inventory, RunId, StoreInventory};
use crate::ports::{Store, StoreError, StoreErrorKind};
use crate::steps::check::controls::{CheckReport, evidence_file};

/// Lists the evidence of all versions. A store that does not answer is recorded in `unread`.
///
/// # Errors
/// A newer version of bakeline wrote the store.
pub(crate) async fn load_store_inventory(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
) -> Result<StoreInventory> {
    let name = &loaded.catalog.settings.name;
    let store = context::open_store(&loaded.catalog.settings).await?;
    let records = Record::read_all(&inventory.images, &loaded.catalog.settings);
    match read_store(&*store, name, &records).await {
        Ok(mut store_inventory) => {
            store_inventory.recoverable =
                find_recoverable(loaded.files.root(), name, &records, &store_inventory.keys);
            Ok(store_inventory)
        }
        Err(e) if e.kind == StoreErrorKind::Newer => Err(e.into()),
        Err(e) => {
            let unread = Some(Error::from(e).one_line());
            Ok(StoreInventory {
                location: store.location(),
                unreachable: unread,
                ..StoreInventory::default()
            })
        }
    }
}

async fn read_store(
    store: &dyn Store,
    name: &CatalogName,
    records: &[Record<'_>],
) -> Result<StoreInventory, StoreError> {
    let mut held: BTreeSet<String> = store.list(&keys::images(name)).await?.into_iter().collect();
    held.extend(store.list(&keys::all_permissions(name)).await?);
    let result =
        |key: &String| keys::run_in(key).is_some_and(|run| keys::report(name, &run) == *key);
    held.extend(
        store
            .list(&keys::runs(name))
            .await?
            .into_iter()
            .filter(result),
    );
    let wanted: BTreeSet<String> = records
        .iter()
        .map(|r| keys::manifest(name, &r.image, r.arch, r.version))
        .filter(|k| held.contains(k))
        .collect();
    let read = fetch_existing(
        store,
        wanted.into_iter().map(|key| (key.clone(), key)).collect(),
    )
    .await?;
    let recipes = read
        .iter()
        .filter_map(|(key, bytes)| Some((key.clone(), manifest::parse_manifest(bytes)?)))
        .collect();
    Ok(StoreInventory {
        location: store.location(),
        keys: held,
        recipes,
        ..StoreInventory::default()
    })
}

/// Returns the evidence in local run directories that the store lacks, for example because it was
/// unreachable during the run.
fn find_recoverable(
    catalog_dir: &Path,
    name: &CatalogName,
    records: &[Record<'_>],
    held: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for record in records {
        let run = RunId::from(record.tag(tags::RUN));
        // Tags are not trusted as paths.
        if !run
            .as_str()
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            || run.as_str().is_empty()
        {
            continue;
        }
        let directory = run_directory(catalog_dir, &run);
        for phase in [Phase::Build, Phase::Boot] {
            let facts = keys::facts(name, &record.image, record.arch, record.version, phase);
            if !held.contains(&facts) && !out.contains_key(&facts) {
                let text = read_text(&directory.join(evidence_file(record.image.as_str(), phase)));
                let its = |t: &String| {
                    serde_json::from_str::<CheckReport>(t).is_ok_and(|r| r.image == record.image)
                };
                out.extend(text.filter(its).map(|text| (facts, text)));
            }
        }
        let result = keys::report(name, &run);
        if !held.contains(&result) && !out.contains_key(&result) {
            let its = |t: &String| {
                serde_json::from_str::<serde_json::Value>(t).is_ok_and(|v| v["run"] == run.as_str())
            };
            out.extend(
                read_text(&directory.join("result.json"))
                    .filter(its)
                    .map(|text| (result, text)),
            );
        }
    }
    out
}

fn read_text(path: &Path) -> Option<String> {
    std::io::read_to_string(system::open_reader(path).ok()?).ok()
}
