//! Finds the records of one image among thousands.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, lookup, tags};
use crate::model::{Arch, ImageName, Inventory, State, Version};

/// Records of the catalog, indexed by image and by AMI.
pub(super) struct RecordIndex<'w> {
    records: Vec<Record<'w>>,
    ranges: BTreeMap<(ImageName, Arch), Range<usize>>,
    by_ami: BTreeMap<&'w str, usize>,
    newest: BTreeMap<ImageName, Version>,
    copies: BTreeMap<(ImageName, Arch, Version), Vec<Record<'w>>>,
}

impl<'w> RecordIndex<'w> {
    /// Creates the index. Images are built only on AMIs at home; copies elsewhere are indexed
    /// separately.
    pub(super) fn new(catalog: &Catalog, inventory: &'w Inventory) -> Self {
        let (home, account) = (catalog.settings.home(), &inventory.account);
        let all = Record::read_all(&inventory.images, &catalog.settings);
        let mut newest: BTreeMap<ImageName, Version> = BTreeMap::new();
        for record in &all {
            let known = newest.entry(record.image.clone()).or_insert(record.version);
            *known = record.version.max(*known);
        }
        let at_home = |r: &Record<'_>| {
            r.ami.region == *home && (account.is_empty() || r.ami.owner == *account)
        };
        let (records, away): (Vec<_>, Vec<_>) = all.into_iter().partition(at_home);
        let mut copies: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in away {
            copies
                .entry((record.image.clone(), record.arch, record.version))
                .or_default()
                .push(record);
        }
        let mut ranges: BTreeMap<(ImageName, Arch), Range<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            ranges
                .entry((record.image.clone(), record.arch))
                .or_insert(at..at)
                .end = at + 1;
        }
        let by_ami = records
            .iter()
            .enumerate()
            .map(|(at, r)| (r.ami.id.as_str(), at))
            .collect();
        Self {
            records,
            ranges,
            by_ami,
            newest,
            copies,
        }
    }

    /// Returns the versions of an image at home, newest first.
    pub(super) fn versions(&self, image: &Image) -> &[Record<'w>] {
        let range = self
            .ranges
            .get(&(image.name.clone(), image.arch))
            .cloned()
            .unwrap_or(0..0);
        &self.records[range]
    }

    /// Returns the copies of a version at other locations.
    pub(super) fn copies(&self, record: &Record<'_>) -> impl Iterator<Item = &Record<'w>> {
        let key = (record.image.clone(), record.arch, record.version);
        self.copies.get(&key).into_iter().flatten()
    }

    /// Returns the newest version of an image among all AMIs, in any state and at any location.
    pub(super) fn newest_version(&self, image: &ImageName) -> Option<Version> {
        self.newest.get(image).copied()
    }

    /// Returns the version that the next build is compared with: the current one of the lowest
    /// environment, or the newest usable one.
    pub(super) fn last_good(&self, catalog: &Catalog, image: &Image) -> Option<&Record<'w>> {
        lookup::find_last_good(
            self.versions(image),
            &image.name,
            &catalog.settings.environments[0].name,
            image.arch,
        )
    }

    /// Returns the version that a child is layered on: the last good one, or the newest released
    /// one if that is held.
    pub(super) fn layer_parent(&self, catalog: &Catalog, image: &Image) -> Option<&Record<'w>> {
        let released = |r: &&Record<'_>| r.state == State::Released && r.is_usable();
        self.last_good(catalog, image)
            .filter(released)
            .or_else(|| self.versions(image).iter().find(released))
    }

    /// Follows the chain of builds back. Returns its length and the ID of the AMI that it started
    /// from.
    pub(super) fn build_chain(&self, record: &Record<'w>) -> (u32, String) {
        let base = |r: &Record<'_>| {
            r.tag(tags::BASE)
                .rsplit(':')
                .next()
                .unwrap_or("")
                .to_owned()
        };
        let (mut depth, mut from) = (0, base(record));
        let mut seen = std::collections::BTreeSet::from([record.ami.id.to_string()]);
        while let Some(at) = self
            .by_ami
            .get(from.as_str())
            .filter(|_| seen.insert(from.clone()))
        {
            let earlier = &self.records[*at];
            if earlier.image != record.image {
                break;
            }
            (depth, from) = (depth + 1, base(earlier));
        }
        (depth, from)
    }
}
