//! Renews, checks and releases the locks that a run holds.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::guard::Guard;
use super::loss::LockLoss;
use super::{Locks, to_json};
use crate::lifecycle::lock::{self, Renewal};
use crate::model::{EnvName, RunId, Timestamp};
use crate::ports::StoreError;

/// Lock of one environment that this run holds.
#[derive(Debug, Clone)]
pub(super) struct HeldLock {
    pub(super) env: EnvName,
    pub(super) prefix: String,
    pub(super) generation: u64,
    pub(super) run: RunId,
    pub(super) renewals: u64,
}

struct State {
    locks_held: Vec<HeldLock>,
    expires: Timestamp,
    lost: Option<LockLoss>,
}

/// Locks that a run holds. Dropping the value does not release them: call [`HeldLocks::release`].
pub struct HeldLocks {
    locks: Locks,
    state: Mutex<State>,
    lost: CancellationToken,
    /// Allows one renewal or release at a time.
    writing: tokio::sync::Mutex<()>,
}

impl HeldLocks {
    pub(super) fn empty(locks: Locks) -> Self {
        let state = State {
            locks_held: Vec::new(),
            expires: locks.next_expiry(),
            lost: None,
        };
        Self {
            locks,
            state: Mutex::new(state),
            lost: CancellationToken::new(),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn add(&self, locks_held: HeldLock, expires: Timestamp) {
        let mut state = self.state();
        state.expires = state.expires.min(expires);
        state.locks_held.push(locks_held);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns the environments whose locks are held.
    #[must_use]
    pub fn envs(&self) -> Vec<EnvName> {
        self.state()
            .locks_held
            .iter()
            .map(|m| m.env.clone())
            .collect()
    }

    /// Returns the generations of the locks.
    #[cfg(test)]
    pub(super) fn generations(&self) -> Vec<u64> {
        self.state()
            .locks_held
            .iter()
            .map(|m| m.generation)
            .collect()
    }

    /// Records the loss. Returns the first recorded loss.
    fn record_loss(&self, loss: LockLoss) -> LockLoss {
        let first = self.state().lost.get_or_insert(loss).clone();
        self.lost.cancel();
        first
    }

    /// Renews the locks until they are lost or `stop` is cancelled.
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
            // A failed renewal is retried sooner, as long as the lease lasts.
            pause = match self.renew().await {
                Ok(()) => pace,
                Err(error) => {
                    tracing::warn!("the lock could not be renewed: {error}");
                    pace / 5
                }
            };
        }
    }

    /// Renews each lock once.
    ///
    /// # Errors
    /// Fails if the store fails. The locks remain held until they expire.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let _permit = self.writing.lock().await;
        let (locks_held, until) = {
            let state = self.state();
            (state.locks_held.clone(), state.expires)
        };
        if self.locks.clock.now() >= until - lock::safety_margin(self.locks.lease) {
            // After a suspension, the run that took over is reported if it can be read, not only
            // the expiry.
            let _reported = self.owns_latest().await;
            let _lost = self.check_expiry(until);
            return Ok(());
        }
        // A renewal of another run's generation would extend the lease of that run.
        if !self.owns_latest().await? {
            return Ok(());
        }
        let expires = self.locks.next_expiry();
        for (at, held) in locks_held.iter().enumerate() {
            let mut number = held.renewals;
            loop {
                number += 1;
                let key = lock::renewal_key(&held.prefix, held.generation, number);
                // The object exists if the response to an earlier attempt was lost. That one has an
                // earlier expiry.
                if self
                    .locks
                    .store
                    .create(&key, &to_json(&Renewal { expires }))
                    .await?
                {
                    break;
                }
            }
            self.state().locks_held[at].renewals = number;
        }
        // A renewal that was written too late does not count: another run may have seen the lock
        // expired.
        if self.check_expiry(until).is_ok() && self.owns_latest().await? {
            self.state().expires = expires;
        }
        Ok(())
    }

    /// Fails if the expiry is closer than the margin.
    fn check_expiry(&self, until: Timestamp) -> Result<(), LockLoss> {
        if self.locks.clock.now() < until - lock::safety_margin(self.locks.lease) {
            return Ok(());
        }
        Err(self.record_loss(LockLoss::Expired { until }))
    }

    /// Returns whether this run holds the latest generation of every lock. The number alone is not
    /// enough: after the store was emptied, another run may have acquired the same one.
    async fn owns_latest(&self) -> Result<bool, StoreError> {
        let locks_held = self.state().locks_held.clone();
        for held in locks_held {
            let latest = lock::latest_state(&self.locks.store.list(&held.prefix).await?);
            let holder = match latest {
                Some(latest) => {
                    self.locks
                        .generation_owner(&held.prefix, latest.generation)
                        .await?
                }
                None => None,
            };
            let env = held.env.clone();
            let loss = match (latest, holder) {
                (Some(latest), Some(holder)) if holder.run == held.run && !latest.released => {
                    continue;
                }
                (Some(_), Some(holder)) if holder.run == held.run => LockLoss::Released { env },
                (_, Some(holder)) => LockLoss::TakenOver {
                    env,
                    holder: Box::new(holder),
                },
                (Some(_), None) => LockLoss::Unreadable { env },
                (None, None) => LockLoss::Removed { env },
            };
            self.record_loss(loss);
            return Ok(false);
        }
        Ok(true)
    }

    /// Releases all locks, the last acquired first. A lock that cannot be released expires; `say`
    /// receives a warning.
    pub async fn release(&self, say: &(dyn Fn(&str) + Send + Sync)) {
        let _permit = self.writing.lock().await;
        let locks_held = std::mem::take(&mut self.state().locks_held);
        for held in locks_held.into_iter().rev() {
            let taken = self
                .locks
                .generation_owner(&held.prefix, held.generation)
                .await;
            if taken.is_ok_and(|holder| holder.is_none_or(|holder| holder.run != held.run)) {
                continue; // Held by another run, or already removed.
            }
            let key = lock::release_key(&held.prefix, held.generation);
            let text = format!("{{\"ended\": \"{}\"}}\n", self.locks.clock.now());
            if let Err(error) = self.locks.store.create(&key, text.as_bytes()).await {
                say(&format!(
                    "warning: the lock of {} could not be released and will expire: {error}",
                    held.env
                ));
            }
        }
    }
}

#[async_trait]
impl Guard for HeldLocks {
    /// Reads the latest generation of each lock again. An unreachable store is not a loss while the
    /// lease lasts, because no run takes over before it ends.
    async fn check(&self) -> Result<(), LockLoss> {
        if let Some(why) = self.lock_loss() {
            return Err(why);
        }
        if let Err(error) = self.owns_latest().await {
            tracing::warn!("the lock could not be checked: {error}");
        }
        if let Some(why) = self.lock_loss() {
            return Err(why);
        }
        let until = self.state().expires;
        self.check_expiry(until)
    }

    fn lock_loss(&self) -> Option<LockLoss> {
        self.state().lost.clone()
    }

    async fn wait_for_lock_loss(&self) {
        self.lost.cancelled().await;
    }
}
