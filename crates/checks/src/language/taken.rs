//! Owns the ids that controls have, and finding one that is free.

use std::collections::{BTreeMap, BTreeSet};

/// The ids that are in use.
#[derive(Debug, Default)]
pub struct Taken {
    ids: BTreeSet<String>,
    /// The last number behind each id that was made, where one was needed.
    last: BTreeMap<String, u32>,
}

impl Taken {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn insert(&mut self, id: String) {
        self.ids.insert(id);
    }

    /// The id itself, or with `#2`, `#3`, … when it is taken.
    pub(super) fn free(&mut self, id: &str) -> String {
        if !self.ids.contains(id) {
            return id.to_owned();
        }
        let from = self.last.get(id).map_or(2, |last| last + 1);
        let found = (from..)
            .map(|n| (n, format!("{id}#{n}")))
            .find(|(_, id)| !self.ids.contains(id));
        let (number, free) = found.unwrap_or_default();
        self.last.insert(id.to_owned(), number);
        free
    }
}
