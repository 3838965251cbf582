//! Owns which images differ between two states of a catalog: those whose inputs moved, and all that is layered on them.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Image};
use crate::model::ImageName;
use crate::plan::fingerprint::Fingerprints;

/// The images of `now` that are new, or whose recipe, checks or rules are not what they were; and their descendants.
#[must_use]
pub fn changed(before: &Catalog, now: &Catalog) -> BTreeSet<ImageName> {
    let (then, prints) = (Fingerprints::new(before), Fingerprints::new(now));
    let moved = |image: &&Image| {
        before.images.get(&image.name).is_none_or(|old| {
            let rules = |i: &Image| (i.max_age, i.rebase_after, i.environment.clone());
            then.recipe(old) != prints.recipe(image)
                || then.checks(&image.name) != prints.checks(&image.name)
                || rules(old) != rules(image)
        })
    };
    let mut out: BTreeSet<ImageName> = now
        .images
        .values()
        .filter(moved)
        .map(|i| i.name.clone())
        .collect();
    for image in now.parents_first() {
        if image.parent().is_some_and(|p| out.contains(p)) {
            out.insert(image.name.clone());
        }
    }
    out
}
