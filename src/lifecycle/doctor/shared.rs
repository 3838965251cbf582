//! Plans the repairs of shared environments: launch permissions, and the pointers of the accounts that
//! launch the AMIs.

use std::collections::BTreeSet;

use super::{Doctor, ImageRecord, Receivers, Repair, label};
use crate::catalog::Environment;
use crate::lifecycle::{grants, locations};
use crate::model::{AmiId, Arch, EnvName, ImageName, Location, State, pointer_name};

impl Doctor<'_, '_> {
    /// Returns the repairs of launch permissions: those that a current version needs, and those that an
    /// interrupted run left. `doctor --apply` holds every lock, so no run is about to use them.
    pub(super) fn launch_repairs(&mut self) -> Vec<Repair> {
        let own = self.inventory.account.clone();
        let mut out = Vec::new();
        for ImageRecord {
            record, location, ..
        } in self.records.clone()
        {
            // EC2 removed the permissions of a disabled AMI. A restore gives them back, with their record.
            let is_disabled = record.ami.status == "disabled";
            if location.account.is_some() || record.state == State::Candidate || is_disabled {
                continue;
            }
            let left = grants::left_over(self.settings, &record);
            let kept: BTreeSet<String> = self
                .environments_of(&record.ami.id)
                .filter(|env| left.iter().all(|one| one.name != env.name))
                .flat_map(|env| env.receivers(&own))
                .collect();
            let mut removed = Receivers::new();
            for env in left {
                let mut to = env.receivers(&own);
                to.retain(|one| !kept.contains(one));
                let description = format!(
                    "{} may be launched in `{}`, but it was never current there or is revoked",
                    label(&record),
                    env.name
                );
                self.report(&location, description, None);
                removed.insert(env.name.clone(), to);
            }
            let mut missing = Receivers::new();
            for env in &self.settings.environments {
                let to = grants::receivers_at(env, &location, &own);
                let is_needed = record.current.contains_key(&env.name) && !to.is_empty();
                if !is_needed || grants::is_granted(&record, &env.name, &to) {
                    continue;
                }
                let description = format!(
                    "{} is current in `{}`, but not all its receivers may launch it",
                    label(&record),
                    env.name
                );
                self.report(&location, description, None);
                missing.insert(env.name.clone(), to);
            }
            let ami = record.ami.id.clone();
            let repair = |receivers| (location.clone(), ami.clone(), receivers);
            out.extend((!removed.is_empty()).then(|| {
                let (location, ami, receivers) = repair(removed);
                Repair::DisallowLaunch {
                    location,
                    ami,
                    receivers,
                }
            }));
            out.extend((!missing.is_empty()).then(|| {
                let (location, ami, receivers) = repair(missing);
                Repair::AllowLaunch {
                    location,
                    ami,
                    receivers,
                }
            }));
        }
        out
    }

    /// Returns the environments whose receivers may launch an AMI, according to its tag.
    fn environments_of(&self, ami: &AmiId) -> impl Iterator<Item = &Environment> {
        let record = self.records.iter().find(|one| one.record.ami.id == *ami);
        let granted =
            record.map(|one| grants::parse(one.record.tag(crate::lifecycle::tags::SHARED)));
        let granted = granted.unwrap_or_default();
        let environments = self.settings.environments.iter();
        environments.filter(move |env| granted.contains_key(&env.name))
    }

    /// Returns the location of the AMIs that a pointer names: that of the builder's account, if the
    /// environment shares them with the account of the pointer.
    pub(super) fn source_of(&self, location: &Location, env: &EnvName) -> Location {
        let is_receiving = self.settings.environment(env).is_some_and(|env| {
            locations::receiving(env, &self.inventory.account).contains(location)
        });
        Location {
            account: location.account.clone().filter(|_| !is_receiving),
            region: location.region.clone(),
        }
    }

    /// Returns the repairs of the pointers in the accounts that launch shared AMIs, and adds all pointers
    /// that must exist there to `known`.
    pub(super) fn shared_pointer_repairs(
        &mut self,
        known: &mut BTreeSet<(Location, String)>,
    ) -> Vec<Repair> {
        let images: BTreeSet<(ImageName, Arch)> = self
            .records
            .iter()
            .map(|one| (one.record.image.clone(), one.record.arch))
            .collect();
        let mut out = Vec::new();
        for env in &self.settings.environments {
            for location in locations::receiving(env, &self.inventory.account) {
                if locations::unreachable_reason(self.inventory, &location).is_some() {
                    continue;
                }
                let source = self.source_of(&location, &env.name);
                for (image, arch) in &images {
                    let current = self.current_record(&source, image, *arch, &env.name);
                    let Some(ami) = current.map(|record| record.ami.id.clone()) else {
                        continue;
                    };
                    let pointer = pointer_name(&self.settings.name, image, &env.name, *arch);
                    known.insert((location.clone(), pointer.clone()));
                    let mut all = self.inventory.parameters.iter();
                    let now = all.find(|p| p.location == location && p.name == pointer);
                    if now.is_some_and(|p| p.value == ami.as_str()) {
                        continue;
                    }
                    let found =
                        now.map_or_else(|| "is missing".to_owned(), |p| format!("is {}", p.value));
                    let previous = now.map(|p| AmiId(p.value.clone()));
                    let description = format!("pointer {pointer} {found}, but {ami} is current");
                    self.report(&location, description, None);
                    out.push(Repair::PublishShared {
                        location: location.clone(),
                        image: image.clone(),
                        env: env.name.clone(),
                        pointer,
                        ami,
                        previous,
                    });
                }
            }
        }
        out
    }
}
