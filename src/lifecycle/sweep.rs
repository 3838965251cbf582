//! Owns what a sweep may remove: temporary things past their expiry or of a dead run, and nothing else.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lifecycle::tags;
use crate::model::{CatalogName, Region, RunId, State, Temporary, TemporaryKind, Timestamp};

/// What is known of a run from the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// Whether it holds a lock that has not expired.
    pub alive: bool,
    /// The names of the AMIs it set out to build, with why one that has no tags must stay. Packer tags an AMI last, so that
    /// a build which began and never finished may have left one without tags: only then is there no reason.
    pub amis: BTreeMap<String, Option<String>>,
}

/// What is known and wished when deciding.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// Whose things.
    pub catalog: &'a CatalogName,
    /// The Region where builds make their AMIs, in the builder's own account.
    pub home: &'a Region,
    /// Now.
    pub now: Timestamp,
    /// The runs the store knows.
    pub runs: &'a BTreeMap<RunId, RunFacts>,
    /// By the id of an AMI without tags, what refers to it, or why that is not known.
    pub referred: &'a BTreeMap<String, String>,
    /// Whether to take what old Packer versions leave without tags: only its name and age say what it is.
    pub packer: bool,
}

/// The decision about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// The thing.
    pub thing: Temporary,
    /// Whether it goes.
    pub remove: bool,
    /// Why.
    pub because: String,
}

/// How old a thing of Packer's without tags must be: no build of anybody takes a day.
const PACKER_HOURS: i64 = 24;

impl Sweep<'_> {
    /// Decides about every thing that is this catalog's, or that Packer may have left; in the order of removal.
    #[must_use]
    pub fn decide(&self, things: &[Temporary]) -> Vec<Leftover> {
        let mut out: Vec<Leftover> = things.iter().filter_map(|thing| self.ask(thing)).collect();
        out.sort_by(|a, b| {
            let key = |l: &Leftover| {
                (
                    l.thing.kind,
                    l.thing.region.clone(),
                    l.thing.account.clone(),
                    l.thing.id.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        out
    }

    fn ask(&self, thing: &Temporary) -> Option<Leftover> {
        let answer = match thing.tags.get(tags::CATALOG) {
            Some(name) if name == self.catalog.as_str() => self.ours(thing)?,
            Some(_) => return None,
            None => self.untagged(thing)?,
        };
        let (remove, because) = answer;
        Some(Leftover {
            thing: thing.clone(),
            remove,
            because,
        })
    }

    /// A thing with this catalog's tag; what has no expiry is not temporary.
    fn ours(&self, thing: &Temporary) -> Option<(bool, String)> {
        let expires = thing.tags.get(tags::EXPIRES)?;
        if thing.used && matches!(thing.kind, TemporaryKind::Snapshot | TemporaryKind::Volume) {
            return None; // It goes with the AMI or the instance that has it.
        }
        if thing.tags.get(tags::SELF).is_some_and(|id| *id != thing.id)
            && thing.kind == TemporaryKind::Image
        {
            return None; // A copy made by hand, with the tags of a candidate.
        }
        let released = [
            State::Released,
            State::Held,
            State::Revoked,
            State::Retiring,
        ]
        .map(State::as_str);
        if thing.kind == TemporaryKind::Image
            && thing
                .tags
                .get(tags::STATE)
                .is_some_and(|state| released.contains(&state.as_str()))
        {
            return None;
        }
        let run = RunId(thing.tags.get(tags::RUN).cloned().unwrap_or_default());
        Some(match (self.runs.get(&run), expires.parse::<Timestamp>()) {
            (Some(facts), _) if facts.alive => (false, format!("run {run} is alive")),
            (_, Ok(expires)) if expires <= self.now => (true, format!("expired at {expires}")),
            (Some(_), _) if thing.tags.contains_key(tags::KEPT) => (
                false,
                format!("kept for a look until {expires} (--keep-failed)"),
            ),
            (Some(_), _) => (true, format!("run {run} is over")),
            (None, Ok(expires)) => (
                false,
                format!("run {run} is not known here, and it expires only at {expires}"),
            ),
            (None, Err(_)) => (
                false,
                format!("`{}` is {expires:?}, which is no time", tags::EXPIRES),
            ),
        })
    }

    fn untagged(&self, thing: &Temporary) -> Option<(bool, String)> {
        if thing.kind == TemporaryKind::Image {
            return self.bare(thing);
        }
        let made = packer_time(&thing.name).filter(|_| {
            matches!(
                thing.kind,
                TemporaryKind::KeyPair | TemporaryKind::SecurityGroup
            )
        })?;
        let hours = (self.now.as_second() - made.as_second()) / 3600;
        Some(if thing.used {
            (false, "Packer's, by its name, and in use".to_owned())
        } else if hours < PACKER_HOURS {
            (
                false,
                format!("Packer's, by its name, and made {hours} hours ago"),
            )
        } else if self.packer {
            (
                true,
                format!(
                    "Packer's, by its name, made {} days ago and not in use",
                    hours / 24
                ),
            )
        } else {
            (
                false,
                format!(
                    "Packer's, by its name, made {} days ago: --packer-leftovers takes it",
                    hours / 24
                ),
            )
        })
    }
}

impl Sweep<'_> {
    /// An AMI without any tag, known by its name alone. Only what its own build left may go, and that is at one location; anybody
    /// can give a copy elsewhere the same name, or take the tags of a good AMI away.
    fn bare(&self, thing: &Temporary) -> Option<(bool, String)> {
        if !thing.tags.is_empty() || thing.account.is_some() || thing.region != *self.home {
            return None;
        }
        let (run, facts, why) = self
            .runs
            .iter()
            .find_map(|(run, facts)| facts.amis.get(&thing.name).map(|why| (run, facts, why)))?;
        Some(if facts.alive {
            (false, format!("run {run} is alive"))
        } else if let Some(why) = why {
            (false, format!("it has no tags, but {why}"))
        } else if let Some(used) = self.referred.get(&thing.id) {
            (false, format!("it has no tags, but {used}"))
        } else {
            (
                true,
                format!("run {run} was building it when it died, so it has no tags"),
            )
        })
    }
}

/// When Packer made a thing of this name. `packer_<uuid>`: the first eight digits are the time in seconds (Packer SDK,
/// `TimeOrderedUUID`).
fn packer_time(name: &str) -> Option<Timestamp> {
    let uuid = name.strip_prefix("packer_")?;
    let digits = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    };
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    if lengths != [8, 4, 4, 4, 12] || !uuid.split('-').all(digits) {
        return None;
    }
    Timestamp::from_second(i64::from_str_radix(&uuid[..8], 16).ok()?).ok()
}
