//! Collects what refers to AMIs before prune decides: everything that can be listed, the SSM parameters of all locations,
//! and for AMIs that nothing else keeps also what EC2 reports and with whom they are shared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::context::{self, Clouds, Loaded};
use super::gather;
use crate::cli::WorldArgs;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::ladder::Rung;
use crate::lifecycle::places as locations;
use crate::lifecycle::retain::Fate;
use crate::lifecycle::rules::SHARED;
use crate::model::{AmiId, Place, Reference, Region, World};
use crate::ports::{Cloud, CloudResult};
use crate::steps::references::located;

/// How many AMIs are asked about at the same time.
const AT_ONCE: usize = 8;

/// The world with everything that may keep an AMI; `decide` says what would go, as far as it is known.
pub(super) async fn world(
    loaded: &Loaded,
    args: &WorldArgs,
    decide: impl Fn(&World) -> Vec<Fate>,
) -> Result<World> {
    if args.world.is_some() {
        return gather::world(loaded, args, gather::Need::Images).await;
    }
    let clouds = context::clouds(&loaded.catalog.settings).await?;
    let unsaved = WorldArgs {
        world: None,
        save_world: None,
    };
    let mut world = gather::world(loaded, &unsaved, gather::Need::Images).await?;
    let mut found: BTreeSet<Reference> = BTreeSet::new();
    for ((owner, region), ids) in places(world.images.iter().map(|a| (&a.owner, &a.region, &a.id)))
    {
        found.extend(
            of(&clouds, &world, &owner)?
                .references(&region, &ids)
                .await?,
        );
    }
    found.extend(parameters(loaded, &clouds, &mut world).await);
    world.references = found.iter().cloned().collect();
    let going = decide(&world);
    let going = going.iter().filter(|f| f.retire);
    for ((owner, region), ids) in places(going.clone().map(|f| (&f.owner, &f.region, &f.ami))) {
        let place = Place {
            account: (owner != world.account).then(|| owner.clone()),
            region: region.clone(),
        };
        let listed = reported(of(&clouds, &world, &owner)?, &region, &ids).await?;
        let (parameters, others) = listed
            .into_iter()
            .partition(|reference| reference.kind == "parameter");
        found.extend(located(parameters, &place).chain::<Vec<Reference>>(others));
    }
    // Deprecation harms nobody with whom an AMI is shared; only what goes further is asked about.
    let further = going.filter(|f| f.next.contains(&Rung::Disable));
    for ((owner, region), ids) in places(further.map(|f| (&f.owner, &f.region, &f.ami))) {
        found.extend(shared(of(&clouds, &world, &owner)?, &region, ids).await?);
    }
    world.references = found.into_iter().collect();
    if let Some(file) = &args.save_world {
        context::write(file, &world)?;
    }
    Ok(world)
}

/// Returns the SSM parameters of every location that contain the ID of one of the world's AMIs. A location whose
/// parameters cannot be read is added to `world.unread`: while there is one, no AMI goes beyond deprecation.
async fn parameters(loaded: &Loaded, clouds: &Clouds, world: &mut World) -> Vec<Reference> {
    let known: BTreeSet<AmiId> = world.images.iter().map(|ami| ami.id.clone()).collect();
    let mut out = Vec::new();
    for place in locations::all(&loaded.catalog.settings, &world.account) {
        let read = match clouds.at(&place) {
            Ok(cloud) => cloud
                .parameter_references(&place.region)
                .await
                .map_err(Error::from),
            Err(error) => Err(error),
        };
        match read {
            Ok(found) => out
                .extend(located(found, &place).filter(|reference| known.contains(&reference.ami))),
            Err(error) if locations::unread(world, &place).is_none() => {
                world.unread.push((place, error.one_line()))
            }
            Err(_) => {}
        }
    }
    out
}

type Places = BTreeMap<(String, Region), Vec<AmiId>>;

fn places<'a>(amis: impl Iterator<Item = (&'a String, &'a Region, &'a AmiId)>) -> Places {
    let mut out = Places::new();
    for (owner, region, id) in amis {
        out.entry((owner.clone(), region.clone()))
            .or_default()
            .push(id.clone());
    }
    out
}

/// The cloud of an AMI's owner.
fn of(clouds: &Clouds, world: &World, owner: &str) -> Result<Arc<dyn Cloud>> {
    if owner == world.account {
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
                by,
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
