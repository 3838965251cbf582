//! Owns the locks that a run holds: signs of life, the look before each change, giving back.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Locks, json};
use crate::engine::fence::Guard;
use crate::lifecycle::lock::{self, Renewal};
use crate::model::{EnvName, RunId, Timestamp};
use crate::ports::StoreError;

/// One environment's lock that this run holds.
#[derive(Debug, Clone)]
pub(super) struct Mine {
    pub(super) env: EnvName,
    pub(super) prefix: String,
    pub(super) generation: u64,
    pub(super) run: RunId,
    pub(super) renewals: u64,
}

struct State {
    mine: Vec<Mine>,
    expires: Timestamp,
    lost: Option<String>,
}

/// The locks that a run holds. Dropping it gives nothing back: call [`Held::release`].
pub struct Held {
    locks: Locks,
    state: Mutex<State>,
    lost: CancellationToken,
    /// One sign of life or one giving back at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Held {
    pub(super) fn none(locks: Locks) -> Self {
        let state = State {
            mine: Vec::new(),
            expires: locks.expiry(),
            lost: None,
        };
        Self {
            locks,
            state: Mutex::new(state),
            lost: CancellationToken::new(),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn add(&self, mine: Mine, expires: Timestamp) {
        let mut state = self.state();
        state.expires = state.expires.min(expires);
        state.mine.push(mine);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The environments whose locks are held.
    #[must_use]
    pub fn envs(&self) -> Vec<EnvName> {
        self.state().mine.iter().map(|m| m.env.clone()).collect()
    }

    /// The generations of these locks.
    #[cfg(test)]
    pub(super) fn generations(&self) -> Vec<u64> {
        self.state().mine.iter().map(|m| m.generation).collect()
    }

    fn lose(&self, why: String) -> String {
        let why = self.state().lost.get_or_insert(why).clone();
        self.lost.cancel();
        why
    }

    /// Gives signs of life until the locks are lost or `stop` is cancelled.
    pub async fn keep_alive(&self, stop: &CancellationToken) {
        let pace = Duration::try_from(lock::renewal_interval(self.locks.lease))
            .unwrap_or(Duration::from_secs(60));
        let mut pause = pace;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.lost.cancelled() => return,
                () = self.locks.clock.sleep(pause) => {}
            }
            // What can't be written now is tried again sooner, as long as the lease lasts.
            pause = match self.renew().await {
                Ok(()) => pace,
                Err(error) => {
                    tracing::warn!("the lock could not be renewed: {error}");
                    pace / 5
                }
            };
        }
    }

    /// Gives one sign of life for each lock.
    ///
    /// # Errors
    /// What the store said; the locks are held until their expiry all the same.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let _one = self.writing.lock().await;
        let (mine, until) = {
            let state = self.state();
            (state.mine.clone(), state.expires)
        };
        if self.locks.clock.now() >= until - lock::safety_margin(self.locks.lease) {
            // A run that was suspended reports who took over, if that can be read, rather than that its time is up.
            let _reported = self.still_latest().await;
            let _lost = self.in_time(until);
            return Ok(());
        }
        // A sign of life next to another run's generation would prolong that run's lease.
        if !self.still_latest().await? {
            return Ok(());
        }
        let expires = self.locks.expiry();
        for (at, one) in mine.iter().enumerate() {
            let mut number = one.renewals;
            loop {
                number += 1;
                let key = lock::renewal_key(&one.prefix, one.generation, number);
                // There already: the answer to an earlier try got lost; that one says an earlier expiry.
                if self
                    .locks
                    .store
                    .create(&key, &json(&Renewal { expires }))
                    .await?
                {
                    break;
                }
            }
            self.state().mine[at].renewals = number;
        }
        // Written too late is not written: somebody may have seen the lock expired.
        if self.in_time(until).is_ok() && self.still_latest().await? {
            self.state().expires = expires;
        }
        Ok(())
    }

    /// Holds unless the expiry is nearer than the margin.
    fn in_time(&self, until: Timestamp) -> Result<(), String> {
        if self.locks.clock.now() < until - lock::safety_margin(self.locks.lease) {
            return Ok(());
        }
        Err(self.lose(format!(
            "the lock ran out: no sign of life could be given in time before {until} (was the process suspended, or the store away?)"
        )))
    }

    /// Returns whether every lock's latest generation is this run's. The generation alone does not tell: if the store was
    /// emptied, another run may have taken the same one.
    async fn still_latest(&self) -> Result<bool, StoreError> {
        let mine = self.state().mine.clone();
        for one in mine {
            let latest = lock::latest_state(&self.locks.store.list(&one.prefix).await?);
            let holder = match latest {
                Some(latest) => self.locks.taken(&one.prefix, latest.generation).await?,
                None => None,
            };
            let how = match (latest, holder) {
                (Some(latest), Some(holder)) if holder.run == one.run && !latest.released => {
                    continue;
                }
                (Some(_), Some(holder)) if holder.run == one.run => {
                    "it was released from outside, for example by `bakeline unlock`".to_owned()
                }
                (_, Some(holder)) => {
                    format!(
                        "it was taken over at {} by {}",
                        holder.since,
                        holder.describe()
                    )
                }
                (Some(_), None) => "its object cannot be read".to_owned(),
                (None, None) => "its objects were removed from the store".to_owned(),
            };
            self.lose(format!("the lock of {} is lost: {how}", one.env));
            return Ok(false);
        }
        Ok(true)
    }

    /// Gives all locks back, the last taken first. What can't be given back expires; `say` hears of it.
    pub async fn release(&self, say: &(dyn Fn(&str) + Send + Sync)) {
        let _one = self.writing.lock().await;
        let mine = std::mem::take(&mut self.state().mine);
        for one in mine.into_iter().rev() {
            let taken = self.locks.taken(&one.prefix, one.generation).await;
            if taken.is_ok_and(|holder| holder.is_none_or(|holder| holder.run != one.run)) {
                continue; // Another run's, or nothing.
            }
            let key = lock::release_key(&one.prefix, one.generation);
            let text = format!("{{\"ended\": \"{}\"}}\n", self.locks.clock.now());
            if let Err(error) = self.locks.store.create(&key, text.as_bytes()).await {
                say(&format!(
                    "warning: the lock of {} could not be given back and expires by itself: {error}",
                    one.env
                ));
            }
        }
    }
}

#[async_trait]
impl Guard for Held {
    /// Reads the latest generation of each lock again. A store that does not answer is no loss as long as the lease
    /// lasts: nobody takes over before it ends.
    async fn check(&self) -> Result<(), String> {
        if let Some(why) = self.lost() {
            return Err(why);
        }
        if let Err(error) = self.still_latest().await {
            tracing::warn!("the lock could not be read again: {error}");
        }
        if let Some(why) = self.lost() {
            return Err(why);
        }
        let until = self.state().expires;
        self.in_time(until)
    }

    fn lost(&self) -> Option<String> {
        self.state().lost.clone()
    }

    async fn until_lost(&self) {
        self.lost.cancelled().await;
    }
}
