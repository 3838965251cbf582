//! Interprets the objects of an environment lock in the store.
//!
//! A lock is a sequence of create-only objects below one prefix. `000012.json` is a generation: the
//! run that created it holds the lock. `000012-000003.json` is its third renewal, with a later
//! expiry. `000012-end.json` releases it. Only the latest generation counts. A run that takes over
//! a lock compares its own clock with the clock of the holder. A holder stops [`safety_margin`]
//! before its expiry, so the clocks may differ by that much.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::{ProcessIdentity, RunId, Timestamp};

/// Number of generations before the latest that are kept for debugging.
const KEPT_GENERATIONS: u64 = 5;

/// Holder of a lock: the content of one generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Number of the generation. The latest one holds the lock.
    pub generation: u64,
    /// Run that holds the lock.
    pub run: RunId,
    /// ARN of the caller.
    pub caller: String,
    /// Host name of the machine.
    pub host: String,
    /// Process ID on that machine.
    pub pid: u32,
    /// Identity of the process, if the platform provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
    /// URL of the CI job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Time when the run took the lock.
    pub since: Timestamp,
    /// Time when the lock expires without a renewal.
    pub expires: Timestamp,
}

impl LockHolder {
    /// Describes the holder for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let job = self
            .job
            .as_ref()
            .map_or_else(String::new, |job| format!(", {job}"));
        format!(
            "run {} of {} on {} (pid {}{job})",
            self.run, self.caller, self.host, self.pid
        )
    }
}

/// Renewal of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// New expiry time.
    pub expires: Timestamp,
}

/// State of the latest generation of a lock, derived from its object keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockStatus {
    /// Number of the generation.
    pub generation: u64,
    /// Number of its last renewal, or 0.
    pub renewal: u64,
    /// True if the holder released the lock.
    pub released: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockObject {
    Generation(u64),
    Renewal(u64, u64),
    Release(u64),
}

fn parse_key(key: &str) -> Option<LockObject> {
    let stem = key.rsplit('/').next()?.strip_suffix(".json")?;
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    match stem.split_once('-') {
        None => Some(LockObject::Generation(number(stem)?)),
        Some((generation, "end")) => Some(LockObject::Release(number(generation)?)),
        Some((generation, renewal)) => {
            Some(LockObject::Renewal(number(generation)?, number(renewal)?))
        }
    }
}

fn object_generation(name: LockObject) -> u64 {
    match name {
        LockObject::Generation(g) | LockObject::Renewal(g, _) | LockObject::Release(g) => g,
    }
}

/// Returns the state of the latest generation among the keys below a lock's prefix.
#[must_use]
pub fn latest_state(keys: &[String]) -> Option<LockStatus> {
    let names = || keys.iter().filter_map(|k| parse_key(k));
    let newest = names().map(object_generation).max()?;
    let mut out = LockStatus {
        generation: newest,
        renewal: 0,
        released: false,
    };
    for name in names() {
        match name {
            LockObject::Renewal(g, n) if g == newest => out.renewal = out.renewal.max(n),
            LockObject::Release(g) if g == newest => out.released = true,
            _ => {}
        }
    }
    Some(out)
}

/// Returns the keys of generations that are too old to be kept.
#[must_use]
pub fn stale_keys(keys: &[String]) -> Vec<String> {
    let Some(latest) = latest_state(keys) else {
        return Vec::new();
    };
    let old = |key: &&String| {
        parse_key(key).is_some_and(|n| object_generation(n) + KEPT_GENERATIONS < latest.generation)
    };
    keys.iter().filter(old).cloned().collect()
}

/// Returns the key of a generation.
#[must_use]
pub fn generation_key(prefix: &str, generation: u64) -> String {
    format!("{prefix}/{generation:06}.json")
}

/// Returns the key of a renewal of a generation.
#[must_use]
pub fn renewal_key(prefix: &str, generation: u64, number: u64) -> String {
    format!("{prefix}/{generation:06}-{number:06}.json")
}

/// Returns the key that marks a generation as released.
#[must_use]
pub fn release_key(prefix: &str, generation: u64) -> String {
    format!("{prefix}/{generation:06}-end.json")
}

/// Returns the time before its expiry at which a holder stops. It covers clock differences and a
/// call in progress.
#[must_use]
pub fn safety_margin(lease: SignedDuration) -> SignedDuration {
    lease / 4
}

/// Returns the interval between renewals.
#[must_use]
pub fn renewal_interval(lease: SignedDuration) -> SignedDuration {
    lease / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<String> {
        names
            .iter()
            .map(|n| format!("acme/locks/Test/{n}.json"))
            .collect()
    }

    #[test]
    fn latest_generation_ignores_invalid_keys() {
        assert_eq!(latest_state(&[]), None);
        assert_eq!(
            latest_state(&keys(&["notes", "x-end", "-1", "+1", "1-2-3"])),
            None
        );
        let one = LockStatus {
            generation: 2,
            renewal: 0,
            released: false,
        };
        assert_eq!(
            latest_state(&keys(&["000001", "000001-000007", "000001-end", "000002"])),
            Some(one)
        );
        let renewed = LockStatus { renewal: 10, ..one };
        assert_eq!(
            latest_state(&keys(&["000002-000009", "000002-000010", "000002"])),
            Some(renewed)
        );
        assert_eq!(
            latest_state(&keys(&["000002", "000002-end"])),
            Some(LockStatus {
                released: true,
                ..one
            })
        );
        let large = LockStatus {
            generation: 1_000_000,
            ..one
        };
        assert_eq!(
            latest_state(&keys(&["999999", "1000000"])),
            Some(large),
            "by number, not by name"
        );
    }

    #[test]
    fn stale_keys_are_older_than_kept_generations() {
        let all: Vec<String> = (1..=9)
            .flat_map(|g| {
                [
                    generation_key("l", g),
                    renewal_key("l", g, 1),
                    release_key("l", g),
                ]
            })
            .collect();
        let stale = stale_keys(&all);
        assert_eq!(stale.len(), 9, "{stale:?}");
        assert!(
            stale.iter().all(|k| ["l/000001", "l/000002", "l/000003"]
                .iter()
                .any(|g| k.starts_with(g))),
            "{stale:?}"
        );
        let kept: Vec<String> = all.iter().filter(|k| !stale.contains(k)).cloned().collect();
        assert_eq!(latest_state(&kept), latest_state(&all));
    }
}
