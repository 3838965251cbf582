//! Remembers the launch permissions that a run granted, or was about to grant.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::model::{AmiId, EnvName};

/// AMI and environment of launch permissions.
type Key = (AmiId, EnvName);

/// Launch permissions that this run granted, or was about to grant.
#[derive(Debug, Default)]
pub struct LaunchGrants(Mutex<BTreeMap<Key, GivenLaunch>>);

/// Launch permissions of one AMI for one environment.
#[derive(Debug, Clone, Default)]
pub(in crate::steps) struct GivenLaunch {
    /// Entry of the environment in the tag before this run.
    pub(in crate::steps) digest: Option<String>,
    /// Receivers without the permission before this run.
    pub(in crate::steps) receivers: Vec<String>,
}

impl LaunchGrants {
    /// Records permissions before they are granted. The first record stays, because a repeated step finds
    /// its own permissions.
    pub(in crate::steps) fn record(&self, key: Key, given: GivenLaunch) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_insert(given);
    }

    pub(in crate::steps) fn get(&self, key: &Key) -> Option<GivenLaunch> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).cloned()
    }
}
