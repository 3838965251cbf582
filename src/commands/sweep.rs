//! Owns `bakeline sweep`: every temporary thing with the reason it stays or goes; removing only with --apply.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::context::{self, Clouds, Loaded};
use super::gather::{self, Need};
use super::{lock, memory, report, run};
use crate::adapters::system::{SystemClock, new_run_id};
use crate::cli::Sweep as Args;
use crate::engine::unfinished;
use crate::error::{Error, Result};
use crate::evidence::keys;
use crate::lifecycle::sweep::{Leftover, RunFacts, Sweep};
use crate::lifecycle::{locations, sharing, tags};
use crate::model::{
    AmiId, CatalogName, Inventory, Reference, Region, RunId, Temporary, TemporaryKind,
};
use crate::plan::Plan;
use crate::ports::{Clock as _, Store, TemporaryQuery};
use crate::steps::references::located;
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load(dir)?;
    let settings = &loaded.catalog.settings;
    // No lock: a sweep works beside a live run, whose things it knows by that run's lock.
    let run = lock::take(&loaded, lock::Rungs::None).await?;
    let clouds = context::clouds(settings).await?;
    let inventory = gather::live(&loaded, &clouds, Need::Images).await?;
    let leftovers = leftovers(&loaded, &inventory, &clouds, args.packer_leftovers).await?;
    show(&leftovers, args.json);
    let plan = crate::plan::sweep::plan(&leftovers, run, inventory.taken);
    if plan.steps.is_empty() {
        return Ok(0);
    }
    if !args.apply {
        ui::say(&format!(
            "{} would be removed; run with --apply to remove them",
            plan.steps.len()
        ));
        return Ok(0);
    }
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
    ui::say(&format!(
        "{} removed",
        ran.outcome.scopes.values().filter(|e| e.is_done()).count()
    ));
    report::end(&ran)
}

/// After a run: removes what earlier dead runs left. It can't fail the run; what it can't remove stays for the next one.
pub(super) async fn after(loaded: &Loaded, inventory: &Inventory) {
    let found = match context::clouds(&loaded.catalog.settings).await {
        Ok(clouds) => leftovers(loaded, inventory, &clouds, false).await,
        Err(e) => Err(e),
    };
    let found = match found {
        Ok(found) => found,
        Err(e) => return ui::say(&format!("warning: nothing was swept: {}", e.one_line())),
    };
    let plan = crate::plan::sweep::plan(&found, new_run_id(inventory.taken), inventory.taken);
    if plan.steps.is_empty() {
        return;
    }
    ui::say(&format!(
        "sweeping {} things that dead runs left",
        plan.steps.len()
    ));
    match run::act(loaded, inventory, &plan, run::Manner::INDEPENDENT).await {
        Ok(ran) if ran.outcome.kind().is_none() => {}
        Ok(_) => {
            ui::say("warning: not all of it could be removed; `bakeline sweep` shows what is left")
        }
        Err(e) => ui::say(&format!("warning: nothing was swept: {}", e.one_line())),
    }
}

async fn leftovers(
    loaded: &Loaded,
    inventory: &Inventory,
    clouds: &Clouds,
    packer: bool,
) -> Result<Vec<Leftover>> {
    let settings = &loaded.catalog.settings;
    let query = TemporaryQuery {
        owner: (tags::CATALOG.to_owned(), settings.name.to_string()),
        prefix: format!("{}/", settings.name),
    };
    let mut things: Vec<Temporary> = Vec::new();
    for location in locations::all(settings, &inventory.account) {
        match clouds
            .at(&location)?
            .temporaries(&location.region, &query)
            .await
        {
            Ok(found) => {
                things.extend(found.into_iter().map(|thing| Temporary {
                    account: location.account.clone(),
                    ..thing
                }));
            }
            Err(e) if location == locations::home(settings) => return Err(gather::unreachable(e)),
            // The next sweep looks there again; things expire meanwhile, and instances end themselves.
            Err(e) => ui::say(&format!(
                "warning: what dead runs left in {location} is not known: {}",
                Error::from(e).one_line()
            )),
        }
    }
    let images: Vec<Temporary> = things
        .iter()
        .filter(|t| t.kind == TemporaryKind::Image)
        .cloned()
        .collect();
    things.extend(images.iter().flat_map(sharing::temporaries));
    let store = context::store(settings).await?;
    let runs = runs(loaded, &store, &things).await?;
    let referred = referred(loaded, clouds, &things, &runs).await;
    let (now, home) = (SystemClock.now(), settings.home());
    Ok(Sweep {
        catalog: &settings.name,
        home,
        now,
        runs: &runs,
        referred: &referred,
        packer,
    }
    .decide(&things))
}

