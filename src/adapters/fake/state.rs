//! Defines the state of the fake cloud as data that tests can compare.

use std::collections::{BTreeMap, BTreeSet};

use super::{FakePrerequisites, LateParameters, RefusedLaunches};
use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryKind,
    TemporaryResource, Timestamp,
};
use crate::ports::{Instance, TemporaryQuery, TrialRequest};

/// A security group of the fake cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeGroup {
    /// Group name.
    pub name: String,
    /// Tags.
    pub tags: Tags,
}

/// An instance of the fake cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeInstance {
    /// AMI of the instance.
    pub ami: AmiId,
    /// Instance type.
    pub instance_type: String,
    /// Subnet.
    pub subnet: Option<String>,
    /// `pending`, `running`, `shutting-down`, `terminated`.
    pub status: String,
    /// ID of its security group.
    pub group: String,
    /// Client token of the launch.
    pub token: String,
    /// Tags.
    pub tags: Tags,
}

/// All resources of the fake cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeCloudState {
    /// AMIs of this account and of vendors.
    pub images: BTreeMap<AmiId, Ami>,
    /// Snapshots with their tags.
    pub snapshots: BTreeMap<SnapshotId, Tags>,
    /// Reason for which every instance terminates as soon as it was seen running.
    pub early_end: Option<String>,
    /// Instance type whose instances end before they run, and the reason.
    pub never_runs: Option<(&'static str, String)>,
    /// Launches that are refused.
    pub refused_launches: Vec<RefusedLaunches>,
    /// Instances, including terminated ones.
    pub instances: BTreeMap<InstanceId, FakeInstance>,
    /// Key pairs with their tags.
    pub key_pairs: BTreeMap<String, Tags>,
    /// Security groups by ID.
    pub groups: BTreeMap<String, FakeGroup>,
    /// SSM parameters.
    pub parameters: BTreeMap<String, String>,
    /// Accepted writes of SSM parameters that show later.
    pub late_parameters: LateParameters,
    /// References to AMIs in addition to instances and parameters.
    pub references: Vec<Reference>,
    /// Deprecation times of AMIs.
    pub deprecations: BTreeMap<AmiId, Timestamp>,
    /// Launch permissions of AMIs.
    pub permissions: BTreeMap<AmiId, BTreeSet<String>>,
    /// Accounts that may use a snapshot.
    pub volume_permissions: BTreeSet<(SnapshotId, String)>,
    /// The endpoint supports DescribeImageReferences.
    pub reports: bool,
    /// Copies by client token.
    pub tokens: BTreeMap<String, AmiId>,
    /// Prerequisites of builds.
    pub prerequisites: FakePrerequisites,
    /// KMS key of encryption by default.
    pub default_key: Option<String>,
    /// Reason why a dry run cannot test a launch.
    pub untested: Option<String>,
    /// Requests of dry runs.
    pub trials: Vec<TrialRequest>,
    /// KMS keys of encrypted AMIs.
    pub keys: BTreeMap<AmiId, String>,
    /// Copies reach the state `failed`.
    pub copies_fail: bool,
    /// Number of reads of an AMI that still return the tags before a change.
    pub lag: u32,
    /// Outdated tags of AMIs, with the number of reads that return them.
    pub seen: BTreeMap<AmiId, (u32, Tags)>,
    /// Number of reads and calls for which a new resource does not exist.
    pub visible_after: u32,
    /// New resources, with the number of reads and calls for which they do not exist.
    pub hidden: BTreeMap<String, u32>,
    /// Number of copies that EC2 refuses, because permissions take effect late.
    pub refused_copies: u32,
    /// Number of generated IDs.
    pub given: u32,
}

/// Account that owns the resources of the fake cloud.
pub const ACCOUNT: &str = "123456789012";

impl FakeCloudState {
    /// Generates an ID with a prefix.
    pub fn id(&mut self, prefix: &str) -> String {
        self.given += 1;
        format!("{prefix}-{:08x}", self.given)
    }

