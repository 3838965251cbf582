//! Owns the way from what the tags and pointers should say to the repairs, and what no repair can mend.

use std::collections::BTreeSet;

use super::{Doctor, Heights, Patient, Repair};
use crate::catalog::Environment;
use crate::lifecycle::{current, locations, rung, sharing, tags};
use crate::model::{
    Arch, EnvName, ImageName, Location, Pointer, Tags, Temporary, TemporaryKind, Version,
    pointer_name,
};

impl Doctor<'_, '_> {
    /// One call for each AMI whose tags should be others.
    pub(super) fn marks(&mut self, heights: &Heights) -> Vec<Repair> {
        let key = &self.settings.environment_key;
        let mut out = Vec::new();
        for Patient {
            record,
            location,
            rolled_back,
        } in self.patients.clone()
        {
            let mut wanted = Tags::from([
                (tags::ROLLED_BACK.to_owned(), current::format(&rolled_back)),
                (tags::STATE.to_owned(), record.state.as_str().to_owned()),
                (tags::CURRENT.to_owned(), current::format(&record.current)),
                (
                    key.clone(),
                    rung::value(
                        self.settings,
                        heights.get(&record.ami.id).copied().flatten(),
                    ),
                ),
            ]);
            let temporary = record.usable() && record.ami.tags.contains_key(tags::EXPIRES);
            if temporary {
                wanted.insert(tags::EXPIRES.to_owned(), String::new());
                let what = format!(
                    "{} {} ({}) is released, but still has an expiry",
                    record.image, record.version, record.ami.id
                );
                self.find(&location, what, None);
            }
            // A tag that means the same in other words is not a finding.
            let seen = |k: &str| match k {
                tags::CURRENT | tags::ROLLED_BACK => {
                    current::format(&current::parse(record.tag(k)))
                }
                _ => record.tag(k).to_owned(),
            };
            let rungless = rung::reached(self.settings, &record).is_none();
            wanted.retain(|k, v| {
                k == tags::EXPIRES || seen(k) != *v && !(k == key && v.is_empty() && rungless)
            });
            if wanted.is_empty() {
                continue;
            }
            let before = wanted
                .keys()
                .map(|k| (k.clone(), record.tag(k).to_owned()))
                .collect();
            let (ami, image) = (record.ami.id.clone(), record.image.clone());
            out.push(Repair::Mark {
                location,
                ami,
                image,
                before,
                tags: wanted,
            });
        }
        out
    }

