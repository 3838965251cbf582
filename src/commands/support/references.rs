//! Collects references to AMIs before prune decides. Lists them for all AMIs. For AMIs that no rule
//! keeps, it also queries EC2's own list of references and the launch permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::access::AccessMode;
use super::context::{self, Clouds, LoadedCatalog};
use super::gather;
use crate::cli::InventoryArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::locations;
use crate::lifecycle::retention::RetentionDecision;
use crate::lifecycle::retirement::RetirementStage;
use crate::lifecycle::rules::SHARED;
use crate::model::{AmiId, Inventory, Location, Reference, Region};
use crate::ports::{Cloud, CloudResult};
use crate::steps::references::add_location;

/// Maximum number of parallel requests.
const MAX_CONCURRENT: usize = 8;

/// Loads the inventory with all references. `decide` returns a preliminary decision.
pub(crate) async fn load_inventory(
    loaded: &LoadedCatalog,
    args: &InventoryArgs,
    access: AccessMode<'_>,
    decide: impl Fn(&Inventory) -> Vec<RetentionDecision>,
) -> Result<Inventory> {
    if args.inventory.is_some() {
        return gather::load_inventory(loaded, args, gather::Need::Images, access).await;
    }
    let clouds = context::connect_clouds(&loaded.catalog.settings, access).await?;
    let inventory = load_references_to(loaded, &clouds, None, decide).await?;
    if let Some(file) = &args.save_inventory {
        context::write_json(file, &inventory)?;
    }
    Ok(inventory)
}

/// Selects AMIs of an inventory.
pub(crate) type Select<'s> = &'s dyn Fn(&Inventory) -> BTreeSet<AmiId>;

/// Loads all AMIs, and the references to those that `select` returns.
pub(crate) async fn load_references_to(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    select: Option<Select<'_>>,
    decide: impl Fn(&Inventory) -> Vec<RetentionDecision>,
) -> Result<Inventory> {
    let mut inventory = gather::query_cloud(loaded, clouds, gather::Need::Images).await?;
    let selected = select.map(|select| select(&inventory));
    let is_selected = |id: &AmiId| selected.as_ref().is_none_or(|ids| ids.contains(id));
    let mut found: BTreeSet<Reference> = BTreeSet::new();
    let amis = inventory.images.iter().filter(|a| is_selected(&a.id));
    let amis = amis.map(|a| (&a.owner, &a.region, &a.id));
    for (location, ids) in group_by_location(&inventory.account, amis) {
        let read = list_references(clouds, &location, &ids).await;
        found.extend(references_or_unread(&mut inventory, location, read));
    }
    found.extend(receiver_references(loaded, clouds, &mut inventory, &is_selected).await);
    found.extend(parameter_references(loaded, clouds, &mut inventory).await);
    inventory.references = found.iter().cloned().collect();
    let going = decide(&inventory);
    let going = going.iter().filter(|f| f.retire && is_selected(&f.ami));
    let amis = going.clone().map(|f| (&f.owner, &f.region, &f.ami));
    for (location, ids) in group_by_location(&inventory.account, amis) {
        let read = reported_references(clouds, &location, &ids).await;
        let read = read.map(Option::unwrap_or_default);
        found.extend(references_or_unread(&mut inventory, location, read));
    }
    // Deprecation does not affect other accounts, so only later stages need the launch permissions.
    let further = going.filter(|f| f.due_stages.contains(&RetirementStage::Disable));
    let amis = further.map(|f| (&f.owner, &f.region, &f.ami));
    for (location, ids) in group_by_location(&inventory.account, amis) {
        let read = launch_permissions(clouds, &location, ids).await;
        found.extend(references_or_unread(&mut inventory, location, read));
    }
    inventory.references = found.into_iter().collect();
    Ok(inventory)
}

