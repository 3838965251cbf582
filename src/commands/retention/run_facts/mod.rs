//! Loads facts about runs for a sweep: which runs still hold a lock, and which builds never
//! finished.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::commands::support::context::LoadedCatalog;
use crate::commands::support::{lock, stored_evidence};
use crate::engine::unfinished;
use crate::error::Result;
use crate::evidence::keys;
use crate::lifecycle::sweep::RunFacts;
use crate::model::{CatalogName, RunId, TemporaryKind, TemporaryResource};
use crate::plan::Plan;
use crate::ports::Store;

/// Reads the facts about all runs from the store and the locks.
pub(super) async fn load_run_facts(
    loaded: &LoadedCatalog,
    store: &Arc<dyn Store>,
    things: &[TemporaryResource],
) -> Result<BTreeMap<RunId, RunFacts>> {
    let settings = &loaded.catalog.settings;
    let mut out: BTreeMap<RunId, RunFacts> = BTreeMap::new();
    let mut keys: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
    for key in store.list(&keys::runs(&settings.name)).await? {
        let Some(run) = keys::run_in(&key) else {
            continue;
        };
        out.entry(run.clone()).or_default();
        keys.entry(run).or_default().push(key);
    }
    let bare: Vec<&str> = things
        .iter()
        .filter(|t| is_untagged(t))
        .map(|t| t.name.as_str())
        .collect();
    if !bare.is_empty() {
        for (run, amis) in planned_builds(&settings.name, &**store, &keys, &bare).await? {
            out.entry(run).or_default().planned_amis = amis;
        }
    }
    let locks = lock::environment_locks(settings, Arc::clone(store));
    let envs: Vec<_> = settings
        .environments
        .iter()
        .map(|e| e.name.clone())
        .collect();
    for holder in locks.holders(&envs).await? {
        out.entry(holder.run).or_default().active = true;
    }
    Ok(out)
}

/// Returns true for an AMI without tags.
pub(super) fn is_untagged(thing: &TemporaryResource) -> bool {
    thing.kind == TemporaryKind::Image && thing.tags.is_empty()
}

/// Returns the runs that planned to build an AMI with one of these names. Each run has its planned
/// AMIs by name, each with the reason to keep it, or `None` if its build never finished.
async fn planned_builds(
    catalog: &CatalogName,
    store: &dyn Store,
    keys: &BTreeMap<RunId, Vec<String>>,
    bare: &[&str],
) -> Result<BTreeMap<RunId, BTreeMap<String, Option<String>>>> {
    let plan = |(run, keys): (&RunId, &Vec<String>)| {
        let key = keys::plan(catalog, run);
        keys.contains(&key).then(|| (run.clone(), key))
    };
    let mut out = BTreeMap::new();
    for (run, bytes) in
        stored_evidence::fetch_existing(store, keys.iter().filter_map(plan).collect()).await?
    {
        let Ok(plan) = serde_json::from_slice::<Plan>(&bytes) else {
            continue;
        };
        if !unfinished::built_ami_names(&plan)
            .iter()
            .any(|name| bare.contains(name))
        {
            continue;
        }
        let all = keys.get(&run).map_or(&[][..], Vec::as_slice);
        let record = read_run_record(catalog, store, &run, all).await;
        out.insert(run, unfinished::retention_reasons(&plan, &record));
    }
    Ok(out)
}

/// Reads the journal and the result of a run from the store.
async fn read_run_record(
    catalog: &CatalogName,
    store: &dyn Store,
    run: &RunId,
    keys: &[String],
) -> Result<(String, Option<Vec<u8>>)> {
    let journal = format!("{}/{run}/journal/", keys::runs(catalog));
    let lines = keys
        .iter()
        .filter(|key| key.starts_with(&journal))
        .map(|key| (key.clone(), key.clone()))
        .collect();
    let mut lines = stored_evidence::fetch_existing(store, lines).await?;
    lines.sort();
    let journal = lines
        .iter()
        .map(|(_, line)| String::from_utf8_lossy(line))
        .collect();
    Ok((journal, store.get(&keys::report(catalog, run)).await?))
}
