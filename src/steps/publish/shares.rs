//! Counts the copies of an AMI to another account that are in progress, and limits the accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::catalog::defaults::{MAX_TAGS_OF_EC2, RESERVED_TAGS};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::tags::{self, PARALLEL_SHARES};
use crate::model::{Ami, AmiId, Sharing};
use crate::plan::Scope;

/// Excludes concurrent changes of the permissions of an account.
type ChangeLock = tokio::sync::Mutex<()>;

/// Scopes that copy an AMI to an account now, and the permissions that the account received. The
/// last scope removes them.
#[derive(Debug, Default)]
pub struct Shares {
    uses: Mutex<BTreeMap<(AmiId, String), ShareUse>>,
    /// Free tags of each AMI.
    free: Mutex<BTreeMap<AmiId, Arc<Semaphore>>>,
    /// Held while permissions are granted or removed.
    changes: Mutex<BTreeMap<(AmiId, String), Arc<ChangeLock>>>,
}

#[derive(Debug, Default)]
struct ShareUse {
    scopes: BTreeSet<Scope>,
    given: Sharing,
    tag: Option<OwnedSemaphorePermit>,
}

/// Permissions that a run granted to an account, with the tag that records them. The tag is free when
/// this value is dropped.
#[derive(Debug, Default)]
pub(in crate::steps) struct EndedShare {
    pub(in crate::steps) given: Sharing,
    _tag: Option<OwnedSemaphorePermit>,
}

/// Returns the number of accounts that can copy an AMI at the same time: each needs a tag of it.
fn free_tags(ami: &Ami) -> usize {
    let is_own = |key: &&String| key.starts_with("bakeline:") || key.as_str() == tags::NAME;
    let of_dead_runs = ami.tags.keys().filter(|key| key.starts_with(tags::SHARING));
    let of_user = ami.tags.keys().filter(|key| !is_own(key));
    let used = RESERVED_TAGS - PARALLEL_SHARES + of_user.count() + of_dead_runs.count();
    MAX_TAGS_OF_EC2.saturating_sub(used).max(1)
}

impl Shares {
    fn lock_uses(&self) -> MutexGuard<'_, BTreeMap<(AmiId, String), ShareUse>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other scope changes the permissions of an account, and excludes others until the
    /// returned value is dropped.
    pub(in crate::steps) async fn lock_permissions(
        &self,
        ami: &AmiId,
        account: &str,
    ) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut all = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry((ami.clone(), account.to_owned())).or_default())
        };
        lock.lock_owned().await
    }

    /// Adds a scope, whose permissions are locked. Waits for a free tag of the AMI if the scope is the
    /// first of its account.
    pub(in crate::steps) async fn begin(
        &self,
        ami: &Ami,
        account: &str,
        scope: &Scope,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let key = (ami.id.clone(), account.to_owned());
        let has_tag = self
            .lock_uses()
            .get(&key)
            .is_some_and(|share| share.tag.is_some());
        let mut new_tag = None;
        if !has_tag {
            let text = "cancelled while waiting for a free tag of the original";
            let interrupted = || Error::new(ErrorKind::Interrupted, text);
            new_tag = tokio::select! {
                tag = self.free_tags_of(ami).acquire_owned() => Some(tag.map_err(|_closed| interrupted())?),
                () = cancel.cancelled() => return Err(interrupted()),
            };
        }
        let mut uses = self.lock_uses();
        let share = uses.entry(key).or_default();
        share.scopes.insert(scope.clone());
        share.tag = share.tag.take().or(new_tag);
        Ok(())
    }

    fn free_tags_of(&self, ami: &Ami) -> Arc<Semaphore> {
        let mut all = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = all.entry(ami.id.clone());
        Arc::clone(free.or_insert_with(|| Arc::new(Semaphore::new(free_tags(ami)))))
    }

    /// Adds permissions before they are granted. Returns all permissions that this run grants.
    pub(in crate::steps) fn add_grant(&self, ami: &AmiId, account: &str, more: Sharing) -> Sharing {
        let mut all = self.lock_uses();
        let given = &mut all
            .entry((ami.clone(), account.to_owned()))
            .or_default()
            .given;
        *given = merge(given.clone(), more);
        given.clone()
    }

    /// Removes a scope. Returns the granted permissions if no other scope copies the AMI.
    pub(in crate::steps) fn end(
        &self,
        ami: &AmiId,
        account: &str,
        scope: &Scope,
    ) -> Option<EndedShare> {
        let mut all = self.lock_uses();
        let users = all.entry((ami.clone(), account.to_owned())).or_default();
        users.scopes.remove(scope);
        users.scopes.is_empty().then(|| EndedShare {
            given: std::mem::take(&mut users.given),
            _tag: users.tag.take(),
        })
    }
}

/// Returns all permissions of both.
pub(in crate::steps) fn merge(mut one: Sharing, other: Sharing) -> Sharing {
    one.image |= other.image;
    one.snapshots.extend(other.snapshots);
    one
}
