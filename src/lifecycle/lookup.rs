//! Finds the current AMI from its SSM parameter and tags, or from tags alone.

use crate::lifecycle::Record;
use crate::model::{Arch, EnvName, ImageName, State};

/// Result of a lookup by SSM parameter and tags.
#[derive(Debug)]
pub struct Lookup<'r, 'a> {
    /// The AMI that may be used.
    pub record: Option<&'r Record<'a>>,
    /// Reason why the AMI that the parameter names may not be used, for example "is revoked".
    pub unusable: Option<String>,
}

/// Returns the current AMI of an environment. `published` is the value of the SSM parameter. An AMI
/// that is deregistered, disabled, revoked or not released is never returned. The tags of the other
/// AMIs decide then.
#[must_use]
pub fn find_published<'r, 'a>(
    records: &'r [Record<'a>],
    published: Option<&str>,
    image: &ImageName,
    env: &EnvName,
    arch: Arch,
) -> Lookup<'r, 'a> {
    let Some(id) = published else {
        return Lookup {
            record: find_current(records, image, env, arch),
            unusable: None,
        };
    };
    let named = records
        .iter()
        .find(|r| r.ami.id.as_str() == id && r.image == *image && r.arch == arch);
    match named {
        Some(record) if record.is_usable() => Lookup {
            record: Some(record),
            unusable: None,
        },
        other => Lookup {
            record: find_current(records, image, env, arch),
            unusable: Some(unusable_reason(other)),
        },
    }
}

fn unusable_reason(named: Option<&Record<'_>>) -> String {
    match named {
        None => "does not exist or was not created by this catalog".to_owned(),
        Some(record) if !matches!(record.state, State::Released | State::Held) => {
            format!("is {}", record.state.as_str())
        }
        Some(record) => format!("is {}", record.ami.status),
    }
}

/// Returns the current AMI of an environment, from tags alone. If an interrupted move left two AMIs
/// tagged as current, the one with the later time wins.
#[must_use]
pub fn find_current<'r, 'a>(
    records: &'r [Record<'a>],
    image: &ImageName,
    env: &EnvName,
    arch: Arch,
) -> Option<&'r Record<'a>> {
    records
        .iter()
        .filter(|r| r.image == *image && r.arch == arch && r.is_usable())
        .filter_map(|r| r.current.get(env).map(|since| (since, r)))
        .max_by_key(|(since, r)| (**since, r.version))
        .map(|(_, r)| r)
}

/// Returns the version that the next build is compared with: the current version of the lowest
/// environment, or the newest usable one.
#[must_use]
pub fn find_last_good<'r, 'a>(
    records: &'r [Record<'a>],
    image: &ImageName,
    lowest: &EnvName,
    arch: Arch,
) -> Option<&'r Record<'a>> {
    find_current(records, image, lowest, arch).or_else(|| {
        records
            .iter()
            .filter(|r| r.image == *image && r.arch == arch && r.is_usable())
            .max_by_key(|r| r.version)
    })
}
