//! Lists all resources of the fake cloud, independently of the reads of bakeline.

use std::collections::BTreeMap;

use crate::adapters::fake::{ACCOUNT, FakeCloudState};
use crate::model::{AmiId, Tags, Timestamp};
use crate::plan::{Plan, Scope, ScopeSubject, step::Action};
use crate::steps::tests::{TestEnv, region};

/// Place, kind and ID of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// `ACCOUNT.REGION`.
    pub(super) place: String,
    pub(super) kind: &'static str,
    pub(super) id: String,
}

/// Properties of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// All properties as text.
    pub(super) value: String,
    /// Image of the catalog to which it belongs.
    image: Option<String>,
    /// AMI of which it is a part.
    pub(super) ami: Option<AmiId>,
    /// Account that receives a permission.
    account: Option<String>,
}

/// All resources of all locations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CloudInventory(pub(super) BTreeMap<Key, Resource>);

const SHARING: &str = "bakeline:sharing:";

/// Returns the place of a scope.
fn scope_place(scope: &Scope) -> String {
    let location = scope.location();
    let account = location.and_then(|l| l.account.as_deref());
    let there = location.map_or_else(region, |l| l.region.clone());
    format!("{}.{there}", account.unwrap_or(ACCOUNT))
}

impl CloudInventory {
    pub(super) fn of(setup: &TestEnv) -> Self {
        let mut out = Self(BTreeMap::new());
        let home = setup.cloud.state(|state| state.clone());
        out.add_state(&format!("{ACCOUNT}.{}", region()), &home);
        for ((account, region), state) in setup.cloud.elsewhere() {
            out.add_state(&format!("{account}.{region}"), &state);
        }
        out
    }