/// What the store knows of past and present runs.
async fn runs(
    loaded: &Loaded,
    store: &Arc<dyn Store>,
    things: &[Temporary],
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
        .filter(|t| bare(t))
        .map(|t| t.name.as_str())
        .collect();
    if !bare.is_empty() {
        for (run, amis) in built(&settings.name, &**store, &keys, &bare).await? {
            out.entry(run).or_default().amis = amis;
        }
    }
    let locks = lock::locks(settings, Arc::clone(store));
    let envs: Vec<_> = settings
        .environments
        .iter()
        .map(|e| e.name.clone())
        .collect();
    for holder in locks.holders(&envs).await? {
        out.entry(holder.run).or_default().alive = true;
    }
    Ok(out)
}

/// An AMI that only its name tells of.
fn bare(thing: &Temporary) -> bool {
    thing.kind == TemporaryKind::Image && thing.tags.is_empty()
}

/// What the records of the runs that set out to build AMIs of these names say of them; few are read, because few are bare.
async fn built(
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
    for (run, bytes) in memory::fetch(store, keys.iter().filter_map(plan).collect()).await? {
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
        let record = record(catalog, store, &run, all).await;
        out.insert(run, unfinished::retention_reasons(&plan, &record));
    }
    Ok(out)
}

/// The journal of a run as far as it is in the store, and its report.
async fn record(
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
    let mut lines = memory::fetch(store, lines).await?;
    lines.sort();
    let journal = lines
        .iter()
        .map(|(_, line)| String::from_utf8_lossy(line))
        .collect();
    Ok((journal, store.get(&keys::report(catalog, run)).await?))
}

/// What refers to the AMIs without tags that would go; what can't be asked protects.
async fn referred(
    loaded: &Loaded,
    clouds: &Clouds,
    things: &[Temporary],
    runs: &BTreeMap<RunId, RunFacts>,
) -> BTreeMap<String, String> {
    let home = loaded.catalog.settings.home();
    let goes = |t: &&Temporary| {
        bare(t)
            && t.account.is_none()
            && t.region == *home
            && runs.values().any(|r| r.amis.contains_key(&t.name))
    };
    let ids: Vec<AmiId> = things
        .iter()
        .filter(goes)
        .map(|t| AmiId(t.id.clone()))
        .collect();
    if ids.is_empty() {
        return BTreeMap::new();
    }
    match references(loaded, clouds, home, &ids).await {
        Ok(found) => found
            .into_iter()
            .map(|r| (r.ami.0, format!("{} {} refers to it", r.kind, r.by)))
            .collect(),
        Err(e) => {
            let why = format!("what refers to it is not known: {}", e.one_line());
            ids.into_iter().map(|id| (id.0, why.clone())).collect()
        }
    }
}

/// Lists what refers to AMIs at home, and the SSM parameters of every location.
async fn references(
    loaded: &Loaded,
    clouds: &Clouds,
    home: &Region,
    ids: &[AmiId],
) -> Result<Vec<Reference>> {
    let mut out = clouds.home.references(home, ids).await?;
    for location in locations::all(&loaded.catalog.settings, "") {
        out.extend(located(
            clouds
                .at(&location)?
                .parameter_references(&location.region)
                .await?,
            &location,
        ));
    }
    Ok(out)
}

