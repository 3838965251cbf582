//! Determines what a revocation affects: all versions built from the revoked one, and their
//! replacements.

use std::collections::BTreeSet;

use crate::catalog::Settings;
use crate::lifecycle::{Record, level};
use crate::model::{Arch, EnvName, ImageName, State, Version};

/// Returns a version and all versions that are layered on it, parents first. The tag
/// `bakeline:parent` of all locations decides. The name of an image that left the catalog means all
/// its architectures.
#[must_use]
pub fn affected_versions(
    settings: &Settings,
    records: &[Record<'_>],
    image: &ImageName,
    version: Version,
) -> Vec<(ImageName, Version)> {
    let is_named = |r: &&Record<'_>| r.version == version && settings.is_meant(&r.image, image);
    let named: BTreeSet<ImageName> = records
        .iter()
        .filter(is_named)
        .map(|r| r.image.clone())
        .collect();
    let mut out: Vec<(ImageName, Version)> = named.into_iter().map(|n| (n, version)).collect();
    if out.is_empty() {
        out.push((image.clone(), version));
    }
    let mut seen: BTreeSet<(ImageName, Version)> = out.iter().cloned().collect();
    let mut at = 0;
    while let Some(parent) = out.get(at).cloned() {
        at += 1;
        let children: BTreeSet<(ImageName, Version)> = records
            .iter()
            .filter(|r| r.parent.as_ref() == Some(&parent))
            .map(|r| (r.image.clone(), r.version))
            .filter(|child| !seen.contains(child))
            .collect();
        seen.extend(children.iter().cloned());
        out.extend(children);
    }
    out
}

/// Returns the AMI that replaces `revoked` in an environment at one location: an AMI that is tagged
/// as current already, or the newest released version that reached the environment. Versions that
/// match `is_affected` are excluded.
#[must_use]
pub fn find_replacement<'r, 'a>(
    settings: &Settings,
    here: &'r [Record<'a>],
    revoked: &Record<'_>,
    env: &EnvName,
    is_affected: &dyn Fn(&Record<'_>) -> bool,
) -> Option<&'r Record<'a>> {
    let same = |r: &&Record<'_>| {
        r.image == revoked.image && r.arch == revoked.arch && r.is_usable() && !is_affected(r)
    };
    let holder = here
        .iter()
        .filter(same)
        .filter_map(|r| r.current.get(env).map(|since| (*since, r.version, r)));
    if let Some((.., record)) = holder.max_by_key(|(since, version, _)| (*since, *version)) {
        return Some(record);
    }
    let unaffected: Vec<&Record<'a>> = here.iter().filter(|r| !is_affected(r)).collect();
    newest_reached(settings, unaffected, (&revoked.image, revoked.arch), env)
}

/// Returns the newest released AMI of an image that reached an environment, among the AMIs of one
/// location.
#[must_use]
pub fn newest_reached<'r, 'a>(
    settings: &Settings,
    here: impl IntoIterator<Item = &'r Record<'a>>,
    (image, arch): (&ImageName, Arch),
    env: &EnvName,
) -> Option<&'r Record<'a>>
where
    'a: 'r,
{
    let level = settings.environment_level(env)?;
    here.into_iter()
        .filter(|r| r.image == *image && r.arch == arch && r.is_usable())
        .filter(|r| r.state == State::Released)
        .filter(|r| level::reached_level(settings, r).is_some_and(|reached| reached >= level))
        .max_by_key(|r| r.version)
}