/// Loads the AMIs of these published image names, and the references to those that `select` returns:
/// the references that EC2 reports, and launch configurations. Without the SSM parameters of other
/// locations, this does not prove that an AMI is unused.
pub(crate) async fn load_reported(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    images: &BTreeSet<String>,
    select: Select<'_>,
) -> Result<Inventory> {
    let need = gather::Need::Images;
    let mut inventory = gather::query_selected(loaded, clouds, need, Some(images)).await?;
    let selected = select(&inventory);
    let amis = inventory.images.iter().filter(|a| selected.contains(&a.id));
    let amis = amis.map(|a| (&a.owner, &a.region, &a.id));
    for (location, ids) in group_by_location(&inventory.account, amis) {
        let read = match reported_references(clouds, &location, &ids).await {
            Ok(Some(mut reported)) => {
                launch_configurations(clouds, &location, &ids)
                    .await
                    .map(|found| {
                        reported.extend(found);
                        reported
                    })
            }
            Ok(None) => list_references(clouds, &location, &ids).await,
            Err(error) => Err(error),
        };
        let found = references_or_unread(&mut inventory, location, read);
        inventory.references.extend(found);
    }
    let is_selected = |id: &AmiId| selected.contains(id);
    let found = receiver_references(loaded, clouds, &mut inventory, &is_selected).await;
    inventory.references.extend(found);
    inventory.references.sort();
    Ok(inventory)
}

/// Returns the references that were read at a location. If the location could not be read, it is
/// added to `inventory.unread_references`, and prune keeps its AMIs.
fn references_or_unread(
    inventory: &mut Inventory,
    location: Location,
    read: Result<Vec<Reference>>,
) -> Vec<Reference> {
    let error = match read {
        Ok(found) => return found,
        Err(error) => error,
    };
    let unread = &mut inventory.unread_references;
    if unread.iter().all(|(known, _)| *known != location) {
        unread.push((location, error.with_advice()));
    }
    Vec::new()
}

/// Returns the references to AMIs that bakeline finds in its own lists.
async fn list_references(
    clouds: &Clouds,
    location: &Location,
    amis: &[AmiId],
) -> Result<Vec<Reference>> {
    let cloud = clouds.at(location)?;
    Ok(cloud.references(&location.region, amis).await?)
}

