//! Acquires the lock of each environment: one run at a time changes an environment of a catalog.

pub mod fence;
pub mod guard;
pub mod loss;
mod renew;
#[cfg(test)]
mod tests;
mod unlock;

use std::sync::Arc;

use jiff::SignedDuration;

use crate::error::{Error, ErrorKind, Result};
use crate::evidence::keys;
use crate::lifecycle::lock::{self, LockHolder, LockStatus, Renewal};
use crate::model::{CatalogName, EnvName, ProcessIdentity, RunId, Timestamp};
use crate::ports::{Clock, Processes, Store, StoreResult};
use renew::HeldLock;
pub use renew::HeldLocks;
pub use unlock::{LockState, UnlockResult};

/// Maximum number of attempts to acquire a lock that other runs keep acquiring and releasing.
const MAX_ATTEMPTS: usize = 5;

/// Run that acquires a lock, as other runs see it.
#[derive(Debug, Clone)]
pub struct LockOwner {
    /// ID of the run.
    pub run: RunId,
    /// ARN of the caller.
    pub caller: String,
    /// Host name.
    pub host: String,
    /// Process ID.
    pub pid: u32,
    /// Identity of the process, if the machine provides it.
    pub process: Option<ProcessIdentity>,
    /// URL of the CI job.
    pub job: Option<String>,
}

/// Access to the locks of a catalog.
#[derive(Clone)]
pub struct Locks {
    /// Store that contains the locks.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Processes of this machine. A lock whose process has ended is free.
    pub processes: Arc<dyn Processes>,
    /// Catalog of the locks.
    pub catalog: CatalogName,
    /// Time that a lock is valid without a renewal.
    pub lease: SignedDuration,
}

