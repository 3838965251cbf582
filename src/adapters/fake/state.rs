//! Owns what exists in the fake cloud, as plain data that tests can compare.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryKind,
    TemporaryResource, Timestamp,
};
use crate::ports::{Instance, TemporaryQuery};

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeGroup {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Tags,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeInstance {
    /// The AMI it runs.
    pub ami: AmiId,
    /// `pending`, `running`, `shutting-down`, `terminated`.
    pub status: String,
    /// The security group it holds.
    pub group: String,
    /// The client token of its launch.
    pub token: String,
    /// Its tags.
    pub tags: Tags,
}

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeCloudState {
    /// AMIs, our own and the vendors'.
    pub images: BTreeMap<AmiId, Ami>,
    /// Snapshots with their tags.
    pub snapshots: BTreeMap<SnapshotId, Tags>,
    /// Instances, terminated ones too.
    pub instances: BTreeMap<InstanceId, FakeInstance>,
    /// Key pairs with their tags.
    pub key_pairs: BTreeMap<String, Tags>,
    /// Security groups by id.
    pub groups: BTreeMap<String, FakeGroup>,
    /// SSM parameters.
    pub parameters: BTreeMap<String, String>,
    /// What refers to AMIs beside instances and parameters.
    pub references: Vec<Reference>,
    /// From when an AMI is deprecated.
    pub deprecations: BTreeMap<AmiId, Timestamp>,
    /// Who may launch an AMI beside its owner.
    pub permissions: BTreeMap<AmiId, BTreeSet<String>>,
    /// Which accounts may use a snapshot beside its owner.
    pub volume_permissions: BTreeSet<(SnapshotId, String)>,
    /// Whether the cloud itself can say what refers to an AMI.
    pub reports: bool,
    /// What copies were begun with which client token.
    pub tokens: BTreeMap<String, AmiId>,
    /// Whether copies fail late.
    pub copies_fail: bool,
    /// How many looks at an AMI after its tags were set still see what was before.
    pub lag: u32,
    /// The tags that are still seen, and how often.
    pub seen: BTreeMap<AmiId, (u32, Tags)>,
    /// How many ids were given out.
    pub given: u32,
}

/// The account that owns what the fake cloud makes.
pub const ACCOUNT: &str = "123456789012";

impl FakeCloudState {
    /// A new id with this prefix.
    pub fn id(&mut self, prefix: &str) -> String {
        self.given += 1;
        format!("{prefix}-{:08x}", self.given)
    }

    /// Adds an AMI with one snapshot; answers its id.
    pub fn register(&mut self, region: &Region, name: &str, owner: &str, tags: &Tags) -> AmiId {
        let (id, snapshot) = (AmiId(self.id("ami")), SnapshotId(self.id("snap")));
        self.snapshots.insert(snapshot.clone(), tags.clone());
        let ami = Ami {
            id: id.clone(),
            region: region.clone(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            arch: "x86_64".to_owned(),
            created: format!("2026-11-22T12:00:{:02}Z", self.given % 60),
            status: "available".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            snapshots: vec![snapshot],
            tags: tags.clone(),
            public: false,
            last_launched: None,
            protected: false,
        };
        self.images.insert(id.clone(), ami);
        id
    }

    /// The AMIs of our account, in the cloud's order.
    #[must_use]
    pub fn own(&self) -> Vec<Ami> {
        self.images
            .values()
            .filter(|a| a.owner == ACCOUNT)
            .cloned()
            .collect()
    }

    /// Returns the AMI IDs in parameters.
    #[must_use]
    pub fn parameter_references(&self) -> Vec<Reference> {
        let reference = |name: &String, ami| Reference {
            ami,
            kind: "parameter".to_owned(),
            referrer: name.clone(),
        };
        let all = self.parameters.iter();
        all.flat_map(|(name, value)| AmiId::find_all(value).map(move |ami| reference(name, ami)))
            .collect()
    }

    /// What refers to AMIs: live instances, and what a test says.
    #[must_use]
    pub fn referring(&self, amis: &[AmiId]) -> Vec<Reference> {
        let refer = |ami: &AmiId, kind: &str, by: &str| Reference {
            ami: ami.clone(),
            kind: kind.to_owned(),
            referrer: by.to_owned(),
        };
        let live = self
            .instances
            .iter()
            .filter(|(_, i)| i.status != "terminated");
        let live = live.map(|(id, i)| refer(&i.ami, "instance", id.as_str()));
        let all = live.chain(self.references.iter().cloned());
        all.filter(|r| amis.contains(&r.ami)).collect()
    }

    /// All that refers to any AMI, launch permissions too: what gathering would answer.
    #[must_use]
    pub fn uses(&self) -> Vec<Reference> {
        let ids: Vec<AmiId> = self.images.keys().cloned().collect();
        let shared = self.permissions.iter().flat_map(|(ami, who)| {
            let kind = || "shared-with".to_owned();
            who.iter().map(move |by| Reference {
                ami: ami.clone(),
                kind: kind(),
                referrer: by.clone(),
            })
        });
        let parameters = self.parameter_references();
        self.referring(&ids)
            .into_iter()
            .chain(parameters)
            .chain(shared)
            .collect()
    }

    /// Lets an account use this of an AMI, or no longer.
    pub fn share(&mut self, ami: &AmiId, what: &Sharing, account: &str, on: bool) {
        if what.image {
            let who = self.permissions.entry(ami.clone()).or_default();
            let _known = if on {
                who.insert(account.to_owned())
            } else {
                who.remove(account)
            };
            self.permissions.retain(|_, who| !who.is_empty());
        }
        let snapshots = what
            .snapshots
            .iter()
            .map(|snapshot| (snapshot.clone(), account.to_owned()));
        for one in snapshots {
            let _known = if on {
                self.volume_permissions.insert(one)
            } else {
                self.volume_permissions.remove(&one)
            };
        }
    }

    /// Whether an account may copy an AMI.
    #[must_use]
    pub fn open_to(&self, ami: &Ami, account: &str) -> bool {
        let snapshot = |s: &SnapshotId| {
            self.volume_permissions
                .contains(&(s.clone(), account.to_owned()))
        };
        self.permissions
            .get(&ami.id)
            .is_some_and(|who| who.contains(account))
            && ami.snapshots.iter().all(snapshot)
    }

    /// Remembers what those see for a while who look at an AMI whose tags are about to be set.
    pub fn lags(&mut self, id: &str) {
        let id = AmiId::from(id);
        if let Some(ami) = self.images.get(&id).filter(|_| self.lag > 0) {
            self.seen.entry(id).or_insert((self.lag, ami.tags.clone()));
        }
    }

    /// Makes an answer as old as it would be.
    pub fn aged(&mut self, mut answer: Vec<Ami>) -> Vec<Ami> {
        for ami in &mut answer {
            let Some((left, tags)) = self.seen.get_mut(&ami.id) else {
                continue;
            };
            ami.tags.clone_from(tags);
            *left -= 1;
            if *left == 0 {
                self.seen.remove(&ami.id);
            }
        }
        answer
    }

    /// Looking at a pending copy moves it on: to available, or to failed.
    pub fn copies_go_on(&mut self, seen: &[Ami]) {
        let status = if self.copies_fail {
            "failed"
        } else {
            "available"
        };
        for ami in seen.iter().filter(|a| a.status == "pending") {
            if let Some(ami) = self.images.get_mut(&ami.id) {
                status.clone_into(&mut ami.status);
            }
        }
    }

    /// The temporary things that are left: key pairs, groups, instances that live.
    #[must_use]
    pub fn temporary(&self) -> Vec<String> {
        let instances = self
            .instances
            .iter()
            .filter(|(_, i)| i.status != "terminated")
            .map(|(id, _)| id.to_string());
        self.key_pairs
            .keys()
            .chain(self.groups.keys())
            .cloned()
            .chain(instances)
            .collect()
    }

    /// What a sweep looks at.
    #[must_use]
    pub fn temporaries(&self, region: &Region, query: &TemporaryQuery) -> Vec<TemporaryResource> {
        use TemporaryKind::{Image, Instance, KeyPair, SecurityGroup, Snapshot};
        let thing = |kind, id: &str, name: &str, tags: &Tags, used| TemporaryResource {
            kind,
            id: id.to_owned(),
            name: name.to_owned(),
            region: region.clone(),
            account: None,
            tags: tags.clone(),
            used,
        };
        let live = || {
            self.instances
                .iter()
                .filter(|(_, i)| i.status != "terminated")
        };
        let mut out: Vec<TemporaryResource> = live()
            .map(|(id, i)| thing(Instance, id.as_str(), "", &i.tags, false))
            .collect();
        out.extend(
            self.images
                .values()
                .map(|a| thing(Image, a.id.as_str(), &a.name, &a.tags, false)),
        );
        let orphans = self.orphans();
        out.extend(
            self.snapshots
                .iter()
                .map(|(id, tags)| thing(Snapshot, id.as_str(), "", tags, !orphans.contains(&id))),
        );
        let held = |id: &String| live().any(|(_, i)| i.group == *id);
        out.extend(
            self.groups
                .iter()
                .map(|(id, g)| thing(SecurityGroup, id, &g.name, &g.tags, held(id))),
        );
        out.extend(
            self.key_pairs
                .iter()
                .map(|(name, tags)| thing(KeyPair, name, name, tags, false)),
        );
        let (key, value) = &query.owner;
        out.retain(|t| match t.tags.get(key) {
            Some(owner) => owner == value,
            None => t.name.starts_with(&query.prefix) || t.name.starts_with("packer_"),
        });
        out
    }

    /// Snapshots that no AMI has.
    #[must_use]
    pub fn orphans(&self) -> Vec<&SnapshotId> {
        let used: Vec<&SnapshotId> = self.images.values().flat_map(|a| &a.snapshots).collect();
        self.snapshots
            .keys()
            .filter(|s| !used.contains(s))
            .collect()
    }

    /// The tags of whatever has this id.
    pub fn tags_of(&mut self, id: &str) -> Option<&mut Tags> {
        if let Some(ami) = self.images.get_mut(&AmiId::from(id)) {
            return Some(&mut ami.tags);
        }
        if let Some(tags) = self.snapshots.get_mut(&SnapshotId::from(id)) {
            return Some(tags);
        }
        self.instances
            .get_mut(&InstanceId::from(id))
            .map(|i| &mut i.tags)
    }

    /// Each look moves an instance on: pending to running, shutting down to terminated.
    pub fn look(&mut self, id: &InstanceId) -> Option<Instance> {
        let instance = self.instances.get_mut(id)?;
        let status = instance.status.clone();
        match status.as_str() {
            "pending" => "running".clone_into(&mut instance.status),
            "shutting-down" => "terminated".clone_into(&mut instance.status),
            _ => {}
        }
        let (private_ip, public_ip) = (Some("10.0.0.1".to_owned()), Some("192.0.2.1".to_owned()));
        Some(Instance {
            id: id.clone(),
            status,
            reason: None,
            private_ip,
            public_ip,
        })
    }
}
