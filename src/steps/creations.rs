//! Remembers the resources that this run has created, or may have.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use crate::model::{Region, Timestamp};

/// Time after which EC2 shows every new resource. AWS documents no limit; the waiters of its SDKs
/// stop after 30 seconds (botocore, `SecurityGroupExists`).
const VISIBLE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Resource that a call creates: its kind, its name and its location.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::steps) struct CreationKey(pub(in crate::steps) String);

impl CreationKey {
    /// Identifies the resource of a kind by its name in a location.
    pub(in crate::steps) fn new(
        kind: &str,
        name: &str,
        account: Option<&str>,
        region: &Region,
    ) -> Self {
        Self(format!(
            "{kind} {name} {}.{region}",
            account.unwrap_or("home")
        ))
    }
}

/// Calls of this run that created a resource, or may have.
#[derive(Debug, Default)]
pub struct Creations(Mutex<BTreeMap<CreationKey, Creation>>);

/// A created resource. Its ID is missing if the outcome of the call is unknown.
#[derive(Debug, Clone)]
pub(in crate::steps) struct Creation {
    pub(in crate::steps) id: Option<String>,
    pub(in crate::steps) at: Timestamp,
}

impl Creation {
    pub(in crate::steps) fn is_new(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < VISIBLE_AFTER
    }
}

impl Creations {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CreationKey, Creation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a created resource.
    pub(in crate::steps) fn record(&self, key: CreationKey, id: Option<String>, at: Timestamp) {
        self.lock().insert(key, Creation { id, at });
    }

    pub(in crate::steps) fn get(&self, key: &CreationKey) -> Option<Creation> {
        self.lock().get(key).cloned()
    }

    /// Returns whether this run created the resource so recently that EC2 may not show it yet.
    pub(in crate::steps) fn is_new(&self, id: &str, now: Timestamp) -> bool {
        let all = self.lock();
        all.values()
            .any(|creation| creation.id.as_deref() == Some(id) && creation.is_new(now))
    }
}
