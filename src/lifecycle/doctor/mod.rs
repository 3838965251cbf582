//! Finds inconsistent tags and pointers at all locations, and the repair for each.

mod repairs;
mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::{Environment, Settings};
use crate::lifecycle::current::Current;
use crate::lifecycle::{Record, current, level, locations, revoke, tags};
use crate::model::{
    AmiId, Arch, EnvName, ImageName, Inventory, Location, State, Tags, TemporaryResource, Version,
};

/// Inconsistency between tags, pointers and the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Discrepancy {
    /// Location, or the store.
    #[serde(rename = "place")]
    pub location: String,
    /// Description with IDs and names.
    #[serde(rename = "what")]
    pub description: String,
    /// Manual action, if `doctor --apply` cannot repair it.
    #[serde(rename = "by_hand")]
    pub manual_action: Option<String>,
    /// True for lost evidence that cannot be recreated. No action is needed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// Receivers of launch permissions, by environment.
pub type Receivers = BTreeMap<EnvName, Vec<String>>;

/// Repair of one discrepancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// Sets tags of an AMI. An empty value removes a tag.
    SetTags {
        location: Location,
        ami: AmiId,
        image: ImageName,
        before: Tags,
        tags: Tags,
    },
    /// Sets a pointer to the AMI that the tags name.
    Publish {
        location: Location,
        image: ImageName,
        pointer: String,
        ami: AmiId,
    },
    /// Sets a pointer in an account that launches a shared AMI.
    PublishShared {
        location: Location,
        image: ImageName,
        env: EnvName,
        pointer: String,
        ami: AmiId,
        previous: Option<AmiId>,
    },
    /// Allows the receivers of environments to launch a current AMI.
    AllowLaunch {
        location: Location,
        ami: AmiId,
        receivers: Receivers,
    },
    /// Removes launch permissions that an interrupted run left.
    DisallowLaunch {
        location: Location,
        ami: AmiId,
        receivers: Receivers,
    },
    /// Removes the copy permission that a run granted to another account and did not remove.
    Unshare {
        location: Location,
        permission: TemporaryResource,
    },
    /// Deletes a pointer for which no AMI is current.
    Unpublish { location: Location, pointer: String },
}

/// Discrepancies and their repairs, in the order in which to apply them.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// Discrepancies.
    pub discrepancies: Vec<Discrepancy>,
    /// Repairs.
    pub repairs: Vec<Repair>,
}

/// AMI with the tags that it should have.
#[derive(Clone)]
struct ImageRecord<'a> {
    record: Record<'a>,
    location: Location,
    /// Environments that were rolled back from this version, with the time of the rollback.
    rolled_back: Current,
}

/// Compares tags and pointers at all locations. If two AMIs are tagged as current, the later time
/// wins. If the loser is the newer version, it was being rolled back. If it is the older version, it
/// was being replaced. Of different states of one version the strictest applies.
#[must_use]
pub fn diagnose(
    settings: &Settings,
    is_in_catalog: &dyn Fn(&ImageName) -> bool,
    inventory: &Inventory,
) -> Diagnosis {
    let records = Record::read_all(&inventory.images, settings);
    let records = records.iter().map(|r| ImageRecord {
        record: r.clone(),
        location: locations::ami_location(r.ami, &inventory.account),
        rolled_back: current::parse(r.tag(tags::ROLLED_BACK)),
    });
    let mut doctor = Doctor {
        settings,
        is_in_catalog,
        inventory,
        records: records.collect(),
        discrepancies: BTreeSet::new(),
    };
    doctor.align_states();
    let levels: Vec<Option<usize>> = doctor
        .records
        .iter()
        .map(|p| level::reached_level(settings, &p.record))
        .collect();
    let mut levels: BTreeMap<AmiId, Option<usize>> = doctor
        .records
        .iter()
        .map(|p| p.record.ami.id.clone())
        .zip(levels)
        .collect();
    doctor.withdraw_revoked(&mut levels);
    doctor.resolve_conflicting_current(&mut levels);
    // A version that was rolled back is held at all locations.
    doctor.align_states();
    doctor.raise_environment_tags(&mut levels);
    let mut repairs = doctor.tag_repairs(&levels);
    repairs.extend(doctor.launch_repairs());
    repairs.extend(doctor.pointer_repairs());
    repairs.extend(doctor.permission_repairs());
    doctor.compare_locations();
    Diagnosis {
        discrepancies: doctor.discrepancies.into_iter().collect(),
        repairs,
    }
}

