//! Defines the checked settings of `bakeline.yaml`, with defaults applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::SignedDuration;

use super::store::StoreSettings;
use crate::checks::Gate;
use crate::model::{Arch, CatalogName, EnvName, ImageName, Location, Region, Tags};

/// Alias of the KMS key that AWS manages for EBS. AMIs that are encrypted with it cannot be shared.
pub const AWS_MANAGED_KEY: &str = "alias/aws/ebs";

/// Settings of a catalog.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the catalog. Distinguishes its AMIs from others.
    pub name: CatalogName,
    /// Account of the builder, unless any is accepted.
    pub account: Option<String>,
    /// Architectures of the images, by published name. Empty until the image files are read.
    pub architectures: BTreeMap<String, BTreeSet<Arch>>,
    /// Regions that images are released to. Images are built in the first.
    pub regions: Vec<Region>,
    /// Environment to use for lookups that name none.
    pub default_environment: Option<EnvName>,
    /// Environments, lowest first. A release reaches the first.
    pub environments: Vec<Environment>,
    /// Settings of build instances.
    pub builder: Builder,
    /// Key of the environment tag, `Environment` by default.
    pub environment_key: String,
    /// Retention of AMIs without an environment. Each environment has its own.
    pub retention: Retention,
    /// Limits of one prune.
    pub brakes: Brakes,
    /// Location of the store.
    pub store: StoreSettings,
    /// Validity of a lock without a renewal.
    pub lease: SignedDuration,
    /// Behavior after a failed image.
    pub on_failure: OnFailure,
    /// Receivers of notifications.
    pub notifiers: Vec<Notifier>,
    /// Rule for failed checks that block a release.
    pub gate: Gate,
}

impl Settings {
    /// Returns the name of the image whose AMIs of an architecture are published as `published`. The
    /// name has the architecture if the image has several, or has another one, so that AMIs of
    /// different architectures never have the same name and version.
    #[must_use]
    pub fn image_name(&self, published: &str, arch: Arch) -> ImageName {
        let known = self.architectures.get(published);
        let is_only = known.map_or(arch == Arch::default(), |known| {
            known.len() == 1 && known.contains(&arch)
        });
        if is_only {
            ImageName::from(published)
        } else {
            ImageName::with_arch(published, arch)
        }
    }

    /// Returns whether a published name means images of several architectures.
    #[must_use]
    pub fn has_several_architectures(&self, published: &str) -> bool {
        let known = self.architectures.get(published);
        known.is_some_and(|known| known.len() > 1)
    }

    /// Returns whether `wanted` means the image `name`: it is the same, or `name` is one architecture
    /// of the image `wanted`, which left the catalog.
    #[must_use]
    pub fn is_meant(&self, name: &ImageName, wanted: &ImageName) -> bool {
        let has_left = !self.architectures.contains_key(wanted.as_str());
        name == wanted || has_left && name.published() == wanted.as_str()
    }

    /// Returns an environment.
    #[must_use]
    pub fn environment(&self, env: &EnvName) -> Option<&Environment> {
        self.environments.iter().find(|e| e.name == *env)
    }

    /// Returns the names of the environments, lowest first.
    #[must_use]
    pub fn environment_names(&self) -> Vec<EnvName> {
        self.environments.iter().map(|e| e.name.clone()).collect()
    }

    /// Returns the level of an environment.
    #[must_use]
    pub fn environment_level(&self, env: &EnvName) -> Option<usize> {
        self.environments.iter().position(|e| e.name == *env)
    }

    /// Returns the KMS key of the volumes of builds. `None` means the default of the account.
    #[must_use]
    pub fn build_key(&self) -> Option<&str> {
        self.builder.kms_keys.get(self.home()).map(String::as_str)
    }

