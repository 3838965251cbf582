//! Loads the inventory: the facts from AWS, Git, the store and the clock, or from a file.

use std::collections::BTreeSet;
use std::path::Path;

use super::access::AccessMode;
use super::context::{self, Clouds, LoadedCatalog};
use super::vendor_amis::{self, VendorAmis};
use crate::adapters::system::{SystemClock, open_reader};
use crate::catalog::Settings;
use crate::cli::InventoryArgs;
use crate::error::{Error, Result};
use crate::lifecycle::{locations, tags};
use crate::model::{
    Ami, Evidence, INVENTORY_SCHEMA, Inventory, Location, Pointer, Region, Tags, Timestamp,
};
use crate::ports::{Clock as _, Cloud, Identity, ImageQuery};

/// Facts that a command needs in addition to the AMIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Newest vendor AMI of each base image.
    Sources,
    /// As `Sources`, and the manifest of the last release of every image.
    Manifests,
    /// Pointers (SSM parameters) and the contents of the store.
    Pointers,
    /// No additional facts.
    Images,
}

/// Loads the inventory from the file in `args`, else from AWS. Saves it if `args` asks for it.
pub(crate) async fn load_inventory(
    loaded: &LoadedCatalog,
    args: &InventoryArgs,
    need: Need,
    access: AccessMode<'_>,
) -> Result<Inventory> {
    finish_reading(loaded, args, need, access, start_reading(args)).await
}

/// Background read of a recorded inventory.
pub(crate) type Reading = Option<tokio::task::JoinHandle<Result<Inventory>>>;

/// Starts to read a recorded inventory in the background, while the catalog is loaded.
pub(crate) fn start_reading(args: &InventoryArgs) -> Reading {
    let file = args.inventory.clone()?;
    Some(tokio::task::spawn_blocking(move || read_recorded(&file)))
}

/// Loads the inventory as [`load_inventory`] does, from a read that [`start_reading`] started.
pub(crate) async fn finish_reading(
    loaded: &LoadedCatalog,
    args: &InventoryArgs,
    need: Need,
    access: AccessMode<'_>,
    reading: Reading,
) -> Result<Inventory> {
    let inventory = match reading {
        Some(reading) => reading
            .await
            .map_err(|e| Error::input("cannot read the recorded inventory").because(e))??,
        None => {
            let clouds = context::connect_clouds(&loaded.catalog.settings, access).await?;
            query_cloud(loaded, &clouds, need).await?
        }
    };
    context::check_account(&loaded.catalog.settings, &inventory.account)?;
    if let Some(file) = &args.save_inventory {
        context::write_json(file, &inventory)?;
    }
    Ok(inventory)
}

fn read_recorded(file: &Path) -> Result<Inventory> {
    // Streams the file, because an inventory can be large.
    let text = open_reader(file).map_err(|e| Error::input("cannot read a file").because(e))?;
    let inventory: Inventory = serde_json::from_reader(text).map_err(|e| {
        Error::input(format!(
            "{}:{}:{}: not a recorded inventory",
            file.display(),
            e.line(),
            e.column()
        ))
        .because(e)
    })?;
    if inventory.schema != INVENTORY_SCHEMA {
        let text = format!(
            "{}: the inventory has schema {}, expected {INVENTORY_SCHEMA}",
            file.display(),
            inventory.schema
        );
        return Err(Error::input(text).hint("record it again with --save-inventory"));
    }
    Ok(inventory)
}

/// Collects the inventory from AWS, Git and the store.
pub(crate) async fn query_cloud(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    need: Need,
) -> Result<Inventory> {
    query_selected(loaded, clouds, need, None).await
}

/// Collects the inventory as [`query_cloud`] does, with the AMIs of these published image names only.
pub(crate) async fn query_selected(
    loaded: &LoadedCatalog,
    clouds: &Clouds,
    need: Need,
    selected: Option<&BTreeSet<String>>,
) -> Result<Inventory> {
    let cloud = &*clouds.home;
    let settings = &loaded.catalog.settings;
    let home = settings.home();
    let identity = context::home_identity(cloud, settings).await?;
    let mut images = catalog_images(cloud, settings, home, selected).await?;
    let mut remote = RemoteFacts {
        selected,
        ..RemoteFacts::default()
    };
    let with_amis = locations::in_catalog(settings, &identity.account);
    let receiving = locations::receiving_in_catalog(settings, &identity.account);
    for location in locations::readable_in_catalog(settings, &identity.account) {
        let facts = LocationFacts {
            images: with_amis.contains(&location) && location != locations::home(settings),
            // The pointers of these accounts are not written together with tags.
            parameters: need == Need::Pointers || receiving.contains(&location),
        };
        remote.collect(clouds, settings, location, facts).await;
    }
    images.append(&mut remote.images);
    let taken = SystemClock.now();
    let vendor = match need {
        Need::Sources | Need::Manifests => {
            vendor_amis::resolve_sources(cloud, home, &loaded.catalog, taken).await?
        }
        Need::Pointers | Need::Images => VendorAmis::default(),
    };
    let mut inventory = Inventory {
        parameters: remote.parameters,
        unreachable: remote.unread,
        ..new_inventory(loaded, identity, taken, images, vendor)
    };
    if matches!(need, Need::Sources | Need::Manifests) {
        inventory.evidence =
            super::stored_evidence::load_evidence(loaded, &inventory, need == Need::Manifests)
                .await?;
    }
    if need == Need::Pointers {
        inventory.evidence.store =
            Some(super::store_inventory::load_store_inventory(loaded, &inventory).await?);
    }
    Ok(inventory)
}

