//! Implements `bakeline sweep`: shows temporary resources of dead runs, and removes them with
//! --apply.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::system::{SystemClock, new_run_id};
use crate::cli::Sweep as Args;
use crate::commands::summary;
use crate::commands::support::context::{self, Clouds, LoadedCatalog};
use crate::commands::support::gather::{self, Need};
use crate::commands::support::{lock, run, stored_evidence};
use crate::engine::unfinished;
use crate::error::{Error, Result};
use crate::evidence::keys;
use crate::lifecycle::sweep::{Leftover, RunFacts, SweepRules};
use crate::lifecycle::{locations, sharing, tags};
use crate::model::{
    AmiId, CatalogName, Inventory, Reference, Region, RunId, TemporaryKind, TemporaryResource,
};
use crate::plan::Plan;
use crate::ports::{Clock as _, Store, TemporaryQuery};
use crate::steps::references::add_location;
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let settings = &loaded.catalog.settings;
    // No lock: a sweep can run at the same time as other runs. It recognizes live runs by their
    // locks.
    let run = lock::take_locks(&loaded, lock::LockScope::None).await?;
    let clouds = context::connect_clouds(settings).await?;
    let inventory = gather::query_cloud(&loaded, &clouds, Need::Images).await?;
    let leftovers = find_leftovers(&loaded, &inventory, &clouds, args.packer_leftovers).await?;
    print_leftovers(&leftovers, args.json);
    let plan = crate::plan::sweep::plan_sweep(&leftovers, run, inventory.captured_at);
    if plan.steps.is_empty() {
        return Ok(0);
    }
    if !args.apply {
        ui::say(&format!(
            "{} resources would be removed; run with --apply to remove them",
            plan.steps.len()
        ));
        return Ok(0);
    }
    let ran = run::execute_plan(&loaded, &inventory, &plan, run::RunOptions::INDEPENDENT).await?;
    ui::say(&format!(
        "removed {} resources",
        ran.outcome.scopes.values().filter(|e| e.is_done()).count()
    ));
    summary::exit_code(&ran)
}

/// Removes the resources of dead runs after a run. Prints failures as warnings.
pub(crate) async fn sweep_after_run(loaded: &LoadedCatalog, inventory: &Inventory) {
    let found = match context::connect_clouds(&loaded.catalog.settings).await {
        Ok(clouds) => find_leftovers(loaded, inventory, &clouds, false).await,
        Err(e) => Err(e),
    };
    let found = match found {
        Ok(found) => found,
        Err(e) => return ui::say(&format!("warning: the sweep failed: {}", e.one_line())),
    };
    let plan = crate::plan::sweep::plan_sweep(
        &found,
        new_run_id(inventory.captured_at),
        inventory.captured_at,
    );
    if plan.steps.is_empty() {
        return;
    }
    ui::say(&format!(
        "removing {} resources that dead runs left",
        plan.steps.len()
    ));
    match run::execute_plan(loaded, inventory, &plan, run::RunOptions::INDEPENDENT).await {
        Ok(ran) if ran.outcome.kind().is_none() => {}
        Ok(_) => ui::say(
            "warning: some resources could not be removed; run `bakeline sweep` to list them",
        ),
        Err(e) => ui::say(&format!("warning: the sweep failed: {}", e.one_line())),
    }
}

