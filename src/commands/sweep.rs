//! Owns `bakeline sweep`: every temporary thing with the reason it stays or goes; removing only with --apply.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::context::{self, Clouds, Loaded};
use super::gather::{self, Need};
use super::{lock, report, run};
use crate::adapters::system::{SystemClock, new_run_id};
use crate::cli::Sweep as Args;
use crate::engine::lock::Locks;
use crate::error::{Error, Result};
use crate::evidence::keys;
use crate::lifecycle::sweep::{Leftover, RunFacts, Sweep};
use crate::lifecycle::{places, tags};
use crate::model::{RunId, Temporary, World};
use crate::plan::{Action, Plan};
use crate::ports::{Clock as _, Store, TemporaryQuery};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load(dir)?;
    let settings = &loaded.catalog.settings;
    // No lock: a sweep works beside a live run, whose things it knows by that run's lock.
    let run = lock::take(&loaded, lock::Rungs::None).await?;
    let clouds = context::clouds(settings).await?;
    let world = gather::live(&loaded, &clouds, Need::Images).await?;
    let leftovers = leftovers(&loaded, &world, &clouds, args.packer_leftovers).await?;
    show(&leftovers, args.json);
    let plan = crate::plan::sweep::plan(&leftovers, run, world.taken);
    if plan.steps.is_empty() {
        return Ok(0);
    }
    if !args.apply {
        ui::say(&format!("{} would be removed; run with --apply to remove them", plan.steps.len()));
        return Ok(0);
    }
    let ran = run::act(&loaded, &world, &plan, run::Manner::INDEPENDENT).await?;
    ui::say(&format!("{} removed", ran.outcome.scopes.values().filter(|e| e.is_done()).count()));
    report::end(&ran)
}

/// After a run: removes what earlier dead runs left. It can't fail the run; what it can't remove stays for the next one.
pub(super) async fn after(loaded: &Loaded, world: &World) {
    let found = match context::clouds(&loaded.catalog.settings).await {
        Ok(clouds) => leftovers(loaded, world, &clouds, false).await,
        Err(e) => Err(e),
    };
    let found = match found {
        Ok(found) => found,
        Err(e) => return ui::say(&format!("warning: nothing was swept: {}", e.one_line())),
    };
    let plan = crate::plan::sweep::plan(&found, new_run_id(world.taken), world.taken);
    if plan.steps.is_empty() {
        return;
    }
    ui::say(&format!("sweeping {} things that dead runs left", plan.steps.len()));
    match run::act(loaded, world, &plan, run::Manner::INDEPENDENT).await {
        Ok(ran) if ran.outcome.kind().is_none() => {}
        Ok(_) => ui::say("warning: not all of it could be removed; `bakeline sweep` shows what is left"),
        Err(e) => ui::say(&format!("warning: nothing was swept: {}", e.one_line())),
    }
}

async fn leftovers(loaded: &Loaded, world: &World, clouds: &Clouds, packer: bool) -> Result<Vec<Leftover>> {
    let settings = &loaded.catalog.settings;
    let query = TemporaryQuery {
        owner: (tags::CATALOG.to_owned(), settings.name.to_string()),
        prefix: format!("{}/", settings.name),
    };
    let mut things: Vec<Temporary> = Vec::new();
    for place in places::all(settings, &world.account) {
        match clouds.at(&place)?.temporaries(&place.region, &query).await {
            Ok(found) => {
                things.extend(found.into_iter().map(|thing| Temporary { account: place.account.clone(), ..thing }));
            }
            Err(e) if place == places::home(settings) => return Err(gather::unreachable(e)),
            // The next sweep looks there again; things expire meanwhile, and instances end themselves.
            Err(e) => {
                ui::say(&format!("warning: what dead runs left in {place} is not known: {}", Error::from(e).one_line()))
            }
        }
    }
    let store = context::store(settings).await?;
    let runs = runs(loaded, &store).await?;
    let now = SystemClock.now();
    Ok(Sweep { catalog: &settings.name, now, runs: &runs, packer }.decide(&things))
}

/// What the store knows of past and present runs.
async fn runs(loaded: &Loaded, store: &Arc<dyn Store>) -> Result<BTreeMap<RunId, RunFacts>> {
    let settings = &loaded.catalog.settings;
    let mut out: BTreeMap<RunId, RunFacts> = BTreeMap::new();
    let mut plans: Vec<(RunId, String)> = Vec::new();
    for key in store.list(&keys::runs(&settings.name)).await? {
        let Some(run) = keys::run_in(&key) else { continue };
        out.entry(run.clone()).or_default();
        plans.extend((key == keys::plan(&settings.name, &run)).then_some((run, key)));
    }
    for (run, bytes) in super::memory::fetch(&**store, plans).await? {
        let Ok(plan) = serde_json::from_slice::<Plan>(&bytes) else { continue };
        out.entry(run).or_default().amis.extend(plan.steps.iter().filter_map(|step| match &step.action {
            Action::Build { ami_name, .. } => Some(ami_name.clone()),
            _ => None,
        }));
    }
    let (catalog, lease) = (settings.name.clone(), settings.lease);
    let locks = Locks { store: Arc::clone(store), clock: Arc::new(SystemClock), catalog, lease };
    let envs: Vec<_> = settings.environments.iter().map(|e| e.name.clone()).collect();
    for holder in locks.holders(&envs).await? {
        out.entry(holder.run).or_default().alive = true;
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
            let run = l.thing.tags.get(tags::RUN).cloned().unwrap_or_else(|| "-".to_owned());
            vec![kind, l.thing.id.clone(), l.thing.region.to_string(), run, verdict.to_owned(), l.because.clone()]
        })
        .collect();
    ui::data(&ui::table::columns(&["KIND", "ID", "REGION", "RUN", "DO", "BECAUSE"], &rows));
}
