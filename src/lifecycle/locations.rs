//! Determines the locations of environments, and which AMIs are at which location.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Environment, Settings};
use crate::lifecycle::Record;
use crate::model::{Ami, Inventory, Location, Region};

/// Returns the home location: the builder's account and the first Region of the catalog.
#[must_use]
pub fn home(settings: &Settings) -> Location {
    Location {
        account: None,
        region: settings.home().clone(),
    }
}

/// Returns the locations of an environment: home first, then its Regions in each of its accounts.
/// `own` is the builder's account; naming it in an environment does not add a location. The AMIs of a
/// shared environment are in the builder's account only.
#[must_use]
pub fn in_environment(settings: &Settings, env: &Environment, own: &str) -> Vec<Location> {
    let mut out = vec![home(settings)];
    let accounts: Vec<Option<String>> = match env.accounts.as_slice() {
        _ if env.is_shared() => vec![None],
        [] => vec![None],
        some => some.iter().map(|a| (a != own).then(|| a.clone())).collect(),
    };
    for account in accounts {
        for region in &env.regions {
            let location = Location {
                account: account.clone(),
                region: region.clone(),
            };
            if !out.contains(&location) {
                out.push(location);
            }
        }
    }
    out
}

/// Returns the locations of all environments, home first.
#[must_use]
pub fn in_catalog(settings: &Settings, own: &str) -> Vec<Location> {
    let mut out: Vec<Location> = Vec::new();
    for location in settings
        .environments
        .iter()
        .flat_map(|e| in_environment(settings, e, own))
    {
        if !out.contains(&location) {
            out.push(location);
        }
    }
    out
}

/// Returns the locations in other accounts that launch the AMIs of a shared environment. Their SSM
/// parameters name these AMIs. Empty without a role, because nothing there can be read or changed.
#[must_use]
pub fn receiving(env: &Environment, own: &str) -> Vec<Location> {
    if !env.is_shared() || env.role.is_none() {
        return Vec::new();
    }
    let accounts = env.accounts.iter().filter(|account| *account != own);
    let at = |account: &String, region: &Region| Location {
        account: Some(account.clone()),
        region: region.clone(),
    };
    accounts
        .flat_map(|account| env.regions.iter().map(move |region| at(account, region)))
        .collect()
}

/// Returns the locations of all shared environments that launch AMIs of the builder's account.
#[must_use]
pub fn receiving_in_catalog(settings: &Settings, own: &str) -> BTreeSet<Location> {
    let environments = settings.environments.iter();
    environments.flat_map(|env| receiving(env, own)).collect()
}

/// Returns the locations that read or name the AMIs of the catalog: those of the AMIs, and those that
/// launch shared AMIs.
#[must_use]
pub fn readable_in_catalog(settings: &Settings, own: &str) -> Vec<Location> {
    let mut out = in_catalog(settings, own);
    let receiving = receiving_in_catalog(settings, own);
    out.extend(
        receiving
            .into_iter()
            .filter(|location| !out.contains(location))
            .collect::<Vec<_>>(),
    );
    out
}

/// Returns the location of an AMI, relative to the builder's account.
#[must_use]
pub fn ami_location(ami: &Ami, own: &str) -> Location {
    let foreign = !own.is_empty() && ami.owner != own;
    Location {
        account: foreign.then(|| ami.owner.clone()),
        region: ami.region.clone(),
    }
}

/// Returns the records at one location.
#[must_use]
pub fn records_at<'a>(records: &[Record<'a>], location: &Location, own: &str) -> Vec<Record<'a>> {
    records
        .iter()
        .filter(|r| ami_location(r.ami, own) == *location)
        .cloned()
        .collect()
}

/// Returns the records at home. Releases and promotions are decided from them.
#[must_use]
pub fn records_at_home<'w>(inventory: &'w Inventory, settings: &Settings) -> Vec<Record<'w>> {
    records_at(
        &Record::read_all(&inventory.images, settings),
        &home(settings),
        &inventory.account,
    )
}

/// Returns the reason why a location could not be read.
#[must_use]
pub fn unreachable_reason<'w>(inventory: &'w Inventory, location: &Location) -> Option<&'w str> {
    inventory
        .unreachable
        .iter()
        .find(|(unreachable, _)| unreachable == location)
        .map(|(_, reason)| reason.as_str())
}

/// Returns the owners and Regions of AMIs with unknown references. An unread account that launches
/// shared AMIs counts for the AMIs of the builder's account.
#[must_use]
pub fn unread_references(
    inventory: &Inventory,
    receiving: &BTreeSet<Location>,
) -> BTreeMap<(String, Region), String> {
    let mut out = BTreeMap::new();
    for (location, _) in &inventory.unread_references {
        let account = location.account.as_ref().unwrap_or(&inventory.account);
        let region = &location.region;
        out.insert((account.clone(), region.clone()), account.clone());
        if receiving.contains(location) {
            let own = (inventory.account.clone(), region.clone());
            out.entry(own).or_insert_with(|| account.clone());
        }
    }
    out
}