/// AMIs of a catalog at several locations.
pub(crate) struct ListedImages {
    /// Account of the builder.
    pub(crate) account: String,
    /// AMIs of all locations that could be read.
    pub(crate) images: Vec<Ami>,
    /// Locations that could not be read, with the error.
    pub(crate) unread: Vec<(Location, String)>,
}

/// Lists the AMIs of a catalog at the locations that `is_wanted` selects. Fails if home is one of them
/// and cannot be read.
pub(crate) async fn list_images(
    settings: &Settings,
    clouds: &Clouds,
    is_wanted: &dyn Fn(&str, &Location) -> bool,
) -> Result<ListedImages> {
    let cloud = &*clouds.home;
    let home = locations::home(settings);
    let account = context::home_identity(cloud, settings).await?.account;
    let mut remote = RemoteFacts::default();
    for location in locations::in_catalog(settings, &account) {
        if !is_wanted(&account, &location) {
            continue;
        }
        if location == home {
            let found = catalog_images(cloud, settings, &home.region, None).await?;
            remote.images.extend(found);
            continue;
        }
        let facts = LocationFacts {
            images: true,
            parameters: false,
        };
        remote.collect(clouds, settings, location, facts).await;
    }
    Ok(ListedImages {
        account,
        images: remote.images,
        unread: remote.unread,
    })
}

/// Collects the facts about home that a plan of builds needs, without those of the store.
pub(crate) async fn query_home(
    loaded: &LoadedCatalog,
    cloud: &dyn Cloud,
    identity: Identity,
) -> Result<Inventory> {
    let catalog = &loaded.catalog;
    let home = catalog.settings.home();
    let taken = SystemClock.now();
    let images = catalog_images(cloud, &catalog.settings, home, None);
    let vendor = vendor_amis::resolve_sources(cloud, home, catalog, taken);
    let (images, vendor) = tokio::join!(images, vendor);
    Ok(new_inventory(loaded, identity, taken, images?, vendor?))
}

/// Returns an inventory without any AMIs, for a home location that cannot be read.
pub(crate) fn empty_inventory(loaded: &LoadedCatalog, identity: Identity) -> Inventory {
    let vendor = VendorAmis::default();
    new_inventory(loaded, identity, SystemClock.now(), Vec::new(), vendor)
}

/// Returns an inventory with AMIs and vendor AMIs only.
fn new_inventory(
    loaded: &LoadedCatalog,
    identity: Identity,
    taken: Timestamp,
    images: Vec<Ami>,
    vendor: VendorAmis,
) -> Inventory {
    Inventory {
        schema: INVENTORY_SCHEMA,
        captured_at: Timestamp::from_second(taken.as_second()).unwrap_or(taken),
        account: identity.account,
        caller: identity.arn,
        commit: context::head_commit(loaded.files.root()),
        images,
        sources: vendor.sources,
        skipped: vendor.skipped,
        references: Vec::new(),
        evidence: Evidence::default(),
        parameters: Vec::new(),
        unreachable: Vec::new(),
        unread_references: Vec::new(),
    }
}

/// Facts to read at one location.
#[derive(Clone, Copy)]
struct LocationFacts {
    images: bool,
    parameters: bool,
}

/// Facts of all locations. A location that does not answer is recorded in `unread`.
#[derive(Default)]
struct RemoteFacts<'s> {
    /// Published names of the images to read; all if none.
    selected: Option<&'s BTreeSet<String>>,
    images: Vec<Ami>,
    parameters: Vec<Pointer>,
    unread: Vec<(Location, String)>,
}

impl RemoteFacts<'_> {
    async fn collect(
        &mut self,
        clouds: &Clouds,
        settings: &Settings,
        location: Location,
        facts: LocationFacts,
    ) {
        if let Err(error) = self.query(clouds, settings, &location, facts).await {
            self.unread.push((location, error.with_advice()));
        }
    }

    async fn query(
        &mut self,
        clouds: &Clouds,
        settings: &Settings,
        location: &Location,
        facts: LocationFacts,
    ) -> Result<()> {
        let cloud = clouds.at(location)?;
        if facts.images {
            let images = catalog_images(cloud, settings, &location.region, self.selected);
            self.images.extend(images.await?);
        }
        if facts.parameters {
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

/// Returns the AMIs that are tagged with the name of this catalog, and with one of these image names
/// if there are any.
async fn catalog_images(
    cloud: &dyn Cloud,
    settings: &Settings,
    region: &Region,
    selected: Option<&BTreeSet<String>>,
) -> Result<Vec<Ami>> {
    let tags = Tags::from([(tags::CATALOG.to_owned(), settings.name.to_string())]);
    let mut query = ImageQuery {
        tags,
        ..ImageQuery::default()
    };
    if let Some(names) = selected {
        let names = names.iter().cloned().collect();
        query.filters.insert(format!("tag:{}", tags::IMAGE), names);
    }
    cloud
        .images(region, &query)
        .await
        .map_err(crate::steps::first_call_error)
}
