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
    let unsaved = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let mut inventory =
        gather::load_inventory(loaded, &unsaved, gather::Need::Images, access).await?;
    let mut found: BTreeSet<Reference> = BTreeSet::new();
    for ((owner, region), ids) in group_by_location(
        inventory
            .images
            .iter()
            .map(|a| (&a.owner, &a.region, &a.id)),
    ) {
        found.extend(
            owner_cloud(&clouds, &inventory, &owner)?
                .references(&region, &ids)
                .await?,
        );
    }
    found.extend(parameter_references(loaded, &clouds, &mut inventory).await);
    inventory.references = found.iter().cloned().collect();
    let going = decide(&inventory);
    let going = going.iter().filter(|f| f.retire);
    for ((owner, region), ids) in
        group_by_location(going.clone().map(|f| (&f.owner, &f.region, &f.ami)))
    {
        let location = Location {
            account: (owner != inventory.account).then(|| owner.clone()),
            region: region.clone(),
        };
        let listed =
            reported_references(owner_cloud(&clouds, &inventory, &owner)?, &region, &ids).await?;
        let (parameters, others) = listed
            .into_iter()
            .partition(|reference| reference.kind == "parameter");
        found.extend(add_location(parameters, &location).chain::<Vec<Reference>>(others));
    }
    // Deprecation does not affect other accounts, so only later stages need the launch permissions.
    let further = going.filter(|f| f.due_stages.contains(&RetirementStage::Disable));
    for ((owner, region), ids) in group_by_location(further.map(|f| (&f.owner, &f.region, &f.ami)))
    {
        found.extend(
            launch_permissions(owner_cloud(&clouds, &inventory, &owner)?, &region, ids).await?,
        );
    }
    inventory.references = found.into_iter().collect();
    if let Some(file) = &args.save_inventory {
        context::write_json(file, &inventory)?;
    }
    Ok(inventory)
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
    for location in locations::in_catalog(&loaded.catalog.settings, &inventory.account) {
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
                inventory.unreachable.push((location, error.one_line()))
            }
            Err(_) => {}
        }
    }
    out
}

type Locations = BTreeMap<(String, Region), Vec<AmiId>>;

fn group_by_location<'a>(
    amis: impl Iterator<Item = (&'a String, &'a Region, &'a AmiId)>,
) -> Locations {
    let mut out = Locations::new();
    for (owner, region, id) in amis {
        out.entry((owner.clone(), region.clone()))
            .or_default()
            .push(id.clone());
    }
    out
}

/// Returns the client for the account that owns an AMI.
fn owner_cloud(clouds: &Clouds, inventory: &Inventory, owner: &str) -> Result<Arc<dyn Cloud>> {
    if owner == inventory.account {
        return Ok(Arc::clone(&clouds.home));
    }
    if let Some(cloud) = clouds.others.get(owner) {
        return Ok(Arc::clone(cloud));
    }
    Err(Error::input(format!(
        "cannot query references to the AMIs of account {owner}"
    ))
    .hint("add the account and its role to an environment in bakeline.yaml"))
}

/// Maximum number of AMIs in one request.
const CHUNK: usize = 10;

/// Returns the references that EC2 reports. Empty if the endpoint does not support the call.
async fn reported_references(
    cloud: Arc<dyn Cloud>,
    region: &Region,
    amis: &[AmiId],
) -> Result<Vec<Reference>> {
    let (first, rest) = amis.split_at(amis.len().min(CHUNK));
    let Some(mut out) = cloud.reported_references(region, first).await? else {
        tracing::info!(%region, "EC2 does not report references; own listing only");
        return Ok(Vec::new());
    };
    let chunks: Vec<Vec<AmiId>> = rest.chunks(CHUNK).map(<[AmiId]>::to_vec).collect();
    let ask = |cloud: Arc<dyn Cloud>, region: Region, chunk: Vec<AmiId>| async move {
        Ok(cloud
            .reported_references(&region, &chunk)
            .await?
            .unwrap_or_default())
    };
    out.extend(query_all(&cloud, region, chunks, ask).await?);
    Ok(out)
}

/// Returns the launch permissions of AMIs as references.
async fn launch_permissions(
    cloud: Arc<dyn Cloud>,
    region: &Region,
    amis: Vec<AmiId>,
) -> Result<Vec<Reference>> {
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
