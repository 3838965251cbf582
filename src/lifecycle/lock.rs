//! Owns what the objects of a lock mean: generations, signs of life, ends; who holds it, until when, and what may be removed.
//!
//! A lock is a row of create-only objects below one prefix: `000012.json` (a generation: whoever created it holds the
//! lock), `000012-000003.json` (its third sign of life, with a later expiry), `000012-end.json` (given back). Only the
//! latest generation counts. Two clocks are compared when a lock is taken over, the holder's and the taker's: a holder
//! stops by itself [`margin`] before its expiry, so clocks may differ by that much.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::{ProcessIdentity, RunId, Timestamp};

/// So many generations before the latest stay, for people who ask what happened.
const KEPT: u64 = 5;

/// One generation: who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Counts up; the latest holds.
    pub generation: u64,
    /// The run.
    pub run: RunId,
    /// Its caller's ARN.
    pub caller: String,
    /// The machine it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The process, where the machine can identify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
    /// The CI job's page, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When it took the lock.
    pub since: Timestamp,
    /// When it loses the lock without another sign of life.
    pub expires: Timestamp,
}

impl Holder {
    /// Who it is, for people.
    #[must_use]
    pub fn who(&self) -> String {
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

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The new expiry.
    pub expires: Timestamp,
}

/// What the names of a lock's objects say of its latest generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    /// The generation.
    pub generation: u64,
    /// Its last sign of life; 0 when there was none after the first.
    pub renewal: u64,
    /// Whether it was given back.
    pub ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Taken(u64),
    Renewed(u64, u64),
    Ended(u64),
}

fn name(key: &str) -> Option<Name> {
    let stem = key.rsplit('/').next()?.strip_suffix(".json")?;
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    match stem.split_once('-') {
        None => Some(Name::Taken(number(stem)?)),
        Some((generation, "end")) => Some(Name::Ended(number(generation)?)),
        Some((generation, renewal)) => Some(Name::Renewed(number(generation)?, number(renewal)?)),
    }
}

fn generation(name: Name) -> u64 {
    match name {
        Name::Taken(g) | Name::Renewed(g, _) | Name::Ended(g) => g,
    }
}

/// The latest generation among the keys below a lock's prefix.
#[must_use]
pub fn latest(keys: &[String]) -> Option<Latest> {
    let names = || keys.iter().filter_map(|k| name(k));
    let newest = names().map(generation).max()?;
    let mut out = Latest {
        generation: newest,
        renewal: 0,
        ended: false,
    };
    for name in names() {
        match name {
            Name::Renewed(g, n) if g == newest => out.renewal = out.renewal.max(n),
            Name::Ended(g) if g == newest => out.ended = true,
            _ => {}
        }
    }
    Some(out)
}

/// The keys of generations so old that nobody asks for them any more.
#[must_use]
pub fn stale(keys: &[String]) -> Vec<String> {
    let Some(latest) = latest(keys) else {
        return Vec::new();
    };
    let old = |key: &&String| name(key).is_some_and(|n| generation(n) + KEPT < latest.generation);
    keys.iter().filter(old).cloned().collect()
}

/// The key of a generation.
#[must_use]
pub fn taken_key(prefix: &str, generation: u64) -> String {
    format!("{prefix}/{generation:06}.json")
}

/// The key of a generation's `number`-th sign of life.
#[must_use]
pub fn renewed_key(prefix: &str, generation: u64, number: u64) -> String {
    format!("{prefix}/{generation:06}-{number:06}.json")
}

/// The key that says that a generation was given back.
#[must_use]
pub fn ended_key(prefix: &str, generation: u64) -> String {
    format!("{prefix}/{generation:06}-end.json")
}

/// How long before its expiry a holder stops by itself: what clocks may differ by, and what a call under way may take.
#[must_use]
pub fn margin(lease: SignedDuration) -> SignedDuration {
    lease / 4
}

/// How often a holder gives a sign of life.
#[must_use]
pub fn pace(lease: SignedDuration) -> SignedDuration {
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
    fn the_latest_generation_counts_whatever_else_lies_there() {
        assert_eq!(latest(&[]), None);
        assert_eq!(
            latest(&keys(&["notes", "x-end", "-1", "+1", "1-2-3"])),
            None
        );
        let one = Latest {
            generation: 2,
            renewal: 0,
            ended: false,
        };
        assert_eq!(
            latest(&keys(&["000001", "000001-000007", "000001-end", "000002"])),
            Some(one)
        );
        let renewed = Latest { renewal: 10, ..one };
        assert_eq!(
            latest(&keys(&["000002-000009", "000002-000010", "000002"])),
            Some(renewed)
        );
        assert_eq!(
            latest(&keys(&["000002", "000002-end"])),
            Some(Latest { ended: true, ..one })
        );
        let large = Latest {
            generation: 1_000_000,
            ..one
        };
        assert_eq!(
            latest(&keys(&["999999", "1000000"])),
            Some(large),
            "by number, not by name"
        );
    }

    #[test]
    fn only_generations_long_past_are_stale() {
        let all: Vec<String> = (1..=9)
            .flat_map(|g| [taken_key("l", g), renewed_key("l", g, 1), ended_key("l", g)])
            .collect();
        let gone = stale(&all);
        assert_eq!(gone.len(), 9, "{gone:?}");
        assert!(
            gone.iter().all(|k| ["l/000001", "l/000002", "l/000003"]
                .iter()
                .any(|g| k.starts_with(g))),
            "{gone:?}"
        );
        let left: Vec<String> = all.iter().filter(|k| !gone.contains(k)).cloned().collect();
        assert_eq!(latest(&left), latest(&all));
    }
}
