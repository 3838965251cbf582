//! Determines the locations of environments, and which AMIs are at which location.

use std::collections::BTreeSet;

use crate::catalog::{Environment, Settings};
use crate::lifecycle::Record;
use crate::model::{Ami, Inventory, Location};

/// Returns the home location: the builder's account and the first Region of the catalog.
#[must_use]
pub fn home(settings: &Settings) -> Location {
    Location {
        account: None,
        region: settings.home().clone(),
    }
}

/// Returns the locations of an environment: home first, then its Regions in each of its accounts.
/// `own` is the builder's account; naming it in an environment does not add a location.
#[must_use]
pub fn in_environment(settings: &Settings, env: &Environment, own: &str) -> Vec<Location> {
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

/// Returns the accounts of the environments, without the builder's own.
#[must_use]
pub fn foreign_accounts(settings: &Settings, own: &str) -> BTreeSet<String> {
    settings
        .environments
        .iter()
        .flat_map(|e| &e.accounts)
        .filter(|a| *a != own)
        .cloned()
        .collect()
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
