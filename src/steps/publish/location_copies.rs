//! Holds the slots and the last read of the copies to each location.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::model::{Ami, AmiId, Location, Timestamp};
use crate::plan::Step;

/// Copies to a location that EC2 performs at the same time. Further calls fail until one ends (Amazon
/// EBS endpoints and quotas, "Concurrent snapshot copies per destination Region").
const CONCURRENT_COPIES: usize = 20;

/// Copies of a run by location.
#[derive(Debug, Default)]
pub struct LocationCopies(Mutex<BTreeMap<Location, Arc<CopiesAt>>>);

/// Copies to a location.
#[derive(Debug)]
pub(super) struct CopiesAt {
    pub(super) slots: Arc<Semaphore>,
    pub(super) reads: tokio::sync::Mutex<CopyReads>,
}

impl Default for CopiesAt {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(CONCURRENT_COPIES)),
            reads: tokio::sync::Mutex::default(),
        }
    }
}

/// Pending copies of a location, and the last read of them.
#[derive(Debug, Default)]
pub(super) struct CopyReads {
    pub(super) pending: BTreeSet<AmiId>,
    pub(super) last: Option<LastRead>,
}

#[derive(Debug)]
pub(super) struct LastRead {
    pub(super) at: Timestamp,
    pub(super) requested: BTreeSet<AmiId>,
    pub(super) found: BTreeMap<AmiId, Ami>,
}

impl LocationCopies {
    pub(super) fn at(&self, step: &Step) -> Arc<CopiesAt> {
        let location = Location {
            account: step.account.clone(),
            region: step.region.clone(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(location).or_default())
    }
}