    /// Adds an AMI with one snapshot and returns its ID.
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
            other_devices: Vec::new(),
            imds_v2: false,
            snapshots: vec![snapshot],
            tags: tags.clone(),
            public: false,
            last_launched: None,
            protected: false,
            deprecated: None,
        };
        self.images.insert(id.clone(), ami);
        id
    }

    /// Records the KMS key of an AMI, if it is encrypted.
    pub fn record_key(&mut self, ami: &AmiId, key: Option<&str>) {
        self.keys
            .extend(key.map(|key| (ami.clone(), key.to_owned())));
    }

    /// Returns the AMIs of this account, sorted by ID.
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

    /// Returns the references to AMIs: running instances and the references of the test.
    #[must_use]
    pub fn references_to(&self, amis: &[AmiId]) -> Vec<Reference> {
        let reference = |ami: &AmiId, kind: &str, by: &str| Reference {
            ami: ami.clone(),
            kind: kind.to_owned(),
            referrer: by.to_owned(),
        };
        let live = self
            .instances
            .iter()
            .filter(|(_, i)| i.status != "terminated");
        let live = live.map(|(id, i)| reference(&i.ami, "instance", id.as_str()));
        let all = live.chain(self.references.iter().cloned());
        all.filter(|r| amis.contains(&r.ami)).collect()
    }

    /// Returns all references to AMIs, including launch permissions, as an inventory contains them.
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
        self.references_to(&ids)
            .into_iter()
            .chain(parameters)
            .chain(shared)
            .collect()
    }

    /// Shares parts of an AMI with an account or stops sharing them.
    pub fn share(&mut self, ami: &AmiId, what: &Sharing, account: &str, on: bool) {
        if what.image {
            let who = self.permissions.entry(ami.clone()).or_default();
            let _changed = if on {
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
            let _changed = if on {
                self.volume_permissions.insert(one)
            } else {
                self.volume_permissions.remove(&one)
            };
        }
    }

    /// Returns true if an account may copy an AMI.
    #[must_use]
    pub fn can_copy(&self, ami: &Ami, account: &str) -> bool {
        let snapshot = |s: &SnapshotId| {
            self.volume_permissions
                .contains(&(s.clone(), account.to_owned()))
        };
        self.permissions
            .get(&ami.id)
            .is_some_and(|who| who.contains(account))
            && ami.snapshots.iter().all(snapshot)
    }

    /// Keeps the current tags of an AMI for later reads, if the state has a tag lag.
    pub fn start_tag_lag(&mut self, id: &str) {
        let id = AmiId::from(id);
        if let Some(ami) = self.images.get(&id).filter(|_| self.lag > 0) {
            self.seen.entry(id).or_insert((self.lag, ami.tags.clone()));
        }
    }

    /// Replaces the tags of AMIs by the outdated ones.
    pub fn apply_tag_lag(&mut self, mut images: Vec<Ami>) -> Vec<Ami> {
        for ami in &mut images {
            let Some((left, tags)) = self.seen.get_mut(&ami.id) else {
                continue;
            };
            ami.tags.clone_from(tags);
            *left -= 1;
            if *left == 0 {
                self.seen.remove(&ami.id);
            }
        }
        images
    }

    /// Moves pending copies that were read to `available` or `failed`.
    pub fn advance_copies(&mut self, seen: &[Ami]) {
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

    /// Lists the remaining temporary resources: key pairs, groups and running instances.
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

    /// Lists the resources that a sweep may remove.
    #[must_use]
    pub fn temporaries(&self, region: &Region, query: &TemporaryQuery) -> Vec<TemporaryResource> {
        use TemporaryKind::{Image, Instance, KeyPair, SecurityGroup, Snapshot};
        let resource = |kind, id: &str, name: &str, tags: &Tags, used| TemporaryResource {
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
            .map(|(id, i)| resource(Instance, id.as_str(), "", &i.tags, false))
            .collect();
        out.extend(
            self.images
                .values()
                .map(|a| resource(Image, a.id.as_str(), &a.name, &a.tags, false)),
        );
        let orphans = self.orphans();
        out.extend(
            self.snapshots.iter().map(|(id, tags)| {
                resource(Snapshot, id.as_str(), "", tags, !orphans.contains(&id))
            }),
        );
        let is_used = |id: &String| live().any(|(_, i)| i.group == *id);
        out.extend(
            self.groups
                .iter()
                .map(|(id, g)| resource(SecurityGroup, id, &g.name, &g.tags, is_used(id))),
        );
        out.extend(
            self.key_pairs
                .iter()
                .map(|(name, tags)| resource(KeyPair, name, name, tags, false)),
        );
        let (key, value) = &query.owner;
        out.retain(|t| match t.tags.get(key) {
            Some(owner) => owner == value,
            None => t.name.starts_with(&query.prefix) || t.name.starts_with("packer_"),
        });
        out
    }

    /// Lists snapshots without an AMI.
    #[must_use]
    pub fn orphans(&self) -> Vec<&SnapshotId> {
        let used: Vec<&SnapshotId> = self.images.values().flat_map(|a| &a.snapshots).collect();
        self.snapshots
            .keys()
            .filter(|s| !used.contains(s))
            .collect()
    }

    /// Returns the tags of an AMI, a snapshot or an instance.
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

    /// Returns an instance and moves it on: from `pending` to `running`, from `shutting-down` to
    /// `terminated`.
    pub fn observe_instance(&mut self, id: &InstanceId) -> Option<Instance> {
        let instance = self.instances.get_mut(id)?;
        let status = instance.status.clone();
        let never_runs = self
            .never_runs
            .as_ref()
            .filter(|(name, _)| *name == instance.instance_type);
        match status.as_str() {
            "pending" if never_runs.is_some() => "terminated".clone_into(&mut instance.status),
            "pending" => "running".clone_into(&mut instance.status),
            "shutting-down" => "terminated".clone_into(&mut instance.status),
            _ => {}
        }
        let reason = never_runs.map(|(_, reason)| reason.clone());
        let reason = reason
            .or_else(|| self.early_end.clone())
            .filter(|_| status == "terminated");
        if status == "running" && self.early_end.is_some() {
            "terminated".clone_into(&mut instance.status);
        }
        let (private_ip, public_ip) = (Some("10.0.0.1".to_owned()), Some("192.0.2.1".to_owned()));
        Some(Instance {
            id: id.clone(),
            status,
            reason,
            private_ip,
            public_ip,
        })
    }
}
