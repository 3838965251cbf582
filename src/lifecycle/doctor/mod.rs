//! Owns what is wrong with the tags and pointers of all locations, and the repair of each: pure, from one gathered inventory.

mod repairs;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::{Environment, Settings};
use crate::lifecycle::current::Current;
use crate::lifecycle::{Record, current, locations, revoke, rung, tags};
use crate::model::{
    AmiId, Arch, EnvName, ImageName, Inventory, Location, State, Tags, Temporary, Version,
};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where.
    #[serde(rename = "place")]
    pub location: String,
    /// What, with ids and names.
    pub what: String,
    /// What a person does about it; none is repaired by `doctor --apply`.
    pub by_hand: Option<String>,
    /// Whether it can't be made good any more, by anybody: worth knowing, nothing to do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// One effect that mends something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// Set tags of an AMI; an empty value removes one.
    Mark {
        location: Location,
        ami: AmiId,
        image: ImageName,
        before: Tags,
        tags: Tags,
    },
    /// Make the pointer say what the tags say.
    Publish {
        location: Location,
        image: ImageName,
        pointer: String,
        ami: AmiId,
    },
    /// Remove the permission to copy an AMI that a run gave to another account and never removed.
    Unshare {
        location: Location,
        permission: Temporary,
    },
    /// Delete a pointer that has nothing to point at.
    Unpublish { location: Location, pointer: String },
}

/// What was found, and what mends it, in the order to do it.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What mends it.
    pub repairs: Vec<Repair>,
}

/// An AMI with the tags it should have.
#[derive(Clone)]
struct Patient<'a> {
    record: Record<'a>,
    location: Location,
    /// Environments that are found to be rolled back from it, with the time of the rollback.
    rolled_back: Current,
}

/// Examines all locations. Two that say they are current: the later wins; a loser that is newer was being rolled back, one
/// that is older was being replaced. Of different states of one version the strictest holds.
#[must_use]
pub fn examine(settings: &Settings, inventory: &Inventory) -> Diagnosis {
    let records = Record::all(&inventory.images, &settings.name);
    let patients = records.iter().map(|r| Patient {
        record: r.clone(),
        location: locations::of_ami(r.ami, &inventory.account),
        rolled_back: current::parse(r.tag(tags::ROLLED_BACK)),
    });
    let mut doctor = Doctor {
        settings,
        inventory,
        patients: patients.collect(),
        findings: BTreeSet::new(),
    };
    doctor.states();
    let heights: Vec<Option<usize>> = doctor
        .patients
        .iter()
        .map(|p| rung::reached(settings, &p.record))
        .collect();
    let mut heights: BTreeMap<AmiId, Option<usize>> = doctor
        .patients
        .iter()
        .map(|p| p.record.ami.id.clone())
        .zip(heights)
        .collect();
    doctor.withdrawn(&mut heights);
    doctor.rivals(&mut heights);
    // What was found to be rolled back is held at all locations.
    doctor.states();
    doctor.too_low(&mut heights);
    let mut repairs = doctor.marks(&heights);
    repairs.extend(doctor.pointers());
    repairs.extend(doctor.copy_permissions());
    doctor.locations();
    Diagnosis {
        findings: doctor.findings.into_iter().collect(),
        repairs,
    }
}

type Heights = BTreeMap<AmiId, Option<usize>>;

struct Doctor<'s, 'w> {
    settings: &'s Settings,
    inventory: &'w Inventory,
    patients: Vec<Patient<'w>>,
    findings: BTreeSet<Finding>,
}

fn strictness(state: State) -> u8 {
    match state {
        State::Revoked => 2,
        State::Held => 1,
        _ => 0,
    }
}