type ReachedLevels = BTreeMap<AmiId, Option<usize>>;

struct Doctor<'s, 'w> {
    settings: &'s Settings,
    /// Returns whether the catalog has an image, so that commands accept its name.
    is_in_catalog: &'s dyn Fn(&ImageName) -> bool,
    inventory: &'w Inventory,
    records: Vec<ImageRecord<'w>>,
    discrepancies: BTreeSet<Discrepancy>,
}

fn strictness(state: State) -> u8 {
    match state {
        State::Revoked => 2,
        State::Held => 1,
        _ => 0,
    }
}

/// Returns image, version and AMI ID for messages.
fn label(record: &Record<'_>) -> String {
    format!("{} {} ({})", record.image, record.version, record.ami.id)
}

impl<'w> Doctor<'_, 'w> {
    fn report(&mut self, location: &Location, description: String, manual_action: Option<String>) {
        self.discrepancies.insert(Discrepancy {
            location: location.to_string(),
            description,
            manual_action,
            lost: false,
        });
    }

    /// Applies the strictest state to all copies of a version, and revokes the children of revoked
    /// versions.
    fn align_states(&mut self) {
        loop {
            let mut strictest: BTreeMap<(ImageName, Arch, Version), State> = BTreeMap::new();
            for ImageRecord { record, .. } in &self.records {
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
                self.records
                    .iter()
                    .enumerate()
                    .find_map(|(index, ImageRecord { record, .. })| {
                        if !matches!(record.state, State::Released | State::Held) {
                            return None;
                        }
                        let own = strictest[&(record.image.clone(), record.arch, record.version)];
                        let parent_is_revoked =
                            record.parent.as_ref().is_some_and(|p| revoked.contains(p));
                        let expected = if parent_is_revoked {
                            State::Revoked
                        } else {
                            own
                        };
                        (strictness(expected) > strictness(record.state)).then_some((
                            index,
                            expected,
                            parent_is_revoked,
                        ))
                    });
            let Some((index, expected, parent_is_revoked)) = wrong else {
                return;
            };
            let image_record = &mut self.records[index];
            let record = &mut image_record.record;
            let why = if parent_is_revoked {
                "its parent is revoked"
            } else {
                "a copy has a stricter state"
            };
            let description = format!(
                "{} is {}, but {why}: it must be {}",
                label(record),
                record.state.as_str(),
                expected.as_str()
            );
            record.state = expected;
            let location = image_record.location.clone();
            self.report(&location, description, None);
        }
    }

    /// Removes revoked versions from all environments, and makes the replacements current.
    fn withdraw_revoked(&mut self, levels: &mut ReachedLevels) {
        for index in 0..self.records.len() {
            let ImageRecord {
                record, location, ..
            } = self.records[index].clone();
            let level = levels.get(&record.ami.id).copied().flatten();
            if record.state != State::Revoked || (record.current.is_empty() && level.is_none()) {
                continue;
            }
            for env in record.current.keys() {
                let here: Vec<Record<'w>> = self
                    .records
                    .iter()
                    .filter(|p| p.location == location)
                    .map(|p| p.record.clone())
                    .collect();
                let replacement =
                    revoke::find_replacement(self.settings, &here, &record, env, &|_| false);
                let Some(to) = replacement
                    .filter(|r| !r.current.contains_key(env))
                    .map(|r| r.ami.id.clone())
                else {
                    continue;
                };
                let since = record
                    .current
                    .get(env)
                    .map_or(self.inventory.captured_at, |s| {
                        self.inventory.captured_at.max(*s)
                    });
                if let Some(successor) = self
                    .records
                    .iter_mut()
                    .find(|p| p.location == location && p.record.ami.id == to)
                {
                    successor.record.current.insert(env.clone(), since);
                }
            }
            let envs: Vec<&str> = record.current.keys().map(EnvName::as_str).collect();
            let description = match envs.as_slice() {
                [] => format!("{} is revoked, but has an environment tag", label(&record)),
                envs => {
                    let envs = envs.join(", ");
                    format!(
                        "{} is revoked, but tagged as current in {envs}",
                        label(&record)
                    )
                }
            };
            self.report(&location, description, None);
            self.records[index].record.current = Current::new();
            levels.insert(record.ami.id.clone(), None);
        }
    }

    /// Keeps the later of two AMIs that are tagged as current.
    fn resolve_conflicting_current(&mut self, levels: &mut ReachedLevels) {
        for Environment { name: env, .. } in &self.settings.environments {
            for index in 0..self.records.len() {
                let ImageRecord {
                    record, location, ..
                } = self.records[index].clone();
                if !record.is_usable() || !record.current.contains_key(env) {
                    continue;
                }
                let winner = self.current_record(&location, &record.image, record.arch, env);
                let winner =
                    winner.and_then(|w| Some((w.ami.id.clone(), w.version, *w.current.get(env)?)));
                let Some((id, version, since)) = winner.filter(|(id, ..)| *id != record.ami.id)
                else {
                    continue;
                };
                let is_rollback = record.version > version;
                let operation = if is_rollback { "rollback" } else { "move" };
                let description = format!(
                    "{} and {version} ({id}) are both tagged as current in `{env}`: an interrupted {operation}",
                    label(&record)
                );
                if is_rollback {
                    let mut without_env = record.clone();
                    without_env.current.remove(env);
                    let level = levels.get(&record.ami.id).copied().flatten();
                    let env_level = self.settings.environment_level(env);
                    let below = env_level
                        .and_then(|r| r.checked_sub(1))
                        .and_then(|b| level.map(|h| h.min(b)));
                    levels.insert(
                        record.ami.id.clone(),
                        level::highest_current(self.settings, &without_env.current).max(below),
                    );
                    self.records[index].record.state = State::Held;
                    // A repeated rollback uses this time to detect that the rollback is complete.
                    self.records[index].rolled_back.insert(env.clone(), since);
                }
                self.records[index].record.current.remove(env);
                self.report(&location, description, None);
            }
        }
    }

    /// Raises the environment tag to the highest level at which the version is current.
    fn raise_environment_tags(&mut self, levels: &mut ReachedLevels) {
        for index in 0..self.records.len() {
            let ImageRecord {
                record, location, ..
            } = self.records[index].clone();
            let expected = level::highest_current(self.settings, &record.current);
            let level = levels.get(&record.ami.id).copied().flatten();
            if expected > level {
                let value = level::tag_value(self.settings, expected);
                let key = &self.settings.environment_key;
                let description = format!(
                    "{} is current in `{value}`, but its tag `{key}` names a lower environment",
                    label(&record)
                );
                self.report(&location, description, None);
                levels.insert(record.ami.id.clone(), expected);
            }
        }
    }

    fn current_record(
        &self,
        location: &Location,
        image: &ImageName,
        arch: Arch,
        env: &EnvName,
    ) -> Option<&Record<'w>> {
        let here = self
            .records
            .iter()
            .filter(|p| p.location == *location)
            .map(|p| &p.record);
        let here = here.filter(|r| r.image == *image && r.arch == arch && r.is_usable());
        here.filter_map(|r| Some((*r.current.get(env)?, r.version, r)))
            .max_by_key(|(s, v, _)| (*s, *v))
            .map(|(.., r)| r)
    }
}
