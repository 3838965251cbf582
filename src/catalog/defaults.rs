//! Owns what holds when `bakeline.yaml` or an image says nothing: every default of the catalog, in one span.

use jiff::SignedDuration;

use crate::catalog::types::{
    Access, Brakes, Builder, Environment, Gates, Retention, StoreSettings,
};
use crate::model::{EnvName, Region, Tags};

/// Longest description in characters: the limit of EC2 for the description of an AMI.
pub(crate) const MAX_DESCRIPTION: usize = 255;
/// The environment ladder, lowest rung first.
pub const ENVIRONMENTS: [&str; 2] = ["Test", "Prod"];
/// The key of the tag that people read.
pub const ENVIRONMENT_KEY: &str = "Environment";
/// How many versions of an image stay, how many promoted ones, and how long each rung of the way out lasts.
pub const RETENTION: Retention = Retention {
    keep: 3,
    days: 0,
    reserve: 2,
    disable_after: SignedDuration::from_hours(7 * 24),
    deregister_after: SignedDuration::from_hours(7 * 24),
};
/// What one prune may move down the ladder.
pub const BRAKES: Brakes = Brakes {
    most: 50,
    percent: 50,
};
/// A version is promoted as soon as its parent is there.
pub const GATES: Gates = Gates {
    soak: SignedDuration::ZERO,
    parent: true,
};
/// After how many builds on itself an image starts from its origin again.
pub const REBASE_AFTER: u32 = 10;
/// For how long a lock is held without a sign of life.
pub const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// The store's folder.
pub const STORE: &str = ".bakeline/store";
/// The type of build and test instances.
pub const INSTANCE_TYPE: &str = "t3.small";
/// Where SSH is let in from: the private address ranges (RFC 1918), never the whole internet.
pub const CIDRS: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/// A file's owner.
pub const OWNER: &str = "root:root";
/// A file's mode.
pub const MODE: &str = "0644";

/// The default ladder, every rung in all of the catalog's Regions and in the builder's own account.
#[must_use]
pub fn environments(regions: &[Region]) -> Vec<Environment> {
    ENVIRONMENTS
        .iter()
        .enumerate()
        .map(|(rung, name)| Environment {
            name: EnvName::from(*name),
            tag_value: (*name).to_owned(),
            regions: regions.to_vec(),
            accounts: Vec::new(),
            role: None,
            retention: retention_for_level(&RETENTION, rung),
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

/// A folder on this machine.
#[must_use]
pub fn store() -> StoreSettings {
    StoreSettings::Path(STORE.to_owned())
}

/// SSH to a private address, in the default subnet of the default VPC.
#[must_use]
pub fn builder() -> Builder {
    Builder {
        instance_type: INSTANCE_TYPE.to_owned(),
        subnet: None,
        instance_profile: None,
        public_address: false,
        tags: Tags::new(),
        access: Access::Cidrs(CIDRS.map(str::to_owned).to_vec()),
    }
}
