//! Selects the vendor AMI of a base image from the AMIs that match its source.

use crate::catalog::{Image, Source};
use crate::model::{Ami, SkippedAmis, Timestamp};

/// Selects the newest available AMI of the image's architecture. Skips AMIs that `exclude` names,
/// and deprecated AMIs unless the source allows them.
#[must_use]
pub fn select_vendor_ami(
    found: Vec<Ami>,
    image: &Image,
    source: &Source,
    now: Timestamp,
) -> (Option<Ami>, SkippedAmis) {
    let mut skipped = SkippedAmis::default();
    let available = found.into_iter().filter(|ami| ami.status == "available");
    let (candidates, others): (Vec<Ami>, Vec<Ami>) =
        available.partition(|ami| ami.arch == image.arch.as_str());
    if candidates.is_empty() {
        skipped.other_architectures = others.into_iter().map(|ami| ami.arch).collect();
    }
    let (mut selected, mut deprecated) = (None, None);
    for ami in candidates {
        if source.is_excluded(&ami.name) {
            skipped.excluded += 1;
        } else if ami.deprecation(now).is_some() && !source.allows_deprecated() {
            skipped.deprecated += 1;
            deprecated = newer_ami(deprecated, ami);
        } else {
            selected = newer_ami(selected, ami);
        }
    }
    skipped.newest_deprecated = deprecated;
    (selected, skipped)
}

/// Returns the newer of two AMIs. Name and ID decide between AMIs of the same second.
fn newer_ami(known: Option<Ami>, ami: Ami) -> Option<Ami> {
    let key = |ami: &Ami| (ami.created.clone(), ami.name.clone(), ami.id.clone());
    match known {
        Some(known) if key(&known) >= key(&ami) => Some(known),
        _ => Some(ami),
    }
}

#[cfg(test)]
mod tests;