impl Locks {
    /// Acquires the lock of each environment, in this order. `say` receives a message about each
    /// takeover.
    ///
    /// # Errors
    /// Fails if another run holds a lock, after releasing those acquired before, or if the store
    /// fails.
    pub async fn acquire(
        &self,
        envs: &[EnvName],
        who: &LockOwner,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<HeldLocks> {
        let held = HeldLocks::empty(self.clone());
        for env in envs {
            match self.acquire_one(env, who, say).await {
                Ok((mine, expires)) => held.add(mine, expires),
                Err(error) => {
                    held.release(say).await;
                    return Err(error);
                }
            }
        }
        Ok(held)
    }

    /// Returns the runs that hold the locks of these environments now.
    ///
    /// # Errors
    /// Fails if the store fails or a lock cannot be read.
    pub async fn holders(&self, envs: &[EnvName]) -> Result<Vec<LockHolder>> {
        let mut out = Vec::new();
        for env in envs {
            let prefix = keys::locks(&self.catalog, env);
            let latest =
                lock::latest_state(&self.store.list(&prefix).await?).filter(|l| !l.released);
            let Some(latest) = latest else { continue };
            let holder = self.holder_of(&prefix, latest).await?;
            out.extend(
                holder
                    .filter(|holder| self.clock.now() < holder.expires && !self.has_ended(holder)),
            );
        }
        Ok(out)
    }

    /// Returns whether the process of the holder ran on this machine and has ended.
    fn has_ended(&self, holder: &LockHolder) -> bool {
        holder
            .process
            .as_ref()
            .is_some_and(|process| self.processes.has_ended(process))
    }

    fn next_expiry(&self) -> Timestamp {
        self.clock.now() + self.lease
    }

    async fn acquire_one(
        &self,
        env: &EnvName,
        who: &LockOwner,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(HeldLock, Timestamp)> {
        let prefix = keys::locks(&self.catalog, env);
        for _ in 0..MAX_ATTEMPTS {
            // Read the time before the list. With a later time, a lock renewed after the list would
            // look expired.
            let now = self.clock.now();
            let keys = self.store.list(&prefix).await?;
            let before = lock::latest_state(&keys);
            let previous = match before.filter(|l| !l.released) {
                None => None,
                Some(latest) => match self.holder_of(&prefix, latest).await? {
                    // The object was removed since the list: other runs are active, so read again.
                    None => continue,
                    Some(holder) if now < holder.expires && !self.has_ended(&holder) => {
                        return Err(self.held_error(env, &holder));
                    }
                    Some(holder) => Some(holder),
                },
            };
            let generation = before.map_or(0, |l| l.generation) + 1;
            let Some(expires) = self.create_generation(&prefix, generation, who).await? else {
                continue;
            };
            if let Some(previous) = previous {
                let why = match self.has_ended(&previous) {
                    true => "whose process has ended".to_owned(),
                    false => format!(
                        "whose lease expired at {} without a renewal",
                        previous.expires
                    ),
                };
                if previous.run != who.run {
                    say(&format!(
                        "took over the lock of {env} from {}, {why}",
                        previous.describe()
                    ));
                }
            }
            self.delete_stale(&prefix).await;
            return Ok((
                HeldLock {
                    env: env.clone(),
                    prefix,
                    generation,
                    run: who.run.clone(),
                    renewals: 0,
                },
                expires,
            ));
        }
        Err(Error::new(
            ErrorKind::Refused,
            format!("the lock of {env} could not be acquired: other runs keep acquiring it"),
        )
        .hint("nothing was changed; run again"))
    }

    /// Creates the object of a new lock generation. Returns its expiry, or `None` if another run
    /// was faster.
    async fn create_generation(
        &self,
        prefix: &str,
        generation: u64,
        who: &LockOwner,
    ) -> Result<Option<Timestamp>> {
        let (since, expires) = (self.clock.now(), self.next_expiry());
        let LockOwner {
            run,
            caller,
            host,
            pid,
            process,
            job,
        } = who.clone();
        let text = to_json(&LockHolder {
            generation,
            run,
            caller,
            host,
            pid,
            process,
            job,
            since,
            expires,
        });
        let key = lock::generation_key(prefix, generation);
        // A retried create, after a lost response, finds its own object.
        if !self.store.create(&key, &text).await?
            && self.store.get(&key).await?.as_ref() != Some(&text)
        {
            return Ok(None);
        }
        // If the run was suspended between list and create, the generation may be old and deleted
        // already.
        let latest = lock::latest_state(&self.store.list(prefix).await?);
        Ok(latest
            .filter(|l| l.generation == generation && !l.released)
            .map(|_| expires))
    }

    /// Returns the run that acquired a generation, if its object exists and is readable.
    async fn generation_owner(
        &self,
        prefix: &str,
        generation: u64,
    ) -> StoreResult<Option<LockHolder>> {
        let bytes = self
            .store
            .get(&lock::generation_key(prefix, generation))
            .await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Returns the holder of a generation with its last expiry, or `None` if its object was
    /// removed.
    async fn holder_of(&self, prefix: &str, latest: LockStatus) -> Result<Option<LockHolder>> {
        let key = lock::generation_key(prefix, latest.generation);
        let Some(bytes) = self.store.get(&key).await? else {
            return Ok(None);
        };
        let unreadable = |key: &str, e: serde_json::Error| {
            let text = format!(
                "{}/{key} is not a lock that this version of bakeline can read",
                self.store.location()
            );
            Error::new(ErrorKind::Refused, text).because(e).hint(
                "use a newer version of bakeline, or open the object to see which run created it",
            )
        };
        let mut holder: LockHolder =
            serde_json::from_slice(&bytes).map_err(|e| unreadable(&key, e))?;
        if latest.renewal > 0 {
            let key = lock::renewal_key(prefix, latest.generation, latest.renewal);
            let Some(bytes) = self.store.get(&key).await? else {
                return Ok(None);
            };
            let renewal: Renewal =
                serde_json::from_slice(&bytes).map_err(|e| unreadable(&key, e))?;
            holder.expires = renewal.expires;
        }
        Ok(Some(holder))
    }

    fn held_error(&self, env: &EnvName, holder: &LockHolder) -> Error {
        let text = format!(
            "the lock of {env} in catalog `{}` is held since {} until {} by {}",
            self.catalog,
            holder.since,
            holder.expires,
            holder.describe()
        );
        Error::new(ErrorKind::Refused, text)
            .hint("nothing was changed; wait for that run to end, or for the lock to expire")
            .hint(format!(
                "if the run is dead, continue it with `bakeline resume {}` after the lock has expired, \
                 or release its lock with `bakeline unlock --env {env} --force`",
                holder.run
            ))
    }

    /// Deletes old lock objects. Errors of the store are ignored.
    async fn delete_stale(&self, prefix: &str) {
        let Ok(keys) = self.store.list(prefix).await else {
            return;
        };
        for key in lock::stale_keys(&keys) {
            let _deleted = self.store.delete(&key).await;
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