async fn find_leftovers(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    clouds: &Clouds,
    packer: bool,
) -> Result<Vec<Leftover>> {
    let settings = &loaded.catalog.settings;
    let query = TemporaryQuery {
        owner: (tags::CATALOG.to_owned(), settings.name.to_string()),
        prefix: format!("{}/", settings.name),
    };
    let mut things: Vec<TemporaryResource> = Vec::new();
    for location in locations::in_catalog(settings, &inventory.account) {
        match clouds
            .at(&location)?
            .temporaries(&location.region, &query)
            .await
        {
            Ok(found) => {
                things.extend(found.into_iter().map(|thing| TemporaryResource {
                    account: location.account.clone(),
                    ..thing
                }));
            }
            Err(e) if location == locations::home(settings) => {
                return Err(gather::first_call_error(e));
            }
            // The next sweep tries again. Until then resources expire and instances terminate
            // themselves.
            Err(e) => ui::say(&format!(
                "warning: cannot list the resources of dead runs in {location}: {}",
                Error::from(e).one_line()
            )),
        }
    }
    let images: Vec<TemporaryResource> = things
        .iter()
        .filter(|t| t.kind == TemporaryKind::Image)
        .cloned()
        .collect();
    things.extend(images.iter().flat_map(sharing::copy_permissions));
    let store = context::open_store(settings).await?;
    let runs = load_run_facts(loaded, &store, &things).await?;
    let referred = find_referrers(loaded, clouds, &things, &runs).await;
    let (now, home) = (SystemClock.now(), settings.home());
    Ok(SweepRules {
        catalog: &settings.name,
        home,
        now,
        runs: &runs,
        references: &referred,
        packer_leftovers: packer,
    }
    .find_leftovers(&things))
}

