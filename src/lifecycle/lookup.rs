//! Owns the question "which AMI is current": answered from tags alone.

use crate::lifecycle::Record;
use crate::model::{Arch, EnvName, ImageName};

/// The AMI that an environment points at. Two that both say so (a move was cut in the middle): the later `since` wins.
#[must_use]
pub fn current<'r, 'a>(
    records: &'r [Record<'a>],
    image: &ImageName,
    env: &EnvName,
    arch: Arch,
) -> Option<&'r Record<'a>> {
    records
        .iter()
        .filter(|r| r.image == *image && r.arch == arch && r.usable())
        .filter_map(|r| r.current.get(env).map(|since| (since, r)))
        .max_by_key(|(since, r)| (**since, r.version))
        .map(|(_, r)| r)
}

/// What the next build of an image builds on or is compared with: current on the lowest rung, else the newest usable.
#[must_use]
pub fn last_good<'r, 'a>(
    records: &'r [Record<'a>],
    image: &ImageName,
    lowest: &EnvName,
    arch: Arch,
) -> Option<&'r Record<'a>> {
    current(records, image, lowest, arch).or_else(|| {
        records.iter().filter(|r| r.image == *image && r.arch == arch && r.usable()).max_by_key(|r| r.version)
    })
}
