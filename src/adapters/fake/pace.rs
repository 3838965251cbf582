//! Implements the rates and durations of AWS on a fake cloud, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::VirtualClock;
use crate::model::{AmiId, Region};

/// Size and refill per second of a token bucket.
type Rate = (f64, f64);

/// Token buckets and copies of all locations.
pub struct Pace {
    /// Clock of the test.
    pub(super) clock: Arc<VirtualClock>,
    copy: Duration,
    slots: usize,
    buckets: BTreeMap<(String, Region, &'static str), (f64, Duration)>,
    ready: BTreeMap<(String, Region), BTreeMap<AmiId, Duration>>,
}

impl Pace {
    /// Creates full buckets. A location performs `slots` copies at the same time, each of which takes
    /// `copy`.
    #[must_use]
    pub fn new(clock: Arc<VirtualClock>, copy: Duration, slots: usize) -> Self {
        Self {
            clock,
            copy,
            slots,
            buckets: BTreeMap::new(),
            ready: BTreeMap::new(),
        }
    }

    /// Returns the rate of the API actions behind a port method (Amazon EC2 Developer Guide, "Request
    /// throttling for the Amazon EC2 API"; AWS General Reference, "AWS Systems Manager endpoints and
    /// quotas").
    #[must_use]
    pub fn rate(action: &str) -> Rate {
        match action {
            "copy_image" => (100.0, 1.0),
            "dry_run_launch" | "launch" => (5.0, 2.0),
            "tag" | "untag" => (100.0, 10.0),
            "share" | "deregister" => (100.0, 5.0),
            "put_parameter" | "delete_parameter" => (3.0, 3.0),
            "parameter" => (40.0, 40.0),
            "images" | "sharing" | "instance" => (100.0, 20.0),
            _ => (50.0, 5.0),
        }
    }

    /// Takes a token, and returns the time until it is available. A client that limits its own rate
    /// waits for this time.
    pub(super) fn take(
        &mut self,
        account: &str,
        region: &Region,
        action: &'static str,
    ) -> Duration {
        let (size, refill) = Self::rate(action);
        let now = self.clock.elapsed();
        let key = (account.to_owned(), region.clone(), action);
        let (tokens, at) = self.buckets.entry(key).or_insert((size, now));
        *tokens = (*tokens + (now - *at).as_secs_f64() * refill).min(size) - 1.0;
        *at = now;
        Duration::from_secs_f64((-*tokens).max(0.0) / refill)
    }

    /// Returns whether a location has a free slot for a copy.
    pub(super) fn has_slot(&self, account: &str, region: &Region) -> bool {
        let now = self.clock.elapsed();
        let copies = self.ready.get(&(account.to_owned(), region.clone()));
        copies.is_none_or(|copies| copies.values().filter(|at| **at > now).count() < self.slots)
    }

    /// Starts a copy.
    pub(super) fn start(&mut self, account: &str, region: &Region, id: &AmiId) {
        let copies = self.ready.entry((account.to_owned(), region.clone()));
        copies
            .or_default()
            .insert(id.clone(), self.clock.elapsed() + self.copy);
    }

    /// Returns whether a copy is still in progress.
    pub(super) fn is_in_progress(&self, account: &str, region: &Region, id: &AmiId) -> bool {
        let copies = self.ready.get(&(account.to_owned(), region.clone()));
        copies.is_some_and(|copies| copies.get(id).is_some_and(|at| *at > self.clock.elapsed()))
    }
}
