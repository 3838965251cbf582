//! Implements `bakeline sweep`: shows temporary resources of dead runs, and removes them with
//! --apply.

use std::collections::BTreeMap;
use std::path::Path;

use super::run_facts::{is_untagged, load_run_facts};
use crate::adapters::system::{SystemClock, new_run_id};
use crate::cli::Sweep as Args;
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::{self, Clouds, LoadedCatalog};
use crate::commands::support::gather::{self, Need};
use crate::commands::support::{lock, run};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::sweep::{Leftover, RunFacts, SweepRules};
use crate::lifecycle::{locations, sharing, tags};
use crate::model::{
    AmiId, Inventory, Location, Reference, RunId, TemporaryKind, TemporaryResource,
};
use crate::ports::{Clock as _, TemporaryQuery};
use crate::steps::references::add_location;
use crate::ui;
use crate::ui::table::Table;

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let settings = &loaded.catalog.settings;
    // No lock: a sweep can run at the same time as other runs. It recognizes live runs by their
    // locks.
    let run = lock::take_locks(&loaded, lock::LockScope::None).await?;
    let access = AccessMode::change_if(args.apply, "sweep", &run);
    let clouds = context::connect_clouds(settings, access).await?;
    let inventory = gather::query_cloud(&loaded, &clouds, Need::Images).await?;
    let found = find_leftovers(&loaded, &inventory, &clouds, args.packer_leftovers, None).await?;
    print_leftovers(&found, args.json);
    let plan = crate::plan::sweep::plan_sweep(&found.leftovers, run, inventory.captured_at);
    if plan.steps.is_empty() {
        return found.require_complete().map(|()| 0);
    }
    if !args.apply {
        ui::say(&format!(
            "{} would be removed; run again with --apply to proceed",
            ui::count(plan.steps.len(), "resource")
        ));
        return found.require_complete().map(|()| 0);
    }
    let ran = run::execute_plan(
        &loaded,
        &inventory,
        &plan,
        run::RunOptions::independent("sweep"),
    )
    .await?;
    let removed = ran.outcome.scopes.values().filter(|e| e.is_done()).count();
    ui::say(&format!("removed {}", ui::count(removed, "resource")));
    match summary::exit_code(&ran)? {
        0 => found.require_complete().map(|()| 0),
        failure => Ok(failure),
    }
}

/// Removes the resources of dead runs after a run, and those that the run `ended` has left although it
/// still holds its locks. Prints failures as warnings.
pub(crate) async fn sweep_after_run(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    ended: Option<&RunId>,
) {
    let run = new_run_id(inventory.captured_at);
    let access = AccessMode::Change(&run);
    let found = match context::connect_clouds(&loaded.catalog.settings, access).await {
        Ok(clouds) => find_leftovers(loaded, inventory, &clouds, false, ended).await,
        Err(e) => Err(e),
    };
    let found = match found {
        Ok(found) => found,
        Err(e) => return warn_of_failure(&e),
    };
    let plan = crate::plan::sweep::plan_sweep(&found.leftovers, run, inventory.captured_at);
    if plan.steps.is_empty() {
        return;
    }
    ui::say(&format!(
        "removing {} that dead runs left",
        ui::count(plan.steps.len(), "resource")
    ));
    match run::execute_plan(
        loaded,
        inventory,
        &plan,
        run::RunOptions::independent("sweep"),
    )
    .await
    {
        Ok(ran) if ran.outcome.kind().is_none() => {}
        Ok(ran) => {
            summary::say_failures(&ran.outcome);
            ui::say(
                "warning: some resources could not be removed; run `bakeline sweep` to list them",
            );
        }
        Err(e) => warn_of_failure(&e),
    }
}

fn warn_of_failure(error: &Error) {
    ui::say(&format!(
        "warning: the sweep after the run failed; run `bakeline sweep --apply`: {}",
        error.one_line()
    ));
}

/// Resources of dead runs, and the locations that could not be listed.
struct FoundLeftovers {
    leftovers: Vec<Leftover>,
    unlisted: Vec<Location>,
}

impl FoundLeftovers {
    /// Fails if a location could not be listed. The warnings have named the causes.
    fn require_complete(&self) -> Result<()> {
        if self.unlisted.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.unlisted.iter().map(ToString::to_string).collect();
        Err(Error::new(
            ErrorKind::StepFailed,
            format!(
                "the sweep is incomplete: it could not list {}",
                names.join(", ")
            ),
        )
        .hint("remove the cause in the warnings above, and run `bakeline sweep` again"))
    }
}

