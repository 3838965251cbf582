//! Parses and formats the tag that records the environments whose accounts may launch an AMI.
//!
//! The tag `bakeline:shared` is written before the launch permissions are granted:
//! `Prod=1a2b3c4d Stage=…`. The digest of the receivers shows whether those of the catalog have
//! changed since.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::catalog::{Environment, Settings};
use crate::lifecycle::{Record, current, level, tags};
use crate::model::{EnvName, Location, State};

/// Length of the digest in the tag.
const DIGEST: usize = 8;

/// Environments with launch permissions, with the digest of their receivers.
pub type Grants = BTreeMap<EnvName, String>;

/// Parses the tag. Entries that are not valid are skipped.
#[must_use]
pub fn parse(text: &str) -> Grants {
    let entries = text.split_whitespace();
    entries
        .filter_map(|entry| entry.split_once('='))
        .map(|(env, digest)| (EnvName::from(env), digest.to_owned()))
        .collect()
}

/// Formats the tag, ordered by environment.
#[must_use]
pub fn format(grants: &Grants) -> String {
    let entries = grants.iter().map(|(env, digest)| format!("{env}={digest}"));
    entries.collect::<Vec<_>>().join(" ")
}

/// Returns the digest of receivers, which are sorted.
#[must_use]
pub fn digest(receivers: &[String]) -> String {
    let text = format!("{:x}", Sha256::digest(receivers.join(" ").as_bytes()));
    text.chars().take(DIGEST).collect()
}

/// Returns whether the receivers of an environment may launch an AMI, according to its tag.
#[must_use]
pub fn is_granted(record: &Record<'_>, env: &EnvName, receivers: &[String]) -> bool {
    let granted = parse(record.tag(tags::SHARED));
    granted
        .get(env)
        .is_some_and(|known| *known == digest(receivers))
}

/// Returns the receivers that an environment needs at a location: none unless it shares the AMIs of
/// this location.
#[must_use]
pub fn receivers_at(env: &Environment, location: &Location, own: &str) -> Vec<String> {
    let is_shared_here = location.account.is_none() && env.regions.contains(&location.region);
    if is_shared_here {
        env.receivers(own)
    } else {
        Vec::new()
    }
}

/// Returns the environments of the catalog whose launch permissions of an AMI are left over: a run was
/// interrupted before the AMI became current there, or the AMI is revoked. Users of an environment may
/// still use a version that was current there before.
#[must_use]
pub fn left_over<'s>(settings: &'s Settings, record: &Record<'_>) -> Vec<&'s Environment> {
    let granted = parse(record.tag(tags::SHARED));
    let rolled_back = current::parse(record.tag(tags::ROLLED_BACK));
    let reached = level::reached_level(settings, record);
    let was_there = |env: &Environment| {
        let is_reached = settings
            .environment_level(&env.name)
            .is_some_and(|level| reached.is_some_and(|reached| reached >= level));
        is_reached || record.current.contains_key(&env.name) || rolled_back.contains_key(&env.name)
    };
    let environments = settings.environments.iter();
    environments
        .filter(|env| granted.contains_key(&env.name))
        .filter(|env| record.state == State::Revoked || !was_there(env))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_tag_round_trips_and_skips_invalid_entries() {
        let text = "Prod=1a2b3c4d Stage=00000000";
        assert_eq!(format(&parse(text)), text);
        assert_eq!(format(&parse("x Stage=1 ")), "Stage=1");
        assert_eq!(format(&parse("")), "");
    }

    #[test]
    fn digest_depends_on_every_receiver() {
        let receivers =
            |list: &[&str]| -> Vec<String> { list.iter().map(|one| (*one).to_owned()).collect() };
        let one = digest(&receivers(&["222222222222"]));
        assert_eq!(one.len(), DIGEST);
        assert_ne!(one, digest(&receivers(&["222222222222", "333333333333"])));
        assert_ne!(one, digest(&[]));
    }
}
