//! Owns gathering the inventory: what the cloud, git and the clock say before anything is decided.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::{self, Clouds, Loaded};
use crate::adapters::system::{SystemClock, reader};
use crate::catalog::{Image, Origin, Settings, Source};
use crate::cli::InventoryArgs;
use crate::error::{Error, Result};
use crate::lifecycle::{locations, tags};
use crate::model::{
    Ami, AmiId, Evidence, INVENTORY_SCHEMA, Inventory, Location, Pointer, Region, Tags, Timestamp,
};
use crate::ports::{Clock as _, Cloud, CloudErrorKind, ImageQuery};

/// What a decision needs to know beside the AMIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The newest vendor AMI of each base image.
    Sources,
    /// The same, and what every last release was made from, whether it moved or not.
    Manifests,
    /// The SSM parameters that publish what is current, and what the store holds: all that is compared with tags.
    Pointers,
    /// None of them.
    Images,
}

/// The inventory from a file if one is given, else from the cloud; saved if asked for.
pub(super) async fn inventory(
    loaded: &Loaded,
    args: &InventoryArgs,
    need: Need,
) -> Result<Inventory> {
    begun(loaded, args, need, begin(args)).await
}

/// A recorded inventory that is being read.
pub(super) type Reading = Option<tokio::task::JoinHandle<Result<Inventory>>>;

/// Begins to read a recorded inventory, while the catalog is loaded.
pub(super) fn begin(args: &InventoryArgs) -> Reading {
    let file = args.inventory.clone()?;
    Some(tokio::task::spawn_blocking(move || recorded(&file)))
}

/// The same as [`inventory`], where reading a recorded one was begun before.
pub(super) async fn begun(
    loaded: &Loaded,
    args: &InventoryArgs,
    need: Need,
    reading: Reading,
) -> Result<Inventory> {
    let inventory = match reading {
        Some(reading) => reading
            .await
            .map_err(|e| Error::input("the recorded world could not be read").because(e))??,
        None => {
            let clouds = context::clouds(&loaded.catalog.settings).await?;
            live(loaded, &clouds, need).await?
        }
    };
    if let Some(file) = &args.save_inventory {
        context::write(file, &inventory)?;
    }
    Ok(inventory)
}

fn recorded(file: &Path) -> Result<Inventory> {
    // Piece by piece: the text of a large inventory is as large as the inventory.
    let text = reader(file).map_err(|e| Error::input("a file can't be read").because(e))?;
    let inventory: Inventory = serde_json::from_reader(text).map_err(|e| {
        Error::input(format!(
            "{}:{}:{}: it is not a recorded world",
            file.display(),
            e.line(),
            e.column()
        ))
        .because(e)
    })?;
    if inventory.schema != INVENTORY_SCHEMA {
        let text = format!(
            "{}: world schema {} is not {INVENTORY_SCHEMA}",
            file.display(),
            inventory.schema
        );
        return Err(Error::input(text).hint("record it again with --save-inventory"));
    }
    Ok(inventory)
}

/// Asks the cloud.
pub(super) async fn live(loaded: &Loaded, clouds: &Clouds, need: Need) -> Result<Inventory> {
    let cloud = &*clouds.home;
    let settings = &loaded.catalog.settings;
    let home = settings.home();
    let identity = cloud.identity(home).await.map_err(unreachable)?;
    let mut images = own(cloud, settings, home).await?;
    let mut elsewhere = Elsewhere::default();
    for location in locations::in_catalog(settings, &identity.account) {
        elsewhere.read(clouds, settings, location, need).await;
    }
    images.append(&mut elsewhere.images);
    let mut sources = BTreeMap::new();
    if matches!(need, Need::Sources | Need::Manifests) {
        for image in loaded.catalog.images.values() {
            if let Origin::Source(source) = &image.origin {
                sources.insert(
                    image.name.clone(),
                    newest(cloud, home, image, source).await?,
                );
            }
        }
    }
    let taken = SystemClock.now();
    let mut inventory = Inventory {
        schema: INVENTORY_SCHEMA,
        captured_at: Timestamp::from_second(taken.as_second()).unwrap_or(taken),
        account: identity.account,
        caller: identity.arn,
        commit: context::commit(loaded.files.root()),
        images,
        sources,
        references: Vec::new(),
        evidence: Evidence::default(),
        parameters: elsewhere.parameters,
        unreachable: elsewhere.unread,
    };
    if matches!(need, Need::Sources | Need::Manifests) {
        inventory.evidence =
            super::memory::gather(loaded, &inventory, need == Need::Manifests).await?;
    }
    if need == Need::Pointers {
        inventory.evidence.store = Some(super::store_inventory::take(loaded, &inventory).await?);
    }
    Ok(inventory)
}