async fn find_leftovers(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    clouds: &Clouds,
    packer: bool,
    ended: Option<&RunId>,
) -> Result<FoundLeftovers> {
    let settings = &loaded.catalog.settings;
    let query = TemporaryQuery {
        owner: (tags::CATALOG.to_owned(), settings.name.to_string()),
        prefix: format!("{}/", settings.name),
    };
    let mut things: Vec<TemporaryResource> = Vec::new();
    let mut unlisted = Vec::new();
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
                return Err(crate::steps::first_call_error(e));
            }
            // The next sweep tries again. Until then resources expire and instances terminate
            // themselves.
            Err(e) => {
                ui::say(&format!(
                    "warning: cannot list the resources of dead runs in {location}: {}",
                    Error::from(e).one_line()
                ));
                unlisted.push(location);
            }
        }
    }
    let images: Vec<TemporaryResource> = things
        .iter()
        .filter(|t| t.kind == TemporaryKind::Image)
        .cloned()
        .collect();
    things.extend(images.iter().flat_map(sharing::copy_permissions));
    let store = context::open_store(settings).await?;
    let mut runs = load_run_facts(loaded, &store, &things).await?;
    if let Some(run) = ended {
        runs.entry(run.clone()).or_default().active = false;
    }
    let referred = find_referrers(loaded, clouds, &inventory.account, &things, &runs).await;
    let (now, home) = (SystemClock.now(), settings.home());
    let leftovers = SweepRules {
        catalog: &settings.name,
        home,
        now,
        runs: &runs,
        references: &referred,
        packer_leftovers: packer,
    }
    .find_leftovers(&things);
    Ok(FoundLeftovers {
        leftovers,
        unlisted,
    })
}

/// Returns a reason to keep each AMI without a state that would be removed but is referenced. If the
/// references cannot be listed, all of them get a reason.
async fn find_referrers(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    account: &str,
    things: &[TemporaryResource],
    runs: &BTreeMap<RunId, RunFacts>,
) -> BTreeMap<String, String> {
    let home = loaded.catalog.settings.home();
    let is_planned = |name: &str| {
        let mut ended = runs.values().filter(|run| !run.active);
        ended.any(|run| matches!(run.planned_amis.get(name), Some(None)))
    };
    let goes = |t: &&TemporaryResource| {
        t.kind == TemporaryKind::Image
            && t.account.is_none()
            && t.region == *home
            && !t.tags.contains_key(tags::STATE)
            && (!is_untagged(t) || is_planned(&t.name))
    };
    let ids: Vec<AmiId> = things
        .iter()
        .filter(goes)
        .map(|t| AmiId(t.id.clone()))
        .collect();
    if ids.is_empty() {
        return BTreeMap::new();
    }
    match list_references(loaded, clouds, account, &ids).await {
        Ok(found) => found
            .into_iter()
            .map(|r| (r.ami.0, format!("used by {} {}", r.kind, r.referrer)))
            .collect(),
        Err(e) => {
            let why = format!("its references are unknown: {}", e.one_line());
            // The sweep after a release does not show what it keeps.
            ui::say(&format!(
                "warning: {} without a state cannot be removed: the references are unknown: {}",
                ui::count(ids.len(), "AMI"),
                e.one_line()
            ));
            ids.into_iter().map(|id| (id.0, why.clone())).collect()
        }
    }
}

/// Lists the references to AMIs at home, including the SSM parameters of all locations.
async fn list_references(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    account: &str,
    ids: &[AmiId],
) -> Result<Vec<Reference>> {
    let settings = &loaded.catalog.settings;
    let mut out = clouds.home.references(settings.home(), ids).await?;
    for location in locations::in_catalog(settings, account) {
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

fn print_leftovers(found: &FoundLeftovers, as_json: bool) {
    let FoundLeftovers {
        leftovers,
        unlisted,
    } = found;
    if as_json {
        return ui::json(leftovers);
    }
    if leftovers.is_empty() {
        return ui::say(if unlisted.is_empty() {
            "no temporary resources"
        } else {
            "no temporary resources in the locations that could be listed"
        });
    }
    ui::table(&leftover_table(leftovers));
}

fn leftover_table(leftovers: &[Leftover]) -> Table {
    let mut table = Table::with_text(&["ACTION", "KIND", "ID", "LOCATION"], "REASON");
    for leftover in leftovers {
        let resource = &leftover.resource;
        let location = Location {
            account: resource.account.clone(),
            region: resource.region.clone(),
        };
        let action = if leftover.remove { "remove" } else { "keep" };
        let values = vec![
            action.to_owned(),
            resource.kind.as_str().to_owned(),
            resource.id.clone(),
            location.to_string(),
        ];
        table.push_text(values, vec![leftover.reason.clone()]);
    }
    table
}
