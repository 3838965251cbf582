//! Owns where environments exist: their Regions times their accounts, and which AMIs are at which location.

use std::collections::BTreeSet;

use crate::catalog::{Environment, Settings};
use crate::lifecycle::Record;
use crate::model::{Ami, Inventory, Location};

/// Where images are built and where decisions are made: the builder's account, the catalog's first Region.
#[must_use]
pub fn home(settings: &Settings) -> Location {
    Location {
        account: None,
        region: settings.home().clone(),
    }
}

/// The locations of an environment: home first, because what is decided is decided there, then its Regions in each of its
/// accounts. An account that is the builder's own (`own`) is not another location.
#[must_use]
pub fn of(settings: &Settings, env: &Environment, own: &str) -> Vec<Location> {
    let mut out = vec![home(settings)];
    let accounts: Vec<Option<String>> = match env.accounts.as_slice() {
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

/// Every location of every environment, home first.
#[must_use]
pub fn all(settings: &Settings, own: &str) -> Vec<Location> {
    let mut out: Vec<Location> = Vec::new();
    for location in settings
        .environments
        .iter()
        .flat_map(|e| of(settings, e, own))
    {
        if !out.contains(&location) {
            out.push(location);
        }
    }
    out
}

/// The accounts beside the builder's own that environments name.
#[must_use]
pub fn accounts(settings: &Settings, own: &str) -> BTreeSet<String> {
    settings
        .environments
        .iter()
        .flat_map(|e| &e.accounts)
        .filter(|a| *a != own)
        .cloned()
        .collect()
}

/// Where an AMI is, seen from the builder's account.
#[must_use]
pub fn of_ami(ami: &Ami, own: &str) -> Location {
    let foreign = !own.is_empty() && ami.owner != own;
    Location {
        account: foreign.then(|| ami.owner.clone()),
        region: ami.region.clone(),
    }
}

/// The records at one location.
#[must_use]
pub fn at<'a>(records: &[Record<'a>], location: &Location, own: &str) -> Vec<Record<'a>> {
    records
        .iter()
        .filter(|r| of_ami(r.ami, own) == *location)
        .cloned()
        .collect()
}

/// This catalog's records at home: what releases and promotions are decided from.
#[must_use]
pub fn at_home<'w>(inventory: &'w Inventory, settings: &Settings) -> Vec<Record<'w>> {
    at(
        &Record::all(&inventory.images, &settings.name),
        &home(settings),
        &inventory.account,
    )
}

/// Why the facts of a location are missing, if they are.
#[must_use]
pub fn unread<'w>(inventory: &'w Inventory, location: &Location) -> Option<&'w str> {
    inventory
        .unread
        .iter()
        .find(|(p, _)| p == location)
        .map(|(_, why)| why.as_str())
}