fn show(leftovers: &[Leftover], as_json: bool) {
    if as_json {
        return ui::json(&leftovers);
    }
    if leftovers.is_empty() {
        return ui::say("nothing is left over");
    }
    let rows: Vec<Vec<String>> = leftovers
        .iter()
        .map(|l| {
            let verdict = if l.remove { "remove" } else { "keep" };
            let kind = l.thing.kind.as_str().to_owned();
            let run = l
                .thing
                .tags
                .get(tags::RUN)
                .cloned()
                .unwrap_or_else(|| "-".to_owned());
            vec![
                kind,
                l.thing.id.clone(),
                l.thing.region.to_string(),
                run,
                verdict.to_owned(),
                l.because.clone(),
            ]
        })
        .collect();
    ui::data(&ui::table::columns(
        &["KIND", "ID", "REGION", "RUN", "DO", "BECAUSE"],
        &rows,
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::adapters::fake::MemoryStore;
    use crate::engine::journal::{Phase, Recorder};
    use crate::model::{AmiId, Region, Timestamp};
    use crate::plan::release::PLAN_SCHEMA;
    use crate::plan::step::{Action, AmiRef, Step, StepId};

    /// The run of a plan with one build whose journal has these phases, in a store.
    async fn stored(phases: &[Phase]) -> (MemoryStore, CatalogName, RunId) {
        let (store, catalog, run) = (
            MemoryStore::default(),
            CatalogName::from("acme"),
            RunId::from("r1"),
        );
        let id = StepId("jdk/build".to_owned());
        let action = Action::Build {
            image: "jdk".into(),
            version: "20261122.1".parse().expect("a version"),
            ami_name: "acme/jdk".to_owned(),
            base: AmiRef::Known(AmiId::from("ami-1")),
            tags: BTreeMap::new(),
        };
        let (scope, region) = ("jdk".to_owned(), Region::from("eu-west-1"));
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
            made,
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
        let (mut recorder, mut lines) = (Recorder::default(), Vec::new());
        for phase in phases {
            let write = |line: &str| {
                lines.push(format!("{line}\n"));
                Ok(())
            };
            recorder
                .record((made, &id, *phase), &Value::Null, write)
                .expect("legal");
        }
        for (seq, line) in (1..).zip(&lines) {
            store
                .put(&keys::journal(&catalog, &run, seq), line.as_bytes())
                .await
                .expect("stored");
        }
        (store, catalog, run)
    }

    /// Why the AMI stays, by the store: nothing known, no reason, or a reason.
    async fn stays(
        store: &MemoryStore,
        catalog: &CatalogName,
        run: &RunId,
    ) -> Option<Option<String>> {
        let all = store.list(&keys::runs(catalog)).await.expect("listed");
        let keys = BTreeMap::from([(run.clone(), all)]);
        built(catalog, store, &keys, &["acme/jdk"])
            .await
            .expect("read")
            .remove(run)?
            .remove("acme/jdk")
    }

    #[tokio::test]
    async fn a_runs_record_in_the_store_says_whether_its_build_finished() {
        let (store, catalog, run) =
            stored(&[Phase::Started, Phase::Failed, Phase::UndoStarted]).await;
        assert_eq!(
            stays(&store, &catalog, &run).await,
            Some(None),
            "it never finished"
        );
        store
            .delete(&keys::journal(&catalog, &run, 2))
            .await
            .expect("deleted");
        let why = stays(&store, &catalog, &run)
            .await
            .flatten()
            .expect("a reason");
        assert!(why.contains("can't be read"), "a line is missing: {why}");
        let (store, catalog, run) = stored(&[Phase::Started, Phase::Succeeded]).await;
        assert!(
            stays(&store, &catalog, &run)
                .await
                .flatten()
                .is_some_and(|why| why.contains("finished"))
        );
        let (store, catalog, run) = stored(&[]).await;
        assert!(
            stays(&store, &catalog, &run)
                .await
                .flatten()
                .is_some_and(|why| why.contains("no record"))
        );
        assert_eq!(
            stays(&MemoryStore::default(), &catalog, &run).await,
            None,
            "nobody built it"
        );
    }
}
