//! Loads evidence from the store: manifests, update probes and results of past runs.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::context::{self, LoadedCatalog};
use crate::error::{Error, Result};
use crate::evidence::{history, keys, manifest};
use crate::model::{CatalogName, Evidence, ImageName, Inventory, Manifest, Probe, RunId};
use crate::plan::release::ReleasedVersions;
use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};
use crate::ui;

/// Maximum number of parallel reads.
const MAX_CONCURRENT: usize = 32;

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
    let history = history::build_histories(&newest_results(store, name).await?);
    Ok(Evidence {
        manifests,
        probes,
        history,
        store: None,
    })
}

/// Returns the results of the newest runs, newest first. Lists all runs only in a store of an earlier
/// version of bakeline, which has no object with the newest results.
async fn newest_results(
    store: &dyn Store,
    catalog: &CatalogName,
) -> Result<Vec<(RunId, Value)>, StoreError> {
    let recent = store.get(&keys::recent_results(catalog)).await?;
    match recent.as_deref().and_then(history::parse_recent) {
        Some(results) => Ok(results),
        None => list_results(store, catalog).await,
    }
}

/// Writes the result of a run to the store, and adds it to the results of the newest runs.
pub(crate) async fn store_result(
    store: &dyn Store,
    catalog: &CatalogName,
    run: &RunId,
    text: &[u8],
) -> Result<(), StoreError> {
    store.put(&keys::report(catalog, run), text).await?;
    match serde_json::from_slice(text) {
        Ok(report) => add_result(store, catalog, run, &report).await,
        Err(_) => Ok(()),
    }
}

/// Adds the result of a run to those that [`newest_results`] returns. The caller holds the lock of
/// the lowest environment, so no other run writes them.
async fn add_result(
    store: &dyn Store,
    catalog: &CatalogName,
    run: &RunId,
    report: &Value,
) -> Result<(), StoreError> {
    let results = newest_results(store, catalog).await?;
    let content = history::add_recent(results, run, report);
    store.put(&keys::recent_results(catalog), &content).await
}

/// Lists all runs and returns the results of the newest. Run IDs sort by time.
async fn list_results(
    store: &dyn Store,
    catalog: &CatalogName,
) -> Result<Vec<(RunId, Value)>, StoreError> {
    let result = |key: &String| {
        let run = keys::run_in(key)?;
        (keys::report(catalog, &run) == *key).then(|| (run, key.clone()))
    };
    let all = store.list(&keys::runs(catalog)).await?;
    let mut found: Vec<(RunId, String)> = all.iter().filter_map(result).collect();
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(history::MAX_RESULTS);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapters::fake::MemoryStore;

    /// Stores the results of this many runs, and returns the requests of the next read.
    async fn requests_after(runs: u32, indexed: bool) -> (usize, Vec<(RunId, Value)>) {
        let (store, catalog) = (MemoryStore::default(), CatalogName::from("acme"));
        for n in 0..runs {
            let run = RunId::from(format!("{n:06}").as_str());
            let report = json!({"images": [{"image": "jdk", "status": "released", "seconds": n}]});
            for key in ["plan.json", "journal.jsonl"] {
                let key = format!("{}/{key}", keys::run(&catalog, &run));
                store.put(&key, b"{}").await.expect("stored");
            }
            let content = report.to_string();
            let key = keys::report(&catalog, &run);
            store.put(&key, content.as_bytes()).await.expect("stored");
            if indexed {
                add_result(&store, &catalog, &run, &report)
                    .await
                    .expect("stored");
            }
        }
        let before = store.reads();
        let results = newest_results(&store, &catalog).await.expect("read");
        (store.reads() - before, results)
    }

    #[tokio::test]
    async fn plan_after_a_thousand_runs_needs_as_many_requests_as_after_ten() {
        let (few, _) = requests_after(10, true).await;
        let (many, results) = requests_after(1_000, true).await;
        assert_eq!((few, many), (1, 1));
        let (listed, same) = requests_after(1_000, false).await;
        assert_eq!(
            results, same,
            "a store of an earlier version gives the same"
        );
        assert!(listed > 20, "{listed}");
    }
}
