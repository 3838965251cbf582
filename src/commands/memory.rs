//! Owns gathering what the store remembers: manifests of what moved, pending updates, how past runs went.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::context::{self, Loaded};
use crate::error::{Error, Result};
use crate::evidence::{history, keys, manifest};
use crate::model::{Evidence, ImageName, Inventory, Manifest, Probe, RunId};
use crate::plan::release::ReleasedVersions;
use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};
use crate::ui;

/// How many reads are under way at once.
const AT_ONCE: usize = 32;
/// How many of the newest reports are read.
const REPORTS: usize = 20;

/// Reads it. It explains decisions and adds pending updates; a store that can't be read is worth a warning, no failure,
/// unless a newer bakeline wrote it.
pub(super) async fn gather(loaded: &Loaded, inventory: &Inventory, all: bool) -> Result<Evidence> {
    let store = context::store(&loaded.catalog.settings).await?;
    match read(loaded, inventory, &*store, all).await {
        Ok(evidence) => Ok(evidence),
        Err(e) if e.kind == StoreErrorKind::Newer => Err(e.into()),
        Err(e) => {
            let error = Error::from(e);
            ui::say(&format!(
                "warning: reasons can't name inputs and pending updates are unknown: {}",
                error.one_line()
            ));
            Ok(Evidence::default())
        }
    }
}

async fn read(
    loaded: &Loaded,
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
        released.outdated()
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
    for (image, bytes) in fetch(store, wanted).await? {
        manifests.extend(manifest::parse_manifest(&bytes).map(|m| (image, m)));
    }
    let probed: Vec<(ImageName, String)> = catalog
        .images
        .values()
        .filter(|i| released.last_good(i).is_some())
        .map(|i| (i.name.clone(), keys::probe(name, &i.name, i.arch)))
        .collect();
    let mut probes: BTreeMap<ImageName, Probe> = BTreeMap::new();
    for (image, bytes) in fetch(store, probed).await? {
        probes.extend(serde_json::from_slice(&bytes).ok().map(|p| (image, p)));
    }
    let history = history::build_histories(&reports(store, &keys::runs(name)).await?);
    Ok(Evidence {
        manifests,
        probes,
        history,
        store: None,
    })
}

/// The newest reports, newest first: run ids sort by time.
async fn reports(store: &dyn Store, runs: &str) -> Result<Vec<(RunId, Value)>, StoreError> {
    let run = |key: &String| {
        let id = key
            .strip_prefix(runs)?
            .strip_prefix('/')?
            .strip_suffix("/result.json")?;
        Some((RunId::from(id), key.clone()))
    };
    let mut found: Vec<(RunId, String)> = store.list(runs).await?.iter().filter_map(run).collect();
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(REPORTS);
    let mut out: Vec<(RunId, Value)> = Vec::new();
    for (run, bytes) in fetch(store, found).await? {
        out.extend(
            serde_json::from_slice(&bytes)
                .ok()
                .map(|report| (run, report)),
        );
    }
    out.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(out)
}

/// Those of the keys that exist, read side by side.
pub(super) async fn fetch<T: Send>(
    store: &dyn Store,
    keys: Vec<(T, String)>,
) -> Result<Vec<(T, Vec<u8>)>, StoreError> {
    let reads = keys
        .into_iter()
        .map(|(what, key)| async move { (what, store.get(&key).await) });
    let all: Vec<(T, StoreResult<_>)> = stream::iter(reads)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut out = Vec::new();
    for (what, answer) in all {
        out.extend(answer?.map(|bytes| (what, bytes)));
    }
    Ok(out)
}