/// What the other locations say; one that does not answer is noted and holds nothing else up.
#[derive(Default)]
struct Elsewhere {
    images: Vec<Ami>,
    parameters: Vec<Pointer>,
    unread: Vec<(Location, String)>,
}

impl Elsewhere {
    async fn read(&mut self, clouds: &Clouds, settings: &Settings, location: Location, need: Need) {
        if let Err(error) = self.ask(clouds, settings, &location, need).await {
            self.unread.push((location, error.one_line()));
        }
    }

    async fn ask(
        &mut self,
        clouds: &Clouds,
        settings: &Settings,
        location: &Location,
        need: Need,
    ) -> Result<()> {
        let cloud = clouds.at(location)?;
        if *location != locations::home(settings) {
            self.images
                .extend(own(cloud, settings, &location.region).await?);
        }
        if need == Need::Pointers {
            let found = cloud
                .parameters(&location.region, &format!("/bakeline/{}/", settings.name))
                .await?;
            let pointer = |(name, value)| Pointer {
                location: location.clone(),
                name,
                value,
            };
            self.parameters.extend(found.into_iter().map(pointer));
        }
        Ok(())
    }
}

/// Every AMI with this catalog's tag.
pub(super) async fn own(
    cloud: &dyn Cloud,
    settings: &Settings,
    region: &Region,
) -> Result<Vec<Ami>> {
    let tags = Tags::from([(tags::CATALOG.to_owned(), settings.name.to_string())]);
    let query = ImageQuery {
        tags,
        ..ImageQuery::default()
    };
    cloud.images(region, &query).await.map_err(unreachable)
}

/// The first call says most about a broken set-up: nothing was changed yet, so it is the user's to mend.
pub(super) fn unreachable(error: crate::ports::CloudError) -> Error {
    let kind = error.kind;
    let mut made = Error::from(error);
    if matches!(
        kind,
        CloudErrorKind::Unreachable | CloudErrorKind::Credentials | CloudErrorKind::Denied
    ) {
        made.kind = crate::error::Kind::Input;
    }
    made
}

async fn newest(
    cloud: &dyn Cloud,
    region: &Region,
    image: &Image,
    source: &Source,
) -> Result<Option<Ami>> {
    let query = match source {
        Source::Filter { owner, name } => ImageQuery {
            owners: vec![owner.clone()],
            name: Some(name.clone()),
            ..ImageQuery::default()
        },
        Source::Parameter(path) => match cloud.parameter(region, path).await? {
            Some(id) => ImageQuery {
                owners: vec!["*".to_owned()],
                ids: vec![AmiId(id)],
                ..ImageQuery::default()
            },
            None => return Ok(None),
        },
    };
    let found = match cloud.images(region, &query).await {
        Ok(found) => found,
        Err(e) if e.kind == CloudErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e.into()),
    };
    let usable = found
        .into_iter()
        .filter(|a| a.status == "available" && a.arch == image.arch.as_str());
    Ok(usable.max_by(|a, b| (&a.created, &a.name, &a.id).cmp(&(&b.created, &b.name, &b.id))))
}
