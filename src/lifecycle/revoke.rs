//! Owns what a revocation reaches: a version with all that is layered on it, and what becomes current in their location.

use std::collections::BTreeSet;

use crate::catalog::Settings;
use crate::lifecycle::{Record, rung};
use crate::model::{EnvName, ImageName, State, Version};

/// A version and everything layered on it, children after their parents, by the `bakeline:parent` tags of all locations.
#[must_use]
pub fn family(
    records: &[Record<'_>],
    image: &ImageName,
    version: Version,
) -> Vec<(ImageName, Version)> {
    let mut out = vec![(image.clone(), version)];
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

/// What an environment points at instead of `gone` at one location: whoever says it is current there already, else the
/// newest released version of the same image that got there; `doomed` versions are out of the question.
#[must_use]
pub fn instead<'r, 'a>(
    settings: &Settings,
    here: &'r [Record<'a>],
    gone: &Record<'_>,
    env: &EnvName,
    doomed: &dyn Fn(&Record<'_>) -> bool,
) -> Option<&'r Record<'a>> {
    let same =
        |r: &&Record<'_>| r.image == gone.image && r.arch == gone.arch && r.usable() && !doomed(r);
    let holder = here
        .iter()
        .filter(same)
        .filter_map(|r| r.current.get(env).map(|since| (*since, r.version, r)));
    if let Some((.., record)) = holder.max_by_key(|(since, version, _)| (*since, *version)) {
        return Some(record);
    }
    let rung = settings.rung(env)?;
    let there = |r: &&Record<'_>| rung::reached(settings, r).is_some_and(|reached| reached >= rung);
    here.iter()
        .filter(same)
        .filter(|r| r.state == State::Released)
        .filter(there)
        .max_by_key(|r| r.version)
}