    /// Returns the KMS key of a copy for an environment at a location. `None` means the default of
    /// the account. The keys of the builder apply only in its account.
    #[must_use]
    pub fn copy_key<'s>(&'s self, env: &'s Environment, location: &Location) -> Option<&'s str> {
        let own = env.kms_keys.get(&location.region);
        let general = || self.builder.kms_keys.get(&location.region);
        let key = own.or_else(|| general().filter(|_| location.account.is_none()));
        key.map(String::as_str)
    }

    /// Returns the Region of the builder.
    #[must_use]
    pub fn home(&self) -> &Region {
        &self.regions[0]
    }
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Name of the environment. Also the default of `tag_value`.
    pub name: EnvName,
    /// Value of the environment tag.
    pub tag_value: String,
    /// Regions of the environment, a subset of those of the catalog.
    pub regions: Vec<Region>,
    /// Accounts of the environment. Empty for the account of the builder.
    pub accounts: Vec<String>,
    /// Way in which the accounts get the AMIs.
    pub distribution: Distribution,
    /// Role to assume in the account. With several accounts, the role of this name in each.
    pub role: Option<String>,
    /// KMS keys of the copies, by Region.
    pub kms_keys: BTreeMap<Region, String>,
    /// Trial launch, unless it is disabled.
    pub launch: Option<TrialLaunch>,
    /// Role for commands that change nothing. Without it, these commands assume `role` with a
    /// policy that allows only reads.
    pub read_role: Option<String>,
    /// External ID that the trust policies of the roles require.
    pub external_id: Option<String>,
    /// Retention of the environment.
    pub retention: Retention,
    /// Promotion gates of the environment.
    pub gates: Gates,
}

/// EC2 instance types by architecture, the preferred one first.
pub type InstanceTypes = BTreeMap<Arch, Vec<String>>;

/// Instance type and subnet of a launch. Without a subnet, EC2 selects a default subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// EC2 instance type.
    pub instance_type: String,
    /// Subnet.
    pub subnet: Option<String>,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subnet {
            Some(subnet) => write!(f, "{} in {subnet}", self.instance_type),
            None => f.write_str(&self.instance_type),
        }
    }
}

impl Environment {
    /// Returns whether other accounts launch the AMIs of the builder's account.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.distribution, Distribution::Share { .. })
    }

    /// Returns the receivers of launch permissions, sorted: the accounts besides `own`, organizations
    /// and organizational units. Empty for an environment of copies.
    #[must_use]
    pub fn receivers(&self, own: &str) -> Vec<String> {
        let Distribution::Share { organizations } = &self.distribution else {
            return Vec::new();
        };
        let accounts = self.accounts.iter().filter(|account| *account != own);
        let all: BTreeSet<&String> = accounts.chain(organizations).collect();
        all.into_iter().cloned().collect()
    }
}

/// Way in which the accounts of an environment get its AMIs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Each account gets its own copies.
    #[default]
    Copy,
    /// The AMIs stay in the account of the builder, and the accounts may launch them.
    Share {
        /// ARNs of organizations and organizational units that may launch the AMIs too.
        organizations: Vec<String>,
    },
}

/// Settings of the trial launch at the locations of an environment besides home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrialLaunch {
    /// Subnets. Each location uses the first that exists there.
    pub subnets: Vec<String>,
    /// Instance types by architecture, instead of those of the builder. The first ones are preferred.
    pub instance_types: InstanceTypes,
    /// Tags in addition to those of the builder.
    pub tags: Tags,
}

/// Retention of versions, and waiting times of the retirement stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Number of newest versions of each image to keep. 0 if only `reserve` applies.
    pub keep: u32,
    /// Minimum age in days of versions to retire.
    pub days: u32,
    /// Number of promoted versions to keep for a rollback, in environments above the lowest.
    pub reserve: u32,
    /// Waiting time between deprecation and disabling.
    pub disable_after: SignedDuration,
    /// Waiting time between disabling and deregistration.
    pub deregister_after: SignedDuration,
}

