//! Shows who holds the lock of an environment, and releases it for a holder that is dead.

use super::{Locks, json};
use crate::error::Result;
use crate::evidence::keys;
use crate::lifecycle::lock::{self, LockHolder};
use crate::model::EnvName;

/// State of an environment's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// No run holds it.
    Free,
    /// A run holds it and may be at work.
    Held(LockHolder),
    /// The last holder gave no sign of life for a whole lease.
    Expired(LockHolder),
    /// The last holder's process ran on this machine and has ended.
    Dead(LockHolder),
}

impl LockState {
    /// Returns the last holder, where the lock was not given back.
    #[must_use]
    pub fn holder(&self) -> Option<&LockHolder> {
        match self {
            Self::Free => None,
            Self::Held(holder) | Self::Expired(holder) | Self::Dead(holder) => Some(holder),
        }
    }
}

/// What releasing a lock did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The lock was released.
    Yes,
    /// The holder may be at work, and releasing was not forced.
    No,
    /// There was no lock to release.
    Nothing,
}

impl Locks {
    /// Reads the state of an environment's lock.
    ///
    /// # Errors
    /// The store's answer; a lock that cannot be read.
    pub async fn state(&self, env: &EnvName) -> Result<LockState> {
        let prefix = keys::locks(&self.catalog, env);
        let latest =
            lock::latest_state(&self.store.list(&prefix).await?).filter(|latest| !latest.released);
        let Some(latest) = latest else {
            return Ok(LockState::Free);
        };
        Ok(match self.holder(&prefix, latest).await? {
            None => LockState::Free,
            Some(holder) if self.has_ended(&holder) => LockState::Dead(holder),
            Some(holder) if self.clock.now() >= holder.expires => LockState::Expired(holder),
            Some(holder) => LockState::Held(holder),
        })
    }

    /// Releases the lock that `state` describes. A holder that may be at work keeps it unless `force` is set. A run that
    /// loses its lock this way stops before its next change.
    ///
    /// # Errors
    /// The store's answer.
    pub async fn unlock(&self, env: &EnvName, state: &LockState, force: bool) -> Result<Released> {
        let holder = match state {
            LockState::Free => return Ok(Released::Nothing),
            LockState::Held(_) if !force => return Ok(Released::No),
            LockState::Held(holder) | LockState::Expired(holder) | LockState::Dead(holder) => {
                holder
            }
        };
        let key = lock::release_key(&keys::locks(&self.catalog, env), holder.generation);
        let ended =
            json(&serde_json::json!({ "ended": self.clock.now(), "by": "bakeline unlock" }));
        let created = self.store.create(&key, &ended).await?;
        Ok(if created {
            Released::Yes
        } else {
            Released::Nothing
        })
    }
}
