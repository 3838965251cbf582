//! Indexes the released versions of images, for plans without builds.

use super::index::RecordIndex;
use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, tags};
use crate::model::Inventory;
use crate::plan::fingerprint::Fingerprints;

/// Released versions by image, for plans without builds.
pub struct ReleasedVersions<'c>(&'c Catalog, RecordIndex<'c>);

impl<'c> ReleasedVersions<'c> {
    /// Creates the index of an inventory.
    #[must_use]
    pub fn new(catalog: &'c Catalog, inventory: &'c Inventory) -> Self {
        Self(catalog, RecordIndex::new(catalog, inventory))
    }

    /// Returns the version that the next build of an image is compared with.
    #[must_use]
    pub fn last_good(&self, image: &Image) -> Option<&Record<'c>> {
        self.1.last_good(self.0, image)
    }

    /// Returns the last good versions whose recipe or checks differ from the catalog. Their
    /// manifests explain the difference.
    #[must_use]
    pub fn outdated_records(&self) -> Vec<&Record<'c>> {
        let prints = Fingerprints::new(self.0);
        let differs = |image: &Image, last: &Record<'_>| {
            last.tag(tags::RECIPE) != prints.recipe(image).digest()
                || last.tag(tags::CHECKS) != prints.checks_digest(&image.name)
        };
        let found = self
            .0
            .images
            .values()
            .filter_map(|i| Some((i, self.last_good(i)?)));
        found
            .filter(|(image, last)| differs(image, last))
            .map(|(_, last)| last)
            .collect()
    }
}
