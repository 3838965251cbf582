//! Owns where environments exist: their Regions times their accounts, and which AMIs are at which place.

use std::collections::BTreeSet;

use crate::catalog::{Environment, Settings};
use crate::lifecycle::Record;
use crate::model::{Ami, Place, World};

/// Where images are built and where decisions are made: the builder's account, the catalog's first Region.
#[must_use]
pub fn home(settings: &Settings) -> Place {
    Place {
        account: None,
        region: settings.home().clone(),
    }
}

/// The places of an environment: home first, because what is decided is decided there, then its Regions in each of its
/// accounts. An account that is the builder's own (`own`) is not another place.
#[must_use]
pub fn of(settings: &Settings, env: &Environment, own: &str) -> Vec<Place> {
    let mut out = vec![home(settings)];
    let accounts: Vec<Option<String>> = match env.accounts.as_slice() {
        [] => vec![None],
        some => some.iter().map(|a| (a != own).then(|| a.clone())).collect(),
    };
    for account in accounts {
        for region in &env.regions {
            let place = Place {
                account: account.clone(),
                region: region.clone(),
            };
            if !out.contains(&place) {
                out.push(place);
            }
        }
    }
    out
}

/// Every place of every environment, home first.
#[must_use]
pub fn all(settings: &Settings, own: &str) -> Vec<Place> {
    let mut out: Vec<Place> = Vec::new();
    for place in settings
        .environments
        .iter()
        .flat_map(|e| of(settings, e, own))
    {
        if !out.contains(&place) {
            out.push(place);
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
pub fn of_ami(ami: &Ami, own: &str) -> Place {
    let foreign = !own.is_empty() && ami.owner != own;
    Place {
        account: foreign.then(|| ami.owner.clone()),
        region: ami.region.clone(),
    }
}

/// The records at one place.
#[must_use]
pub fn at<'a>(records: &[Record<'a>], place: &Place, own: &str) -> Vec<Record<'a>> {
    records
        .iter()
        .filter(|r| of_ami(r.ami, own) == *place)
        .cloned()
        .collect()
}

/// This catalog's records at home: what releases and promotions are decided from.
#[must_use]
pub fn at_home<'w>(world: &'w World, settings: &Settings) -> Vec<Record<'w>> {
    at(
        &Record::all(&world.images, &settings.name),
        &home(settings),
        &world.account,
    )
}

/// Why the facts of a place are missing, if they are.
#[must_use]
pub fn unread<'w>(world: &'w World, place: &Place) -> Option<&'w str> {
    world
        .unread
        .iter()
        .find(|(p, _)| p == place)
        .map(|(_, why)| why.as_str())
}
