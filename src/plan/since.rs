//! Finds the images that differ between two states of a catalog, with all images layered on them.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Image};
use crate::model::ImageName;
use crate::plan::fingerprint::Fingerprints;

/// Returns the images of `now` that are new or have a different recipe, checks or rules, and their
/// descendants.
#[must_use]
pub fn changed_images(before: &Catalog, now: &Catalog) -> BTreeSet<ImageName> {
    let (old_prints, prints) = (Fingerprints::new(before), Fingerprints::new(now));
    let is_changed = |image: &&Image| {
        before.images.get(&image.name).is_none_or(|old| {
            let rules = |i: &Image| (i.max_age, i.rebase_after, i.environment.clone());
            old_prints.recipe(old) != prints.recipe(image)
                || old_prints.checks_digest(&image.name) != prints.checks_digest(&image.name)
                || rules(old) != rules(image)
        })
    };
    let mut out: BTreeSet<ImageName> = now
        .images
        .values()
        .filter(is_changed)
        .map(|i| i.name.clone())
        .collect();
    for image in now.parents_first() {
        if image.parent().is_some_and(|p| out.contains(p)) {
            out.insert(image.name.clone());
        }
    }
    out
}