    fn add(
        &mut self,
        (place, kind, id): (&str, &'static str, &str),
        value: String,
        image: Option<String>,
        (ami, account): (Option<&AmiId>, Option<&str>),
    ) {
        let key = Key {
            place: place.to_owned(),
            kind,
            id: id.to_owned(),
        };
        let resource = Resource {
            value,
            image,
            ami: ami.cloned(),
            account: account.map(str::to_owned),
        };
        self.0.insert(key, resource);
    }

    fn add_state(&mut self, place: &str, state: &FakeCloudState) {
        self.add_images(place, state);
        self.add_temporaries(place, state);
        for (id, tags) in &state.snapshots {
            let owner = state.images.values().find(|a| a.snapshots.contains(id));
            let image = owner.and_then(|a| a.tags.get("bakeline:image").cloned());
            let of = owner.map(|a| &a.id);
            let tags: Tags = tags
                .clone()
                .into_iter()
                .filter(|(_, v)| !v.is_empty())
                .collect();
            self.add(
                (place, "snapshot", id.as_str()),
                format!("{tags:?}"),
                image,
                (of, None),
            );
        }
        for (name, value) in &state.parameters {
            let image = name
                .strip_prefix("/bakeline/acme/")
                .and_then(|rest| rest.split('/').next());
            let image = image.map(str::to_owned);
            self.add(
                (place, "parameter", name),
                value.clone(),
                image,
                (None, None),
            );
        }
    }

    /// Adds the AMIs with their permissions.
    fn add_images(&mut self, place: &str, state: &FakeCloudState) {
        for (id, ami) in &state.images {
            let image = ami.tags.get("bakeline:image").cloned();
            let image =
                image.or_else(|| Some(ami.name.strip_prefix("acme/")?.split('/').next()?.into()));
            let (sharing, tags): (Tags, Tags) = ami
                .tags
                .clone()
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                // The record for a restore outlives a failed stage, because a call whose answer was lost
                // can still disable the AMI.
                .filter(|(key, _)| key != "bakeline:permissions" || ami.status == "disabled")
                .partition(|(key, _)| key.starts_with(SHARING));
            let deprecated = state.deprecations.get(id);
            let (status, public) = (&ami.status, ami.public);
            let value = format!("{status} public {public} deprecated {deprecated:?} {tags:?}");
            self.add(
                (place, "image", id.as_str()),
                value,
                image.clone(),
                (Some(id), None),
            );
            for (key, value) in sharing {
                let account = key.trim_start_matches(SHARING);
                let part = (Some(id), Some(account));
                self.add(
                    (place, "sharing tag", &format!("{id} {account}")),
                    value,
                    image.clone(),
                    part,
                );
            }
            for account in state.permissions.get(id).into_iter().flatten() {
                let part = (Some(id), Some(account.as_str()));
                let of = format!("{id} {account}");
                self.add(
                    (place, "permission", &of),
                    String::new(),
                    image.clone(),
                    part,
                );
            }
            for (snapshot, account) in &state.volume_permissions {
                if ami.snapshots.contains(snapshot) {
                    let part = (Some(id), Some(account.as_str()));
                    let of = format!("{snapshot} {account}");
                    self.add(
                        (place, "volume permission", &of),
                        String::new(),
                        image.clone(),
                        part,
                    );
                }
            }
        }
    }

    /// Adds instances, key pairs and security groups.
    fn add_temporaries(&mut self, place: &str, state: &FakeCloudState) {
        let plain = (None, None);
        for (id, instance) in &state.instances {
            if instance.status != "terminated" {
                let image = instance.tags.get("bakeline:image").cloned();
                let value = format!("{:?}", instance.tags);
                self.add((place, "instance", id.as_str()), value, image, plain);
            }
        }
        for (name, tags) in &state.key_pairs {
            let image = tags.get("bakeline:image").cloned();
            self.add((place, "key pair", name), format!("{tags:?}"), image, plain);
        }
        for (id, group) in &state.groups {
            let image = group.tags.get("bakeline:image").cloned();
            self.add(
                (place, "group", id),
                format!("{:?}", group.tags),
                image,
                plain,
            );
        }
    }

    /// Returns the keys that only this inventory has.
    pub(super) fn without(&self, other: &Self) -> Vec<&Key> {
        let keys = self.0.keys();
        keys.filter(|key| !other.0.contains_key(key)).collect()
    }

    /// Returns the properties of a resource.
    pub(super) fn value(&self, key: &Key) -> Option<&str> {
        self.0.get(key).map(|resource| resource.value.as_str())
    }

    /// Returns the properties of a resource without times and run IDs.
    pub(super) fn stable_value(&self, key: &Key) -> Option<String> {
        self.value(key).map(without_times)
    }

    /// Returns all resources without times and run IDs.
    pub(super) fn stable(&self) -> BTreeMap<&Key, String> {
        let all = self.0.iter();
        all.map(|(key, resource)| (key, without_times(&resource.value)))
            .collect()
    }

    /// Returns whether a resource of an ID exists in any location.
    pub(super) fn has_id(&self, id: &str) -> bool {
        self.0.keys().any(|key| key.id == id)
    }

    /// Returns whether the scope is responsible for a resource.
    pub(super) fn is_of(&self, key: &Key, scope: &Scope, plan: &Plan) -> bool {
        let Some(resource) = self.0.get(key) else {
            return false;
        };
        match scope.subject() {
            ScopeSubject::Image(name) => {
                resource.image.as_deref() == Some(name.as_str())
                    && match &resource.account {
                        None => key.place == scope_place(scope),
                        Some(account) => {
                            let there = scope.location().and_then(|l| l.account.as_ref());
                            there == Some(account)
                        }
                    }
            }
            ScopeSubject::Ami(id) => resource.ami.as_ref() == Some(id),
            ScopeSubject::Leftover(_) => plan.steps.iter().any(|step| {
                let Action::Sweep { resource: swept } = &step.action else {
                    return false;
                };
                let account = swept.account.as_deref().unwrap_or(ACCOUNT);
                step.scope == *scope
                    && key.place == format!("{account}.{}", swept.region)
                    && key.id.split(' ').next() == Some(swept.id.as_str())
                    && (swept.kind.as_str() != "copy-permission"
                        || key.kind.ends_with("permission")
                        || key.kind == "sharing tag")
            }),
            ScopeSubject::Revocation => key.place == scope_place(scope),
            _ => false,
        }
    }
}

/// Replaces times and the IDs of the test's runs.
fn without_times(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || [':', '.', '-'].contains(&c);
    let words = text.split_inclusive(|c| !is_part(c)).map(|part| {
        let word = part.trim_end_matches(|c| !is_part(c));
        match word.parse::<Timestamp>() {
            Ok(_) => part.replace(word, "*"),
            Err(_) => part.replace("fault2", "fault1"),
        }
    });
    words.collect()
}