impl<'w> Doctor<'_, 'w> {
    fn find(&mut self, location: &Location, what: String, by_hand: Option<String>) {
        self.findings.insert(Finding {
            location: location.to_string(),
            what,
            by_hand,
            lost: false,
        });
    }

    /// The strictest state of a version's copies holds for all, and a revoked version's children are revoked.
    fn states(&mut self) {
        loop {
            let mut strictest: BTreeMap<(ImageName, Arch, Version), State> = BTreeMap::new();
            for Patient { record, .. } in &self.patients {
                let key = (record.image.clone(), record.arch, record.version);
                let now = strictest.entry(key).or_insert(record.state);
                if strictness(record.state) > strictness(*now) {
                    *now = record.state;
                }
            }
            let revoked: BTreeSet<(ImageName, Version)> = strictest
                .iter()
                .filter(|(_, s)| **s == State::Revoked)
                .map(|((image, _, version), _)| (image.clone(), *version))
                .collect();
            let wrong =
                self.patients
                    .iter()
                    .enumerate()
                    .find_map(|(index, Patient { record, .. })| {
                        if !matches!(record.state, State::Released | State::Held) {
                            return None;
                        }
                        let own = strictest[&(record.image.clone(), record.arch, record.version)];
                        let orphan = record.parent.as_ref().is_some_and(|p| revoked.contains(p));
                        let wanted = if orphan { State::Revoked } else { own };
                        (strictness(wanted) > strictness(record.state))
                            .then_some((index, wanted, orphan))
                    });
            let Some((index, wanted, orphan)) = wrong else {
                return;
            };
            let patient = &mut self.patients[index];
            let record = &mut patient.record;
            let why = if orphan {
                "its layer parent is revoked"
            } else {
                "elsewhere it is stricter"
            };
            let what = format!(
                "{} {} ({}) is {}, but {why}: it becomes {}",
                record.image,
                record.version,
                record.ami.id,
                record.state.as_str(),
                wanted.as_str()
            );
            record.state = wanted;
            let location = patient.location.clone();
            self.find(&location, what, None);
        }
    }

    /// A revoked version is nowhere current and on no rung; what it was current for goes back.
    fn withdrawn(&mut self, heights: &mut Heights) {
        for index in 0..self.patients.len() {
            let Patient {
                record, location, ..
            } = self.patients[index].clone();
            let height = heights.get(&record.ami.id).copied().flatten();
            if record.state != State::Revoked || (record.current.is_empty() && height.is_none()) {
                continue;
            }
            for env in record.current.keys() {
                let here: Vec<Record<'w>> = self
                    .patients
                    .iter()
                    .filter(|p| p.location == location)
                    .map(|p| p.record.clone())
                    .collect();
                let instead = revoke::instead(self.settings, &here, &record, env, &|_| false);
                let Some(to) = instead
                    .filter(|r| !r.current.contains_key(env))
                    .map(|r| r.ami.id.clone())
                else {
                    continue;
                };
                let since = record
                    .current
                    .get(env)
                    .map_or(self.inventory.taken, |s| self.inventory.taken.max(*s));
                if let Some(heir) = self
                    .patients
                    .iter_mut()
                    .find(|p| p.location == location && p.record.ami.id == to)
                {
                    heir.record.current.insert(env.clone(), since);
                }
            }
            let envs: Vec<&str> = record.current.keys().map(EnvName::as_str).collect();
            let what = match envs.as_slice() {
                [] => {
                    format!(
                        "{} {} ({}) is revoked, but still on a rung",
                        record.image, record.version, record.ami.id
                    )
                }
                some => format!(
                    "{} {} ({}) is revoked, but still current in {}",
                    record.image,
                    record.version,
                    record.ami.id,
                    some.join(", ")
                ),
            };
            self.find(&location, what, None);
            self.patients[index].record.current = Current::new();
            heights.insert(record.ami.id.clone(), None);
        }
    }

    /// Of two that say they are current the later stays.
    fn rivals(&mut self, heights: &mut Heights) {
        for Environment { name: env, .. } in &self.settings.environments {
            for index in 0..self.patients.len() {
                let Patient {
                    record, location, ..
                } = self.patients[index].clone();
                if !record.usable() || !record.current.contains_key(env) {
                    continue;
                }
                let winner = self.holder(&location, &record.image, record.arch, env);
                let winner =
                    winner.and_then(|w| Some((w.ami.id.clone(), w.version, *w.current.get(env)?)));
                let Some((id, version, since)) = winner.filter(|(id, ..)| *id != record.ami.id)
                else {
                    continue;
                };
                let back = record.version > version;
                let cut = if back { "rollback" } else { "move" };
                let what = format!(
                    "{} {} ({}) still says that it is current in `{env}` beside {version} ({id}): an unfinished {cut}",
                    record.image, record.version, record.ami.id
                );
                if back {
                    let mut falling = record.clone();
                    falling.current.remove(env);
                    let height = heights.get(&record.ami.id).copied().flatten();
                    let rung = self.settings.rung(env);
                    let below = rung
                        .and_then(|r| r.checked_sub(1))
                        .and_then(|b| height.map(|h| h.min(b)));
                    heights.insert(
                        record.ami.id.clone(),
                        rung::highest(self.settings, &falling.current).max(below),
                    );
                    self.patients[index].record.state = State::Held;
                    // A repeated rollback recognizes by it that this one is complete.
                    self.patients[index].rolled_back.insert(env.clone(), since);
                }
                self.patients[index].record.current.remove(env);
                self.find(&location, what, None);
            }
        }
    }

    /// The environment tag names at least the highest rung where the version is current.
    fn too_low(&mut self, heights: &mut Heights) {
        for index in 0..self.patients.len() {
            let Patient {
                record, location, ..
            } = self.patients[index].clone();
            let wanted = rung::highest(self.settings, &record.current);
            let height = heights.get(&record.ami.id).copied().flatten();
            if wanted > height {
                let value = rung::value(self.settings, wanted);
                let key = &self.settings.environment_key;
                let what = format!(
                    "{} {} ({}) is current higher than its tag `{key}` says: {value}",
                    record.image, record.version, record.ami.id
                );
                self.find(&location, what, None);
                heights.insert(record.ami.id.clone(), wanted);
            }
        }
    }

    fn holder(
        &self,
        location: &Location,
        image: &ImageName,
        arch: Arch,
        env: &EnvName,
    ) -> Option<&Record<'w>> {
        let here = self
            .patients
            .iter()
            .filter(|p| p.location == *location)
            .map(|p| &p.record);
        let here = here.filter(|r| r.image == *image && r.arch == arch && r.usable());
        here.filter_map(|r| Some((*r.current.get(env)?, r.version, r)))
            .max_by_key(|(s, v, _)| (*s, *v))
            .map(|(.., r)| r)
    }
}
