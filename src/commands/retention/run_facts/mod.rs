//! Loads facts about runs for a sweep: which runs still hold a lock, and which builds never
//! finished.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use crate::commands::support::context::LoadedCatalog;
use crate::commands::support::stored_runs::read_journal;
use crate::commands::support::{lock, stored_evidence};
use crate::engine::unfinished;
use crate::error::Result;
use crate::evidence::keys;
use crate::lifecycle::sweep::RunFacts;
use crate::lifecycle::tags;
use crate::model::{CatalogName, RunId, TemporaryKind, TemporaryResource, run_in_ami_name};
use crate::plan::Plan;
use crate::ports::Store;

/// Maximum number of parallel lists.
const MAX_CONCURRENT: usize = 16;

/// Reads the facts about the runs of these resources from the store, and those of the active runs
/// from the locks.
pub(super) async fn load_run_facts(
    loaded: &LoadedCatalog,
    store: &Arc<dyn Store>,
    things: &[TemporaryResource],
) -> Result<BTreeMap<RunId, RunFacts>> {
    let settings = &loaded.catalog.settings;
    let mut out = stored_runs(&settings.name, &**store, things).await?;
    let locks = lock::environment_locks(settings, Arc::clone(store));
    let envs = settings.environment_names();
    for holder in locks.holders(&envs).await? {
        out.entry(holder.run).or_default().active = true;
    }
    Ok(out)
}

/// Returns the facts about those runs of these resources that the store knows. The number of
/// requests depends on the resources, not on the number of runs in the store.
async fn stored_runs(
    catalog: &CatalogName,
    store: &dyn Store,
    things: &[TemporaryResource],
) -> Result<BTreeMap<RunId, RunFacts>> {
    let tagged = things.iter().filter_map(|t| t.tags.get(tags::RUN));
    let mut runs: BTreeSet<RunId> = tagged.map(|run| RunId::from(run.as_str())).collect();
    let bare: Vec<&str> = things
        .iter()
        .filter(|t| is_untagged(t))
        .map(|t| t.name.as_str())
        .collect();
    runs.extend(
        bare.iter()
            .filter_map(|name| run_in_ami_name(catalog, name)),
    );
    // Tags are not trusted as keys.
    runs.retain(RunId::is_valid);
    let lists = runs.into_iter().map(|run| async move {
        let keys = store.list(&keys::run(catalog, &run)).await;
        keys.map(|keys| (run, keys))
    });
    let listed: Vec<_> = stream::iter(lists)
        .buffer_unordered(MAX_CONCURRENT)
        .collect()
        .await;
    let mut keys: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
    for list in listed {
        let (run, found) = list?;
        if !found.is_empty() {
            keys.insert(run, found);
        }
    }
    let mut out: BTreeMap<RunId, RunFacts> = keys
        .keys()
        .map(|run| (run.clone(), RunFacts::default()))
        .collect();
    if !bare.is_empty() {
        for (run, amis) in planned_builds(catalog, store, &keys, &bare).await? {
            out.entry(run).or_default().planned_amis = amis;
        }
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

/// Reads the journal and the result of a run.
async fn read_run_record(
    catalog: &CatalogName,
    store: &dyn Store,
    run: &RunId,
    keys: &[String],
) -> Result<(String, Option<Vec<u8>>)> {
    let journal = read_journal(catalog, store, run, keys).await?;
    Ok((journal, store.get(&keys::report(catalog, run)).await?))
}