/// Limits of one prune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brakes {
    /// Maximum number of AMIs that one prune may advance to a later retirement stage.
    pub most: u32,
    /// Maximum share of the AMIs of the catalog, in percent, that one prune may advance to a later
    /// retirement stage.
    pub percent: u32,
}

/// Promotion gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gates {
    /// Time that the version must have been current in the environment below.
    pub soak: SignedDuration,
    /// True if the exact parent version must be in the environment.
    pub parent: bool,
}

/// Settings of build and test instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// EC2 instance types by architecture. Contains a type for every architecture.
    pub instance_types: InstanceTypes,
    /// Subnets. Empty for the default subnet of the default VPC.
    pub subnets: Vec<String>,
    /// Instance profile.
    pub instance_profile: Option<String>,
    /// True if instances get a public address and are reached at it.
    pub public_address: bool,
    /// IMDS versions of instances that start from the AMIs.
    pub imds: Imds,
    /// Tags of all temporary resources.
    pub tags: Tags,
    /// KMS keys by Region. That of the first Region encrypts builds.
    pub kms_keys: BTreeMap<Region, String>,
    /// Access to the instances.
    pub access: Access,
    /// Longest time of a build.
    pub timeout: SignedDuration,
}

impl Builder {
    /// Returns the preferred instance type for images of an architecture.
    #[must_use]
    pub fn instance_type(&self, arch: Arch) -> &str {
        self.types_for(arch).first().map_or("", String::as_str)
    }

    /// Returns the instance types for images of an architecture, the preferred one first.
    #[must_use]
    pub fn types_for(&self, arch: Arch) -> &[String] {
        self.instance_types.get(&arch).map_or(&[], Vec::as_slice)
    }

    /// Returns the instance types and subnets in which an instance of an image can start, the
    /// preferred ones first: each type in all subnets, beginning with the subnet of the image.
    #[must_use]
    pub fn placements(&self, image: &str, arch: Arch) -> Vec<Placement> {
        let subnets: Vec<Option<&str>> = if self.subnets.is_empty() {
            vec![None]
        } else {
            self.subnets_from(image).map(Some).collect()
        };
        let placement = |name: &String, subnet: &Option<&str>| Placement {
            instance_type: name.clone(),
            subnet: subnet.map(str::to_owned),
        };
        let types = self.types_for(arch).iter();
        types
            .flat_map(|name| subnets.iter().map(move |subnet| placement(name, subnet)))
            .collect()
    }

    /// Returns the subnet for an image. The names of the images decide, so that builds in parallel
    /// are spread over the subnets and an image stays in its subnet.
    #[must_use]
    pub fn subnet(&self, image: &str) -> Option<&str> {
        self.subnets_from(image).next()
    }

    /// Returns all subnets, beginning with the one for an image.
    pub fn subnets_from(&self, image: &str) -> impl Iterator<Item = &str> {
        let hash = image.bytes().fold(0usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let at = hash.checked_rem(self.subnets.len()).unwrap_or(0);
        let (before, from) = self.subnets.split_at(at);
        from.iter().chain(before).map(String::as_str)
    }
}

/// Versions of the instance metadata service (IMDS).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Imds {
    /// IMDSv2 only (`ImdsSupport` of the AMI). EC2 cannot undo it.
    #[default]
    V2,
    /// IMDSv1 and IMDSv2.
    Optional,
}

/// Access to instances for bakeline and Packer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// SSH from these address ranges.
    Cidrs(Vec<String>),
    /// SSH through an SSM session, without ingress.
    Ssm,
}

/// Behavior for other images after a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Cancels running images and starts no others.
    #[default]
    Stop,
    /// Skips only the descendants.
    Continue,
}

/// Receiver of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notifier {
    /// A Slack incoming webhook. Its URL is a secret in an environment variable.
    Slack {
        /// Environment variable with the URL of the webhook.
        webhook_env: String,
    },
}
