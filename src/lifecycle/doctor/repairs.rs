//! Plans the repairs of tags and pointers, and reports what needs a manual action.

use std::collections::BTreeSet;

use super::{Doctor, ImageRecord, ReachedLevels, Repair};
use crate::catalog::Environment;
use crate::lifecycle::{Record, current, level, locations, revoke, rollback, sharing, tags};
use crate::model::{
    Arch, EnvName, ImageName, Location, Pointer, Tags, TemporaryKind, TemporaryResource, Version,
    pointer_name,
};

impl Doctor<'_, '_> {
    /// Returns one repair for each AMI with wrong tags.
    pub(super) fn tag_repairs(&mut self, levels: &ReachedLevels) -> Vec<Repair> {
        let key = &self.settings.environment_key;
        let mut out = Vec::new();
        for ImageRecord {
            record,
            location,
            rolled_back,
        } in self.records.clone()
        {
            let mut expected = Tags::from([
                (tags::ROLLED_BACK.to_owned(), current::format(&rolled_back)),
                (tags::STATE.to_owned(), record.state.as_str().to_owned()),
                (tags::CURRENT.to_owned(), current::format(&record.current)),
                (
                    key.clone(),
                    level::tag_value(self.settings, levels.get(&record.ami.id).copied().flatten()),
                ),
            ]);
            let temporary = record.is_usable() && record.ami.tags.contains_key(tags::EXPIRES);
            if temporary {
                expected.insert(tags::EXPIRES.to_owned(), String::new());
                let description = format!(
                    "{} {} ({}) is released, but has an expiry",
                    record.image, record.version, record.ami.id
                );
                self.report(&location, description, None);
            }
            // A tag with the same meaning in another notation is correct.
            let seen = |k: &str| match k {
                tags::CURRENT | tags::ROLLED_BACK => {
                    current::format(&current::parse(record.tag(k)))
                }
                _ => record.tag(k).to_owned(),
            };
            let has_no_level = level::reached_level(self.settings, &record).is_none();
            expected.retain(|k, v| {
                k == tags::EXPIRES || seen(k) != *v && !(k == key && v.is_empty() && has_no_level)
            });
            if expected.is_empty() {
                continue;
            }
            let before = expected
                .keys()
                .map(|k| (k.clone(), record.tag(k).to_owned()))
                .collect();
            let (ami, image) = (record.ami.id.clone(), record.image.clone());
            out.push(Repair::SetTags {
                location,
                ami,
                image,
                before,
                tags: expected,
            });
        }
        out
    }

    /// Returns the repairs that make the pointers match the tags.
    pub(super) fn pointer_repairs(&mut self) -> Vec<Repair> {
        let mut out = Vec::new();
        let mut known: BTreeSet<(Location, String)> = BTreeSet::new();
        let kinds: BTreeSet<(Location, ImageName, Arch)> = self
            .records
            .iter()
            .map(|p| (p.location.clone(), p.record.image.clone(), p.record.arch))
            .collect();
        for (location, image, arch) in kinds {
            for Environment { name: env, .. } in &self.settings.environments {
                let pointer = pointer_name(&self.settings.name, &image, env, arch);
                let Some(ami) = self
                    .current_record(&location, &image, arch, env)
                    .map(|r| r.ami.id.clone())
                else {
                    continue;
                };
                known.insert((location.clone(), pointer.clone()));
                let now = self
                    .inventory
                    .parameters
                    .iter()
                    .find(|p| p.location == location && p.name == pointer);
                if now.is_some_and(|p| p.value == ami.as_str()) {
                    continue;
                }
                let found =
                    now.map_or_else(|| "is missing".to_owned(), |p| format!("is {}", p.value));
                self.report(
                    &location,
                    format!("pointer {pointer} {found}, but {ami} is current"),
                    None,
                );
                out.push(Repair::Publish {
                    location: location.clone(),
                    image: image.clone(),
                    pointer,
                    ami,
                });
            }
        }
        out.extend(self.shared_pointer_repairs(&mut known));
        for pointer in self
            .inventory
            .parameters
            .iter()
            .filter(|p| !known.contains(&(p.location.clone(), p.name.clone())))
        {
            let Some((image, env, arch)) = self.parse_pointer_name(&pointer.name) else {
                self.report_unknown_pointer(pointer, "it is not a pointer of this catalog");
                continue;
            };
            if self.settings.environment_level(&env).is_none() {
                // Another checkout may define the environment. Its pointer is correct if the tags
                // confirm it, and needs a manual decision otherwise.
                if self
                    .current_record(&pointer.location, &image, arch, &env)
                    .is_none()
                {
                    self.report_unknown_pointer(
                        pointer,
                        &format!("its environment `{env}` is not in this bakeline.yaml"),
                    );
                }
                continue;
            }
            out.extend(self.obsolete_pointer_repair(pointer, (&image, arch), &env));
        }
        out
    }

    /// Reports a pointer of an environment without a current version. Returns its deletion unless an
    /// earlier version can become current.
    fn obsolete_pointer_repair(
        &mut self,
        pointer: &Pointer,
        (image, arch): (&ImageName, Arch),
        env: &EnvName,
    ) -> Option<Repair> {
        let (location, name) = (&pointer.location, &pointer.name);
        let description = format!(
            "pointer {name} is {}, but no version is current",
            pointer.value
        );
        let source = self.source_of(location, env);
        let manual_action = self.return_to_earlier_version(&source, image, arch, env);
        let deletion = manual_action.is_none().then(|| Repair::Unpublish {
            location: location.clone(),
            pointer: name.clone(),
        });
        self.report(location, description, manual_action);
        deletion
    }

