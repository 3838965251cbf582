//! Collects what refers to AMIs before prune decides: everything that can be listed, the SSM parameters of all locations,
//! and for AMIs that nothing else keeps also what EC2 reports and with whom they are shared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::context::{self, Clouds, Loaded};
use super::gather;
use crate::cli::InventoryArgs;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::locations;
use crate::lifecycle::retention::RetentionDecision;
use crate::lifecycle::retirement::RetirementStage;
use crate::lifecycle::rules::SHARED;
use crate::model::{AmiId, Inventory, Location, Reference, Region};
use crate::ports::{Cloud, CloudResult};
use crate::steps::references::located;

/// How many AMIs are asked about at the same time.
const AT_ONCE: usize = 8;

/// The inventory with everything that may keep an AMI; `decide` says what would go, as far as it is known.
pub(super) async fn inventory(
    loaded: &Loaded,
    args: &InventoryArgs,
    decide: impl Fn(&Inventory) -> Vec<RetentionDecision>,
) -> Result<Inventory> {
    if args.inventory.is_some() {
        return gather::inventory(loaded, args, gather::Need::Images).await;
    }
    let clouds = context::clouds(&loaded.catalog.settings).await?;
    let unsaved = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let mut inventory = gather::inventory(loaded, &unsaved, gather::Need::Images).await?;
    let mut found: BTreeSet<Reference> = BTreeSet::new();
    for ((owner, region), ids) in locations(
        inventory
            .images
            .iter()
            .map(|a| (&a.owner, &a.region, &a.id)),
    ) {
        found.extend(
            of(&clouds, &inventory, &owner)?
                .references(&region, &ids)
                .await?,
        );
    }
    found.extend(parameters(loaded, &clouds, &mut inventory).await);
    inventory.references = found.iter().cloned().collect();
    let going = decide(&inventory);
    let going = going.iter().filter(|f| f.retire);
    for ((owner, region), ids) in locations(going.clone().map(|f| (&f.owner, &f.region, &f.ami))) {
        let location = Location {
            account: (owner != inventory.account).then(|| owner.clone()),
            region: region.clone(),
        };
        let listed = reported(of(&clouds, &inventory, &owner)?, &region, &ids).await?;
        let (parameters, others) = listed
            .into_iter()
            .partition(|reference| reference.kind == "parameter");
        found.extend(located(parameters, &location).chain::<Vec<Reference>>(others));
    }
    // Deprecation harms nobody with whom an AMI is shared; only what goes further is asked about.
    let further = going.filter(|f| f.due_stages.contains(&RetirementStage::Disable));
    for ((owner, region), ids) in locations(further.map(|f| (&f.owner, &f.region, &f.ami))) {
        found.extend(shared(of(&clouds, &inventory, &owner)?, &region, ids).await?);
    }
    inventory.references = found.into_iter().collect();
    if let Some(file) = &args.save_inventory {
        context::write(file, &inventory)?;
    }
    Ok(inventory)
}

/// Returns the SSM parameters of every location that contain the ID of one of the inventory's AMIs. A location whose
/// parameters cannot be read is added to `inventory.unread`: while there is one, no AMI goes beyond deprecation.
async fn parameters(loaded: &Loaded, clouds: &Clouds, inventory: &mut Inventory) -> Vec<Reference> {
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
                located(found, &location).filter(|reference| known.contains(&reference.ami)),
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

fn locations<'a>(amis: impl Iterator<Item = (&'a String, &'a Region, &'a AmiId)>) -> Locations {
    let mut out = Locations::new();
    for (owner, region, id) in amis {
        out.entry((owner.clone(), region.clone()))
            .or_default()
            .push(id.clone());
    }
    out
}

/// The cloud of an AMI's owner.
fn of(clouds: &Clouds, inventory: &Inventory, owner: &str) -> Result<Arc<dyn Cloud>> {
    if owner == inventory.account {
        return Ok(Arc::clone(&clouds.home));
    }
    if let Some(cloud) = clouds.others.get(owner) {
        return Ok(Arc::clone(cloud));
    }
    Err(Error::input(format!(
        "what uses the AMIs of account {owner} can't be asked"
    ))
    .hint("name the account and its role in an environment in bakeline.yaml"))
}

/// AMIs that EC2 is asked about in one call.
const CHUNK: usize = 10;

/// What EC2 itself reports, where it does.
async fn reported(
    cloud: Arc<dyn Cloud>,
    region: &Region,
    amis: &[AmiId],
) -> Result<Vec<Reference>> {
    let (first, rest) = amis.split_at(amis.len().min(CHUNK));
    let Some(mut out) = cloud.reported(region, first).await? else {
        tracing::info!(%region, "EC2 does not report references; own listing only");
        return Ok(Vec::new());
    };
    let chunks: Vec<Vec<AmiId>> = rest.chunks(CHUNK).map(<[AmiId]>::to_vec).collect();
    let ask = |cloud: Arc<dyn Cloud>, region: Region, chunk: Vec<AmiId>| async move {
        Ok(cloud.reported(&region, &chunk).await?.unwrap_or_default())
    };
    out.extend(many(&cloud, region, chunks, ask).await?);
    Ok(out)
}

/// With whom AMIs are shared.
async fn shared(
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
    many(&cloud, region, amis, ask).await
}

/// Asks about many things, some at a time.
async fn many<T, F>(
    cloud: &Arc<dyn Cloud>,
    region: &Region,
    things: Vec<T>,
    ask: impl Fn(Arc<dyn Cloud>, Region, T) -> F,
) -> Result<Vec<Reference>>
where
    F: Future<Output = CloudResult<Vec<Reference>>> + Send + 'static,
{
    let (mut out, mut tasks) = (Vec::new(), JoinSet::new());
    let mut waiting = things.into_iter();
    loop {
        while tasks.len() < AT_ONCE
            && let Some(thing) = waiting.next()
        {
            tasks.spawn(ask(Arc::clone(cloud), region.clone(), thing));
        }
        match tasks.join_next().await {
            None => return Ok(out),
            Some(Ok(answer)) => out.extend(answer?),
            Some(Err(e)) => {
                return Err(
                    Error::new(Kind::StepFailed, "a question about an AMI broke off").because(e),
                );
            }
        }
    }
}
