//! Reads the state of a lock, and releases the lock of a dead run.

use super::{Locks, to_json};
use crate::error::Result;
use crate::evidence::keys;
use crate::lifecycle::lock::{self, Holder};
use crate::model::EnvName;

/// State of an environment's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// Not held by any run.
    Free,
    /// Held by a run that may be active.
    Held(Holder),
    /// Not renewed by the last holder for a whole lease.
    Expired(Holder),
    /// Held by a process of this machine that has ended.
    Dead(Holder),
}

impl LockState {
    /// Returns the last holder if the lock was not released.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Free => None,
            Self::Held(holder) | Self::Expired(holder) | Self::Dead(holder) => Some(holder),
        }
    }
}

/// Result of releasing a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnlockResult {
    /// The lock was released.
    Yes,
    /// The holder may be active, and `force` was not set.
    No,
    /// No lock was held.
    Nothing,
}

impl Locks {
    /// Reads the state of an environment's lock.
    ///
    /// # Errors
    /// Fails if the store fails or the lock cannot be read.
    pub async fn state(&self, env: &EnvName) -> Result<LockState> {
        let prefix = keys::locks(&self.catalog, env);
        let latest = lock::latest(&self.store.list(&prefix).await?).filter(|latest| !latest.ended);
        let Some(latest) = latest else {
            return Ok(LockState::Free);
        };
        Ok(match self.holder_of(&prefix, latest).await? {
            None => LockState::Free,
            Some(holder) if self.has_ended(&holder) => LockState::Dead(holder),
            Some(holder) if self.clock.now() >= holder.expires => LockState::Expired(holder),
            Some(holder) => LockState::Held(holder),
        })
    }

    /// Releases the lock that `state` describes. The lock of a holder that may be active is
    /// released only with `force`; that run stops before its next change.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub async fn unlock(
        &self,
        env: &EnvName,
        state: &LockState,
        force: bool,
    ) -> Result<UnlockResult> {
        let holder = match state {
            LockState::Free => return Ok(UnlockResult::Nothing),
            LockState::Held(_) if !force => return Ok(UnlockResult::No),
            LockState::Held(holder) | LockState::Expired(holder) | LockState::Dead(holder) => {
                holder
            }
        };
        let key = lock::ended_key(&keys::locks(&self.catalog, env), holder.generation);
        let ended =
            to_json(&serde_json::json!({ "ended": self.clock.now(), "by": "bakeline unlock" }));
        let created = self.store.create(&key, &ended).await?;
        Ok(if created {
            UnlockResult::Yes
        } else {
            UnlockResult::Nothing
        })
    }
}