    /// Returns the command that makes an earlier version current in an environment without a current
    /// version, if an AMI at the location is suitable: the AMI that would replace a revoked version.
    fn return_to_earlier_version(
        &self,
        location: &Location,
        image: &ImageName,
        arch: Arch,
        env: &EnvName,
    ) -> Option<String> {
        if !(self.is_in_catalog)(image) {
            return None;
        }
        let environment = self.settings.environment(env)?;
        if !locations::in_environment(self.settings, environment, &self.inventory.account)
            .contains(location)
        {
            return None;
        }
        let records: Vec<Record<'_>> = self.records.iter().map(|p| p.record.clone()).collect();
        let here = locations::records_at(&records, location, &self.inventory.account);
        let successor = revoke::newest_reached(self.settings, &here, (image, arch), env)?;
        let command =
            if rollback::has_target(self.settings, self.inventory, &records, (image, arch), env) {
                format!("bakeline rollback {image} --env {env}")
            } else if self.settings.environment_level(env) == Some(0) {
                format!("bakeline release {image}")
            } else {
                format!("bakeline promote {image} --to {env}")
            };
        Some(format!(
            "run `{command}`; version {} reached `{env}` before",
            successor.version
        ))
    }

    /// Returns the repairs for copy permissions that were not removed. A run removes them as soon
    /// as its copies are made. `doctor --apply` holds every lock, so no run needs them.
    pub(super) fn permission_repairs(&mut self) -> Vec<Repair> {
        let mut out = Vec::new();
        for ImageRecord {
            record, location, ..
        } in self.records.clone()
        {
            let ami = record.ami;
            let image = TemporaryResource {
                kind: TemporaryKind::Image,
                id: ami.id.to_string(),
                name: ami.name.clone(),
                region: ami.region.clone(),
                account: location.account.clone(),
                tags: ami.tags.clone(),
                used: false,
            };
            for permission in sharing::copy_permissions(&image) {
                let run = permission
                    .tags
                    .get(tags::RUN)
                    .map_or("an unknown run", String::as_str);
                let description = format!(
                    "account {} may still copy {}: {run} did not remove it",
                    permission.name, ami.id
                );
                self.report(&location, description, None);
                out.push(Repair::Unshare {
                    location: location.clone(),
                    permission,
                });
            }
        }
        out
    }

    /// Parses the image, environment and architecture of a pointer name.
    fn parse_pointer_name(&self, name: &str) -> Option<(ImageName, EnvName, Arch)> {
        let rest = name.strip_prefix(&format!("/bakeline/{}/", self.settings.name))?;
        let [image, env, arch] = rest.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let arch: Arch = arch.parse().ok()?;
        let (image, env) = (ImageName::from(image), EnvName::from(env));
        let is_pointer = pointer_name(&self.settings.name, &image, &env, arch) == name;
        let image = self.settings.image_name(image.as_str(), arch);
        is_pointer.then_some((image, env, arch))
    }

    /// Reports a pointer that this catalog does not define. Its purpose is unknown, so it is never
    /// deleted.
    fn report_unknown_pointer(&mut self, pointer: &Pointer, why: &str) {
        let description = format!("pointer {} is {}, but {why}", pointer.name, pointer.value);
        let manual_action = format!(
            "add its environment to bakeline.yaml, or delete the pointer: aws ssm delete-parameter --region {} --name {}",
            pointer.location.region, pointer.name
        );
        self.report(&pointer.location, description, Some(manual_action));
    }

    /// Reports environments that point at different versions at their locations.
    pub(super) fn compare_locations(&mut self) {
        let kinds: BTreeSet<(ImageName, Arch)> = self
            .records
            .iter()
            .map(|p| (p.record.image.clone(), p.record.arch))
            .collect();
        let home = locations::home(self.settings);
        for (location, why) in &self.inventory.unreachable {
            let manual_action =
                Some("run `bakeline doctor` again when the location is reachable".to_owned());
            self.report(
                location,
                format!("the location could not be read: {why}"),
                manual_action,
            );
        }
        for (index, env) in self.settings.environments.iter().enumerate() {
            for (image, arch) in &kinds {
                let version = |d: &Self, location: &Location| {
                    d.current_record(location, image, *arch, &env.name)
                        .map(|r| r.version)
                };
                let there = version(self, &home);
                for location in
                    locations::in_environment(self.settings, env, &self.inventory.account)
                {
                    let here = version(self, &location);
                    if here == there
                        || locations::unreachable_reason(self.inventory, &location).is_some()
                    {
                        continue;
                    }
                    let word = |v: Option<Version>| {
                        v.map_or_else(|| "no version".to_owned(), |v| v.to_string())
                    };
                    let description = format!(
                        "in `{}`, {} of `{image}` is current here and {} in {home}",
                        env.name,
                        word(here),
                        word(there)
                    );
                    let manual_action = if !(self.is_in_catalog)(image) {
                        format!(
                            "run `bakeline retire {image}` if the catalog no longer needs it, or restore its file"
                        )
                    } else if index == 0 {
                        format!(
                            "run `bakeline release {image}`, or `bakeline rollback {image} --env {}`",
                            env.name
                        )
                    } else {
                        format!(
                            "run `bakeline promote {image} --to {0}` or `bakeline rollback {image} --env {0}`",
                            env.name
                        )
                    };
                    self.report(&location, description, Some(manual_action));
                }
            }
        }
    }
}
