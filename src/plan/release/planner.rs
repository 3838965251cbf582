//! Holds the facts of a release plan and the decisions made so far.

use std::collections::{BTreeMap, BTreeSet};

use super::index::RecordIndex;
use crate::catalog::Catalog;
use crate::lifecycle::Record;
use crate::model::{AmiId, ImageName, Inventory, RunId, Timestamp, Version};
use crate::plan::fingerprint::Fingerprints;

/// Release requested by the user.
#[derive(Debug, Clone)]
pub struct ReleaseRequest {
    /// Requested images; empty means all.
    pub images: Vec<ImageName>,
    /// True to build images that need no build.
    pub force: bool,
    /// ID of the run.
    pub run: RunId,
}

/// State of a release plan while it is decided.
pub(super) struct ReleasePlanner<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) inventory: &'c Inventory,
    pub(super) request: &'c ReleaseRequest,
    /// Time that ages and version days refer to.
    pub(super) decided: Timestamp,
    pub(super) index: RecordIndex<'c>,
    pub(super) prints: Fingerprints<'c>,
    /// Records of all locations.
    pub(super) everywhere: Vec<Record<'c>>,
    /// Versions that this plan builds.
    pub(super) built: BTreeMap<ImageName, Version>,
    /// Candidates of earlier runs that this plan checks and releases.
    pub(super) adopted: BTreeMap<ImageName, AmiId>,
    /// Images that this plan rechecks.
    pub(super) rechecked: BTreeSet<ImageName>,
}

impl<'c> ReleasePlanner<'c> {
    pub(super) fn new(
        catalog: &'c Catalog,
        inventory: &'c Inventory,
        request: &'c ReleaseRequest,
        decided: Timestamp,
    ) -> Self {
        let (index, prints) = (
            RecordIndex::new(catalog, inventory),
            Fingerprints::new(catalog),
        );
        let everywhere = Record::read_all(&inventory.images, &catalog.settings);
        let (built, adopted, rechecked) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self {
            catalog,
            inventory,
            request,
            decided,
            index,
            prints,
            everywhere,
            built,
            adopted,
            rechecked,
        }
    }

    /// Returns the requested images, and their ancestors without a released version.
    pub(super) fn selected_images(&self) -> BTreeSet<ImageName> {
        if self.request.images.is_empty() {
            return self.catalog.images.keys().cloned().collect();
        }
        let mut selected: BTreeSet<ImageName> = self.request.images.iter().cloned().collect();
        for name in &self.request.images {
            for ancestor in self.catalog.lineage(name).into_iter().skip(1) {
                if self.index.last_good(self.catalog, ancestor).is_some() {
                    break;
                }
                selected.insert(ancestor.name.clone());
            }
        }
        selected
    }
}
