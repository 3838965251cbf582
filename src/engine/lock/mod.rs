//! Owns taking the lock of each environment: one run at a time for a catalog's environment.

mod held;
#[cfg(test)]
mod tests;
mod unlock;

use std::sync::Arc;

use jiff::SignedDuration;

use crate::error::{Error, Kind, Result};
use crate::evidence::keys;
use crate::lifecycle::lock::{self, LockHolder, LockStatus, Renewal};
use crate::model::{CatalogName, EnvName, ProcessIdentity, RunId, Timestamp};
use crate::ports::{Clock, Processes, Store, StoreResult};
pub use held::Held;
use held::Mine;
pub use unlock::{LockState, Released};

/// How often taking is tried again when others take and give back meanwhile.
const TRIES: usize = 5;

/// Who takes a lock.
#[derive(Debug, Clone)]
pub struct Who {
    /// The run.
    pub run: RunId,
    /// The caller's ARN.
    pub caller: String,
    /// This machine's name.
    pub host: String,
    /// This process.
    pub pid: u32,
    /// The identity of this process, where the machine can tell it.
    pub process: Option<ProcessIdentity>,
    /// The CI job's page.
    pub job: Option<String>,
}

/// What taking, keeping and giving back need.
#[derive(Clone)]
pub struct Locks {
    /// Where the locks are.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The processes of this machine: a holder among them that has ended holds nothing.
    pub processes: Arc<dyn Processes>,
    /// Whose locks.
    pub catalog: CatalogName,
    /// For how long one is held without a sign of life.
    pub lease: SignedDuration,
}

impl Locks {
    /// Takes the lock of each environment, in this order; `say` hears of takeovers.
    ///
    /// # Errors
    /// Refused when somebody holds one (those taken before are given back); what the store said.
    pub async fn acquire(
        &self,
        envs: &[EnvName],
        who: &Who,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Held> {
        let held = Held::none(self.clone());
        for env in envs {
            match self.take(env, who, say).await {
                Ok((mine, expires)) => held.add(mine, expires),
                Err(error) => {
                    held.release(say).await;
                    return Err(error);
                }
            }
        }
        Ok(held)
    }

    /// Who holds the locks of these environments now.
    ///
    /// # Errors
    /// What the store said; a lock that can't be read.
    pub async fn holders(&self, envs: &[EnvName]) -> Result<Vec<LockHolder>> {
        let mut out = Vec::new();
        for env in envs {
            let prefix = keys::locks(&self.catalog, env);
            let latest =
                lock::latest_state(&self.store.list(&prefix).await?).filter(|l| !l.released);
            let Some(latest) = latest else { continue };
            let holder = self.holder(&prefix, latest).await?;
            out.extend(
                holder
                    .filter(|holder| self.clock.now() < holder.expires && !self.has_ended(holder)),
            );
        }
        Ok(out)
    }

    /// Returns whether the holder is certain to be dead: its process ran on this machine and has ended.
    fn has_ended(&self, holder: &LockHolder) -> bool {
        holder
            .process
            .as_ref()
            .is_some_and(|process| self.processes.has_ended(process))
    }

    fn expiry(&self) -> Timestamp {
        self.clock.now() + self.lease
    }

    async fn take(
        &self,
        env: &EnvName,
        who: &Who,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(Mine, Timestamp)> {
        let prefix = keys::locks(&self.catalog, env);
        for _ in 0..TRIES {
            // The time before the look: a sign of life given after it would not have been seen.
            let now = self.clock.now();
            let keys = self.store.list(&prefix).await?;
            let before = lock::latest_state(&keys);
            let gone = match before.filter(|l| !l.released) {
                None => None,
                Some(latest) => match self.holder(&prefix, latest).await? {
                    // Removed while we read: others are at work, look again.
                    None => continue,
                    Some(holder) if now < holder.expires && !self.has_ended(&holder) => {
                        return Err(self.held_by(env, &holder));
                    }
                    Some(holder) => Some(holder),
                },
            };
            let generation = before.map_or(0, |l| l.generation) + 1;
            let Some(expires) = self.create(&prefix, generation, who).await? else {
                continue;
            };
            if let Some(gone) = gone {
                let why = match self.has_ended(&gone) {
                    true => "whose process has ended".to_owned(),
                    false => format!("which gave no sign of life until {}", gone.expires),
                };
                say(&format!(
                    "took over the lock of {env} from {}, {why}",
                    gone.describe()
                ));
            }
            self.clean(&prefix).await;
            return Ok((
                Mine {
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
            Kind::Refused,
            format!("the lock of {env} changes hands too quickly to be taken"),
        )
        .hint("nothing was changed; run again"))
    }

    /// Creates a generation; its expiry, or none when somebody else was quicker.
    async fn create(&self, prefix: &str, generation: u64, who: &Who) -> Result<Option<Timestamp>> {
        let (since, expires) = (self.clock.now(), self.expiry());
        let Who {
            run,
            caller,
            host,
            pid,
            process,
            job,
        } = who.clone();
        let text = json(&LockHolder {
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
        // A create whose answer got lost is repeated and then finds its own object.
        if !self.store.create(&key, &text).await?
            && self.store.get(&key).await?.as_ref() != Some(&text)
        {
            return Ok(None);
        }
        // Who was suspended between looking and creating may have created what is long past, and was cleaned away.
        let now = lock::latest_state(&self.store.list(prefix).await?);
        Ok(now
            .filter(|l| l.generation == generation && !l.released)
            .map(|_| expires))
    }

    /// Returns the run that took a generation, if its object is there and can be read.
    async fn taken(&self, prefix: &str, generation: u64) -> StoreResult<Option<LockHolder>> {
        let bytes = self
            .store
            .get(&lock::generation_key(prefix, generation))
            .await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The holder of a generation with its last expiry; none when its object is gone.
    async fn holder(&self, prefix: &str, latest: LockStatus) -> Result<Option<LockHolder>> {
        let key = lock::generation_key(prefix, latest.generation);
        let Some(bytes) = self.store.get(&key).await? else {
            return Ok(None);
        };
        let unreadable = |key: &str, e: serde_json::Error| {
            let text = format!(
                "{}/{key} is no lock that this bakeline can read",
                self.store.location()
            );
            Error::new(Kind::Refused, text)
                .because(e)
                .hint("look who holds it, or use a newer bakeline")
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

    fn held_by(&self, env: &EnvName, holder: &LockHolder) -> Error {
        let text = format!(
            "the lock of {env} in catalog `{}` is held since {} until {} by {}",
            self.catalog,
            holder.since,
            holder.expires,
            holder.describe()
        );
        Error::new(Kind::Refused, text)
            .hint("nothing was changed; wait for that run to end; if it is dead, its lock expires at the time above")
            .hint(format!("if you know that it is dead, release its lock with `bakeline unlock --env {env} --force`"))
    }

    /// Removes what is long past; a store that will not is no reason to stop.
    async fn clean(&self, prefix: &str) {
        let Ok(keys) = self.store.list(prefix).await else {
            return;
        };
        for tag_key in lock::stale_keys(&keys) {
            let _gone = self.store.delete(&tag_key).await;
        }
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
