//! Allocates unique IDs of controls.

use std::collections::{BTreeMap, BTreeSet};

/// IDs in use.
#[derive(Debug, Default)]
pub struct IdAllocator {
    ids: BTreeSet<String>,
    /// Last number that was appended to each ID.
    last_numbers: BTreeMap<String, u32>,
}

impl IdAllocator {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn insert(&mut self, id: String) {
        self.ids.insert(id);
    }

    /// Returns the ID, with `#2`, `#3`, … appended if it is in use. Does
    /// not reserve it: call [`Self::insert`].
    pub(super) fn find_unused(&mut self, id: &str) -> String {
        if !self.ids.contains(id) {
            return id.to_owned();
        }
        let from = self.last_numbers.get(id).map_or(2, |last| last + 1);
        let found = (from..)
            .map(|n| (n, format!("{id}#{n}")))
            .find(|(_, id)| !self.ids.contains(id));
        let (number, free) = found.unwrap_or_default();
        self.last_numbers.insert(id.to_owned(), number);
        free
    }
}