    /// Every pointer says what the tags say.
    pub(super) fn pointers(&mut self) -> Vec<Repair> {
        let mut out = Vec::new();
        let mut known: BTreeSet<(Location, String)> = BTreeSet::new();
        let kinds: BTreeSet<(Location, ImageName, Arch)> = self
            .patients
            .iter()
            .map(|p| (p.location.clone(), p.record.image.clone(), p.record.arch))
            .collect();
        for (location, image, arch) in kinds {
            for Environment { name: env, .. } in &self.settings.environments {
                let pointer = pointer_name(&self.settings.name, &image, env, arch);
                let Some(ami) = self
                    .holder(&location, &image, arch, env)
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
                let says =
                    now.map_or_else(|| "is missing".to_owned(), |p| format!("says {}", p.value));
                self.find(
                    &location,
                    format!("pointer {pointer} {says}, the tags say {ami}"),
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
        for pointer in self
            .inventory
            .parameters
            .iter()
            .filter(|p| !known.contains(&(p.location.clone(), p.name.clone())))
        {
            let Some((image, env, arch)) = self.named(&pointer.name) else {
                self.strange(pointer, "is no pointer that this catalog names");
                continue;
            };
            if self.settings.rung(&env).is_none() {
                // Another checkout may name the environment: what the tags bear out is right, the rest is a person's.
                if self.holder(&pointer.location, &image, arch, &env).is_none() {
                    self.strange(
                        pointer,
                        &format!("is of `{env}`, an environment that this checkout does not name"),
                    );
                }
                continue;
            }
            let what = format!(
                "pointer {} says {}, but nothing is current there",
                pointer.name, pointer.value
            );
            self.find(&pointer.location, what, None);
            out.push(Repair::Unpublish {
                location: pointer.location.clone(),
                pointer: pointer.name.clone(),
            });
        }
        out
    }

    /// Permissions that were given for a copy. A run removes them as soon as its copies are made, and `doctor --apply` holds
    /// every lock, so no run needs them.
    pub(super) fn copy_permissions(&mut self) -> Vec<Repair> {
        let mut out = Vec::new();
        for Patient {
            record, location, ..
        } in self.patients.clone()
        {
            let ami = record.ami;
            let image = Temporary {
                kind: TemporaryKind::Image,
                id: ami.id.to_string(),
                name: ami.name.clone(),
                region: ami.region.clone(),
                account: location.account.clone(),
                tags: ami.tags.clone(),
                used: false,
            };
            for permission in sharing::temporaries(&image) {
                let run = permission
                    .tags
                    .get(tags::RUN)
                    .map_or("an unknown run", String::as_str);
                let what = format!(
                    "account {} may still copy {}: {run} did not remove it",
                    permission.name, ami.id
                );
                self.find(&location, what, None);
                out.push(Repair::Unshare {
                    location: location.clone(),
                    permission,
                });
            }
        }
        out
    }

    /// The image, environment and architecture in a pointer's name.
    fn named(&self, name: &str) -> Option<(ImageName, EnvName, Arch)> {
        let rest = name.strip_prefix(&format!("/bakeline/{}/", self.settings.name))?;
        let [image, env, arch] = rest.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let arch: Arch = arch.parse().ok()?;
        let (image, env) = (ImageName::from(image), EnvName::from(env));
        (pointer_name(&self.settings.name, &image, &env, arch) == name)
            .then_some((image, env, arch))
    }

    /// A pointer that nothing here accounts for; what it is there for is not ours to know, so it is never deleted.
    fn strange(&mut self, pointer: &Pointer, why: &str) {
        let what = format!("pointer {} says {}, but {why}", pointer.name, pointer.value);
        let by_hand = format!(
            "name its environment in bakeline.yaml, or delete it: aws ssm delete-parameter --region {} --name {}",
            pointer.location.region, pointer.name
        );
        self.find(&pointer.location, what, Some(by_hand));
    }

    /// An environment points at the same version at all its locations.
    pub(super) fn locations(&mut self) {
        let kinds: BTreeSet<(ImageName, Arch)> = self
            .patients
            .iter()
            .map(|p| (p.record.image.clone(), p.record.arch))
            .collect();
        let home = locations::home(self.settings);
        for (location, why) in &self.inventory.unread {
            let by_hand = Some("run it again when it answers".to_owned());
            self.find(location, format!("it could not be read: {why}"), by_hand);
        }
        for (index, env) in self.settings.environments.iter().enumerate() {
            for (image, arch) in &kinds {
                let version = |d: &Self, location: &Location| {
                    d.holder(location, image, *arch, &env.name)
                        .map(|r| r.version)
                };
                let there = version(self, &home);
                for location in locations::of(self.settings, env, &self.inventory.account) {
                    let here = version(self, &location);
                    if here == there || locations::unread(self.inventory, &location).is_some() {
                        continue;
                    }
                    let word = |v: Option<Version>| {
                        v.map_or_else(|| "nothing".to_owned(), |v| v.to_string())
                    };
                    let what = format!(
                        "`{}` of `{image}` is {} here and {} in {home}",
                        env.name,
                        word(here),
                        word(there)
                    );
                    let by_hand = if index == 0 {
                        format!(
                            "run `bakeline release {image}`, or `bakeline rollback {image} --env {}` to go back",
                            env.name
                        )
                    } else {
                        format!(
                            "run `bakeline promote {image} --to {0}` or `bakeline rollback {image} --env {0}`",
                            env.name
                        )
                    };
                    self.find(&location, what, Some(by_hand));
                }
            }
        }
    }
}