/// Returns the references to AMIs of the builder's account in the accounts that launch shared AMIs. Reads
/// lists only, because EC2 reports no references to an AMI that the account cannot see any more.
async fn receiver_references(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    inventory: &mut Inventory,
    is_selected: &(dyn Fn(&AmiId) -> bool + Sync),
) -> Vec<Reference> {
    let mut out = Vec::new();
    let receiving = locations::receiving_in_catalog(&loaded.catalog.settings, &inventory.account);
    for location in receiving {
        let own = inventory.images.iter().filter(|ami| {
            ami.owner == inventory.account && ami.region == location.region && is_selected(&ami.id)
        });
        let ids: Vec<AmiId> = own.map(|ami| ami.id.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        let read = list_references(clouds, &location, &ids).await;
        let found = references_or_unread(inventory, location.clone(), read);
        out.extend(add_location(found, &location));
    }
    out
}

/// Returns the launch configurations with these AMIs, which EC2 does not report.
async fn launch_configurations(
    clouds: &Clouds,
    location: &Location,
    amis: &[AmiId],
) -> Result<Vec<Reference>> {
    let cloud = clouds.at(location)?;
    Ok(cloud.launch_configurations(&location.region, amis).await?)
}

/// Returns the SSM parameters of every location that contain the ID of one of the inventory's AMIs.
/// A location whose parameters cannot be read is added to `inventory.unread`: while there is one,
/// no AMI goes beyond deprecation.
async fn parameter_references(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    inventory: &mut Inventory,
) -> Vec<Reference> {
    let known: BTreeSet<AmiId> = inventory.images.iter().map(|ami| ami.id.clone()).collect();
    let mut out = Vec::new();
    for location in locations::readable_in_catalog(&loaded.catalog.settings, &inventory.account) {
        let read = match clouds.at(&location) {
            Ok(cloud) => cloud
                .parameter_references(&location.region)
                .await
                .map_err(Error::from),
            Err(error) => Err(error),
        };
        match read {
            Ok(found) => out.extend(
                add_location(found, &location).filter(|reference| known.contains(&reference.ami)),
            ),
            Err(error) if locations::unreachable_reason(inventory, &location).is_none() => {
                inventory.unreachable.push((location, error.with_advice()))
            }
            Err(_) => {}
        }
    }
    out
}

/// Groups AMIs by location. `own` is the account of the builder.
fn group_by_location<'a>(
    own: &str,
    amis: impl Iterator<Item = (&'a String, &'a Region, &'a AmiId)>,
) -> BTreeMap<Location, Vec<AmiId>> {
    let mut out: BTreeMap<Location, Vec<AmiId>> = BTreeMap::new();
    for (owner, region, id) in amis {
        let location = Location {
            account: (owner != own).then(|| owner.clone()),
            region: region.clone(),
        };
        out.entry(location).or_default().push(id.clone());
    }
    out
}

/// Maximum number of AMIs in one request.
const CHUNK: usize = 10;

/// Returns the references that EC2 reports, or none if the endpoint does not support the call.
async fn reported_references(
    clouds: &Clouds,
    location: &Location,
    amis: &[AmiId],
) -> Result<Option<Vec<Reference>>> {
    let (cloud, region) = (clouds.shared(location)?, &location.region);
    let (first, rest) = amis.split_at(amis.len().min(CHUNK));
    let Some(mut out) = cloud.reported_references(region, first).await? else {
        tracing::info!(%region, "EC2 does not report references; own listing only");
        return Ok(None);
    };
    let chunks: Vec<Vec<AmiId>> = rest.chunks(CHUNK).map(<[AmiId]>::to_vec).collect();
    let ask = |cloud: Arc<dyn Cloud>, region: Region, chunk: Vec<AmiId>| async move {
        Ok(cloud
            .reported_references(&region, &chunk)
            .await?
            .unwrap_or_default())
    };
    out.extend(query_all(&cloud, region, chunks, ask).await?);
    let (parameters, others): (Vec<_>, Vec<_>) = out
        .into_iter()
        .partition(|reference| reference.kind == "parameter");
    Ok(Some(
        add_location(parameters, location).chain(others).collect(),
    ))
}

/// Returns the launch permissions of AMIs as references.
async fn launch_permissions(
    clouds: &Clouds,
    location: &Location,
    amis: Vec<AmiId>,
) -> Result<Vec<Reference>> {
    let (cloud, region) = (clouds.shared(location)?, &location.region);
    let ask = |cloud: Arc<dyn Cloud>, region: Region, ami: AmiId| async move {
        let who = cloud.permissions(&region, &ami).await?;
        Ok(who
            .into_iter()
            .map(|by| Reference {
                ami: ami.clone(),
                kind: SHARED.to_owned(),
                referrer: by,
            })
            .collect())
    };
    query_all(&cloud, region, amis, ask).await
}

/// Sends a request for each item, with limited concurrency.
async fn query_all<T, F>(
    cloud: &Arc<dyn Cloud>,
    region: &Region,
    items: Vec<T>,
    ask: impl Fn(Arc<dyn Cloud>, Region, T) -> F,
) -> Result<Vec<Reference>>
where
    F: Future<Output = CloudResult<Vec<Reference>>> + Send + 'static,
{
    let (mut out, mut tasks) = (Vec::new(), JoinSet::new());
    let mut waiting = items.into_iter();
    loop {
        while tasks.len() < MAX_CONCURRENT
            && let Some(item) = waiting.next()
        {
            tasks.spawn(ask(Arc::clone(cloud), region.clone(), item));
        }
        match tasks.join_next().await {
            None => return Ok(out),
            Some(Ok(answer)) => out.extend(answer?),
            Some(Err(e)) => {
                return Err(Error::new(
                    ErrorKind::StepFailed,
                    "a request about an AMI was aborted",
                )
                .because(e));
            }
        }
    }
}
