//! Defines the defaults of `bakeline.yaml` and of images.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::catalog::types::{
    Access, Brakes, Builder, Distribution, Environment, Gates, Imds, Retention, StoreSettings,
    TrialLaunch,
};
use crate::model::{Arch, EnvName, Region, Tags};

/// Longest description in characters: the limit of EC2 for the description of an AMI.
pub(crate) const MAX_DESCRIPTION: usize = 255;
/// Default environments, lowest first.
pub const ENVIRONMENTS: [&str; 2] = ["Test", "Prod"];
/// Key of the environment tag.
pub const ENVIRONMENT_KEY: &str = "Environment";
/// Retention: versions to keep, and the waiting time of each retirement stage.
pub const RETENTION: Retention = Retention {
    keep: 3,
    days: 0,
    reserve: 2,
    disable_after: SignedDuration::from_hours(7 * 24),
    deregister_after: SignedDuration::from_hours(7 * 24),
};
/// Limits of one prune.
pub const BRAKES: Brakes = Brakes {
    most: 50,
    percent: 50,
};
/// Promotion gates: no soak time; the layer parent must be released and have reached the
/// environment.
pub const GATES: Gates = Gates {
    soak: SignedDuration::ZERO,
    parent: true,
};
/// Tags that EC2 allows on a resource (EC2 User Guide, "Tag your resources").
pub const MAX_TAGS_OF_EC2: usize = 50;
/// Largest number of tags of bakeline on one AMI: those of a released version, the environment, and
/// some for the copies to other accounts that run at the same time.
pub const RESERVED_TAGS: usize = 25;
/// Number of builds on top of the previous version before a build starts from the origin again.
pub const REBASE_AFTER: u32 = 10;
/// Longest time of a build.
pub const BUILD_TIMEOUT: SignedDuration = SignedDuration::from_hours(4);
/// Largest `builder.timeout`. A sweep may remove the resources of a run 12 hours after its start, and the
/// checks of the AMI need some time, too.
pub const MAX_BUILD_TIMEOUT: SignedDuration = SignedDuration::from_hours(10);
/// Validity of a lock without a renewal.
pub const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// Directory of the store.
pub const STORE: &str = ".bakeline/store";
/// Instance types of build and test instances.
pub const INSTANCE_TYPES: [(Arch, &str); 2] =
    [(Arch::X86_64, "t3.small"), (Arch::Arm64, "t4g.small")];
/// Address ranges that may connect by SSH: the private ranges of RFC 1918, never the internet.
pub const CIDRS: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/// Owner of a file.
pub const OWNER: &str = "root:root";
/// Mode of a file.
pub const MODE: &str = "0644";

/// Returns the default environments, each in all Regions of the catalog and in the account of the
/// builder.
#[must_use]
pub fn environments(regions: &[Region]) -> Vec<Environment> {
    ENVIRONMENTS
        .iter()
        .enumerate()
        .map(|(level, name)| Environment {
            name: EnvName::from(*name),
            tag_value: (*name).to_owned(),
            regions: regions.to_vec(),
            accounts: Vec::new(),
            distribution: Distribution::Copy,
            role: None,
            kms_keys: BTreeMap::new(),
            launch: Some(TrialLaunch::default()),
            read_role: None,
            external_id: None,
            retention: retention_for_level(&RETENTION, level),
            gates: GATES,
        })
        .collect()
}

/// Returns the default retention of an environment, by its level.
///
/// `keep` applies to the lowest environment. Above it `reserve` applies.
#[must_use]
pub fn retention_for_level(general: &Retention, level: usize) -> Retention {
    let keep = if level == 0 { general.keep } else { 0 };
    Retention {
        keep,
        ..general.clone()
    }
}

/// Returns the default store: a local directory.
#[must_use]
pub fn store() -> StoreSettings {
    StoreSettings::path(STORE.to_owned())
}

/// Returns the default builder: SSH to a private address in the default subnet of the default VPC.
#[must_use]
pub fn builder() -> Builder {
    Builder {
        instance_types: INSTANCE_TYPES
            .map(|(arch, name)| (arch, vec![name.to_owned()]))
            .into(),
        subnets: Vec::new(),
        instance_profile: None,
        public_address: false,
        imds: Imds::V2,
        tags: Tags::new(),
        kms_keys: BTreeMap::new(),
        access: Access::Cidrs(CIDRS.map(str::to_owned).to_vec()),
        timeout: BUILD_TIMEOUT,
    }
}
