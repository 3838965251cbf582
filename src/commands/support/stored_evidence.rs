//! Loads evidence from the store: manifests, update probes and results of past runs.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::context::{self, LoadedCatalog};
use crate::error::{Error, Result};
use crate::evidence::{history, keys, manifest};
use crate::model::{Evidence, ImageName, Inventory, Manifest, Probe, RunId};
use crate::plan::release::ReleasedVersions;
use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};
use crate::ui;

/// Maximum number of parallel reads.
const MAX_CONCURRENT: usize = 32;
/// Number of results to read, newest first.
const MAX_RESULTS: usize = 20;

/// Loads the evidence for a decision. If the store cannot be read, it prints a warning and returns
/// no evidence: evidence only explains decisions and reports pending updates.
///
/// # Errors
/// A newer version of bakeline wrote the store.
pub(crate) async fn load_evidence(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    all: bool,
) -> Result<Evidence> {
    let store = context::open_store(&loaded.catalog.settings).await?;
    match read_evidence(loaded, inventory, &*store, all).await {
        Ok(evidence) => Ok(evidence),
        Err(e) if e.kind == StoreErrorKind::Newer => Err(e.into()),
        Err(e) => {
            let error = Error::from(e);
            ui::say(&format!(
                "warning: cannot read the store; reasons name no inputs and no pending updates: {}",
                error.one_line()
            ));
            Ok(Evidence::default())
        }
    }
}

async fn read_evidence(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    store: &dyn Store,
    all: bool,
) -> Result<Evidence, StoreError> {
    let (catalog, released) = (
        &loaded.catalog,
        ReleasedVersions::new(&loaded.catalog, inventory),
    );
    let name = &catalog.settings.name;
    let everything = || {
        catalog
            .images
            .values()
            .filter_map(|i| released.last_good(i))
            .collect()
    };
    let wanted = if all {
        everything()
    } else {
        released.outdated_records()
    };
    let wanted: Vec<(ImageName, String)> = wanted
        .iter()
        .map(|r| {
            (
                r.image.clone(),
                keys::manifest(name, &r.image, r.arch, r.version),
            )
        })
        .collect();
    let mut manifests: BTreeMap<ImageName, Manifest> = BTreeMap::new();
    for (image, bytes) in fetch_existing(store, wanted).await? {
        manifests.extend(manifest::parse_manifest(&bytes).map(|m| (image, m)));
    }
    let probed: Vec<(ImageName, String)> = catalog
        .images
        .values()
        .filter(|i| released.last_good(i).is_some())
        .map(|i| (i.name.clone(), keys::probe(name, &i.name, i.arch)))
        .collect();
    let mut probes: BTreeMap<ImageName, Probe> = BTreeMap::new();
    for (image, bytes) in fetch_existing(store, probed).await? {
        probes.extend(serde_json::from_slice(&bytes).ok().map(|p| (image, p)));
    }
    let history = history::build_histories(&newest_results(store, &keys::runs(name)).await?);
    Ok(Evidence {
        manifests,
        probes,
        history,
        store: None,
    })
}

/// Returns the results of the newest runs, newest first. Run IDs sort by time.
async fn newest_results(store: &dyn Store, runs: &str) -> Result<Vec<(RunId, Value)>, StoreError> {
    let run = |key: &String| {
        let id = key
            .strip_prefix(runs)?
            .strip_prefix('/')?
            .strip_suffix("/result.json")?;
        Some((RunId::from(id), key.clone()))
    };
    let mut found: Vec<(RunId, String)> = store.list(runs).await?.iter().filter_map(run).collect();
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(MAX_RESULTS);
    let mut out: Vec<(RunId, Value)> = Vec::new();
    for (run, bytes) in fetch_existing(store, found).await? {
        out.extend(
            serde_json::from_slice(&bytes)
                .ok()
                .map(|report| (run, report)),
        );
    }
    out.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(out)
}

/// Reads objects in parallel. Skips keys that do not exist.
pub(crate) async fn fetch_existing<T: Send>(
    store: &dyn Store,
    keys: Vec<(T, String)>,
) -> Result<Vec<(T, Vec<u8>)>, StoreError> {
    let reads = keys
        .into_iter()
        .map(|(what, key)| async move { (what, store.get(&key).await) });
    let all: Vec<(T, StoreResult<_>)> = stream::iter(reads)
        .buffer_unordered(MAX_CONCURRENT)
        .collect()
        .await;
    let mut out = Vec::new();
    for (what, answer) in all {
        out.extend(answer?.map(|bytes| (what, bytes)));
    }
    Ok(out)
}