/// Reads the facts about all runs from the store and the locks.
async fn load_run_facts(
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
        for (run, amis) in unfinished_builds(&settings.name, &**store, &keys, &bare).await? {
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
fn is_untagged(thing: &TemporaryResource) -> bool {
    thing.kind == TemporaryKind::Image && thing.tags.is_empty()
}

/// Finds the runs that planned to build AMIs with these names. Returns, for each AMI, the reason to
/// keep it, or `None` if its build never finished.
async fn unfinished_builds(
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

/// Returns the reason to keep each untagged AMI that would be removed but is referenced. If the
/// references cannot be listed, all of these AMIs are kept.
async fn find_referrers(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    things: &[TemporaryResource],
    runs: &BTreeMap<RunId, RunFacts>,
) -> BTreeMap<String, String> {
    let home = loaded.catalog.settings.home();
    let goes = |t: &&TemporaryResource| {
        is_untagged(t)
            && t.account.is_none()
            && t.region == *home
            && runs.values().any(|r| r.planned_amis.contains_key(&t.name))
    };
    let ids: Vec<AmiId> = things
        .iter()
        .filter(goes)
        .map(|t| AmiId(t.id.clone()))
        .collect();
    if ids.is_empty() {
        return BTreeMap::new();
    }
    match list_references(loaded, clouds, home, &ids).await {
        Ok(found) => found
            .into_iter()
            .map(|r| (r.ami.0, format!("used by {} {}", r.kind, r.referrer)))
            .collect(),
        Err(e) => {
            let why = format!("its references are unknown: {}", e.one_line());
            ids.into_iter().map(|id| (id.0, why.clone())).collect()
        }
    }
}

/// Lists the references to AMIs at home, including the SSM parameters of all locations.
async fn list_references(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    home: &Region,
    ids: &[AmiId],
) -> Result<Vec<Reference>> {
    let mut out = clouds.home.references(home, ids).await?;
    for location in locations::in_catalog(&loaded.catalog.settings, "") {
        out.extend(add_location(
            clouds
                .at(&location)?
                .parameter_references(&location.region)
                .await?,
            &location,
        ));
    }
    Ok(out)
}

fn print_leftovers(leftovers: &[Leftover], as_json: bool) {
    if as_json {
        return ui::json(&leftovers);
    }
    if leftovers.is_empty() {
        return ui::say("there are no temporary resources");
    }
    let rows: Vec<Vec<String>> = leftovers
        .iter()
        .map(|l| {
            let verdict = if l.remove { "remove" } else { "keep" };
            let kind = l.resource.kind.as_str().to_owned();
            let run = l
                .resource
                .tags
                .get(tags::RUN)
                .cloned()
                .unwrap_or_else(|| "-".to_owned());
            vec![
                kind,
                l.resource.id.clone(),
                l.resource.region.to_string(),
                run,
                verdict.to_owned(),
                l.reason.clone(),
            ]
        })
        .collect();
    ui::data(&ui::table::columns(
        &["KIND", "ID", "REGION", "RUN", "ACTION", "REASON"],
        &rows,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::fake::{MemoryJournal, MemoryStore};
    use crate::engine::journal::{Phase, record_phases};
    use crate::model::{AmiId, Region, Timestamp};
    use crate::plan::release::PLAN_SCHEMA;
    use crate::plan::step::{Action, AmiRef, Step, StepId};

    /// Writes a run to a store: a plan with one build, and a journal with these phases.
    async fn store_run(phases: &[Phase]) -> (MemoryStore, CatalogName, RunId) {
        let (store, catalog, run) = (
            MemoryStore::default(),
            CatalogName::from("acme"),
            RunId::from("r1"),
        );
        let id: StepId = "jdk/build".parse().expect("a step ID");
        let action = Action::Build {
            image: "jdk".into(),
            version: "20261122.1".parse().expect("a version"),
            ami_name: "acme/jdk".to_owned(),
            base: AmiRef::Known(AmiId::from("ami-1")),
            tags: BTreeMap::new(),
        };
        let (scope, region) = (id.scope.clone(), Region::from("eu-west-1"));
        let (account, needs, reason) = (None, Vec::new(), String::new());
        let steps = vec![Step {
            id: id.clone(),
            scope,
            region,
            account,
            needs,
            reason,
            action,
        }];
        let made = Timestamp::UNIX_EPOCH;
        let plan = Plan {
            schema: PLAN_SCHEMA,
            run: run.clone(),
            decided_at: made,
            decisions: Vec::new(),
            steps,
        };
        store
            .put(
                &keys::plan(&catalog, &run),
                &serde_json::to_vec(&plan).expect("JSON"),
            )
            .await
            .expect("stored");
        let journal = MemoryJournal::default();
        record_phases(&journal, &id, phases);
        let text = journal.text();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for (seq, line) in (1..).zip(&lines) {
            store
                .put(&keys::journal(&catalog, &run, seq), line.as_bytes())
                .await
                .expect("stored");
        }
        (store, catalog, run)
    }

    /// Returns the reason to keep the AMI: outer `None` for an unknown AMI, inner `None` for no
    /// reason.
    async fn kept_reason(
        store: &MemoryStore,
        catalog: &CatalogName,
        run: &RunId,
    ) -> Option<Option<String>> {
        let all = store.list(&keys::runs(catalog)).await.expect("listed");
        let keys = BTreeMap::from([(run.clone(), all)]);
        unfinished_builds(catalog, store, &keys, &["acme/jdk"])
            .await
            .expect("read")
            .remove(run)?
            .remove("acme/jdk")
    }

    #[tokio::test]
    async fn run_record_tells_if_the_build_finished() {
        let (store, catalog, run) =
            store_run(&[Phase::Started, Phase::Failed, Phase::UndoStarted]).await;
        assert_eq!(
            kept_reason(&store, &catalog, &run).await,
            Some(None),
            "the build never finished"
        );
        store
            .delete(&keys::journal(&catalog, &run, 2))
            .await
            .expect("deleted");
        let why = kept_reason(&store, &catalog, &run)
            .await
            .flatten()
            .expect("a reason");
        assert!(why.contains("cannot be read"), "a line is missing: {why}");
        let (store, catalog, run) = store_run(&[Phase::Started, Phase::Succeeded]).await;
        assert!(
            kept_reason(&store, &catalog, &run)
                .await
                .flatten()
                .is_some_and(|why| why.contains("finished"))
        );
        let (store, catalog, run) = store_run(&[]).await;
        assert!(
            kept_reason(&store, &catalog, &run)
                .await
                .flatten()
                .is_some_and(|why| why.contains("no record"))
        );
        assert_eq!(
            kept_reason(&MemoryStore::default(), &catalog, &run).await,
            None,
            "no run built it"
        );
    }
}
