//! Counts the copies of an AMI to another account that are in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{AmiId, Sharing};
use crate::plan::Scope;

/// Scopes that copy an AMI to an account now, and the permissions that the account received. The
/// last scope removes them.
#[derive(Debug, Default)]
pub struct Shares(Mutex<BTreeMap<(AmiId, String), ShareUse>>);

#[derive(Debug, Default)]
struct ShareUse {
    scopes: BTreeSet<Scope>,
    given: Sharing,
}

impl Shares {
    fn lock_uses(&self) -> MutexGuard<'_, BTreeMap<(AmiId, String), ShareUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::steps) fn begin(&self, ami: &AmiId, account: &str, scope: &Scope) {
        self.lock_uses()
            .entry((ami.clone(), account.to_owned()))
            .or_default()
            .scopes
            .insert(scope.clone());
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
    ) -> Option<Sharing> {
        let mut all = self.lock_uses();
        let users = all.entry((ami.clone(), account.to_owned())).or_default();
        users.scopes.remove(scope);
        users
            .scopes
            .is_empty()
            .then(|| std::mem::take(&mut users.given))
    }
}

/// Returns all permissions of both.
pub(in crate::steps) fn merge(mut one: Sharing, other: Sharing) -> Sharing {
    one.image |= other.image;
    one.snapshots.extend(other.snapshots);
    one
}
