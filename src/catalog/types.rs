//! Defines the checked catalog, with defaults applied and the contents of all files.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

pub use crate::catalog::profiles::profile::Profile;
use crate::checks::{Control, Gate};
use crate::model::{Arch, CatalogName, EnvName, ImageName, Region, Tags};

/// A valid catalog. All parents exist, and there are no cycles.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Settings of `bakeline.yaml`.
    pub settings: Settings,
    /// Images by name.
    pub images: BTreeMap<ImageName, Image>,
    /// Contents of all templates and of all files that images use, by path relative to the
    /// repository.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Waivers of `waivers.yaml` and of images.
    pub waivers: Vec<super::CatalogWaiver>,
}

/// Settings of a catalog.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the catalog. Distinguishes its AMIs from others.
    pub name: CatalogName,
    /// Regions that images are released to. Images are built in the first.
    pub regions: Vec<Region>,
    /// Environment of a lookup without an environment.
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
    /// Returns the level of an environment.
    #[must_use]
    pub fn environment_level(&self, env: &EnvName) -> Option<usize> {
        self.environments.iter().position(|e| e.name == *env)
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
    /// Name, and value of the environment tag unless `tag_value` differs.
    pub name: EnvName,
    /// Value of the environment tag.
    pub tag_value: String,
    /// Regions of the environment, a subset of those of the catalog.
    pub regions: Vec<Region>,
    /// Accounts of the environment. Empty for the account of the builder.
    pub accounts: Vec<String>,
    /// Role to assume in the account. With several accounts, the role of this name in each.
    pub role: Option<String>,
    /// Retention of the environment.
    pub retention: Retention,
    /// Promotion gates of the environment.
    pub gates: Gates,
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
    /// Largest number of AMIs that one prune may move.
    pub most: u32,
    /// Largest share of the AMIs of the catalog in percent that one prune may move.
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

/// Location of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// A directory, relative to the working directory.
    Path(String),
    /// An S3 bucket.
    S3 {
        /// Name.
        bucket: String,
        /// Prefix of all keys. May be empty.
        prefix: String,
        /// Region.
        region: Region,
    },
}

/// Settings of build and test instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// EC2 instance type, `t3.small` by default.
    pub instance_type: String,
    /// Subnet. `None` for the default subnet of the default VPC.
    pub subnet: Option<String>,
    /// Instance profile.
    pub instance_profile: Option<String>,
    /// True if instances get a public address and are reached at it.
    pub public_address: bool,
    /// Tags of all temporary resources.
    pub tags: Tags,
    /// Access to the instances.
    pub access: Access,
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

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Name.
    pub name: ImageName,
    /// Description.
    pub description: String,
    /// Origin.
    pub origin: Origin,
    /// OS family, inherited from the base image.
    pub platform: crate::platform::Platform,
    /// Architecture, inherited from the base image.
    pub arch: Arch,
    /// Highest environment of the image, by default the last.
    pub environment: EnvName,
    /// Provisioners in order.
    pub provision: Vec<crate::provision::Provision>,
    /// Controls of the image, those of ancestors first.
    pub controls: Vec<Arc<Control>>,
    /// Profiles that its controls are reported under: those of its ancestors and its own, then the
    /// checks of image files. Without digests: see [`Catalog::profiles`].
    pub profiles: Vec<Arc<Profile>>,
    /// Extra tags of the AMI.
    pub tags: Tags,
    /// Size of the root volume in GiB, if larger than that of the parent.
    pub disk_gib: Option<u32>,
    /// Maximum age before the next build.
    pub max_age: Option<SignedDuration>,
    /// Number of builds on top of the previous version before a build starts from the origin again.
    pub rebase_after: u32,
    /// Path of the file, relative to the repository.
    pub file: String,
}

/// Origin of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A base image: a vendor AMI.
    Source(Source),
    /// A custom image: another image of the catalog.
    Parent(ImageName),
}

/// Selection of a vendor AMI: the newest available one that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Owner (account ID or alias) and name pattern with `*` and `?`.
    Filter {
        /// Owner: `136693071363`, `amazon`, `self`, …
        owner: String,
        /// Name pattern, such as `debian-12-amd64-*`.
        name: String,
    },
    /// SSM parameter with an AMI ID.
    Parameter(String),
}

impl Image {
    /// Returns the name of the parent of a custom image.
    #[must_use]
    pub fn parent(&self) -> Option<&ImageName> {
        match &self.origin {
            Origin::Parent(name) => Some(name),
            Origin::Source(_) => None,
        }
    }

    /// Returns the first Ansible playbook of the image.
    #[must_use]
    pub fn plays(&self) -> Option<&str> {
        self.provision.iter().find_map(|p| match p {
            crate::provision::Provision::Ansible(ansible) => Some(ansible.playbook.as_str()),
            _ => None,
        })
    }
}

impl Catalog {
    /// Returns the image and its ancestors, the base image last.
    #[must_use]
    pub fn lineage(&self, name: &ImageName) -> Vec<&Image> {
        let mut out = Vec::new();
        let mut next = self.images.get(name);
        while let Some(image) = next {
            out.push(image);
            next = image.parent().and_then(|p| self.images.get(p));
        }
        out
    }

    /// Returns the controls of the image, those of ancestors first.
    #[must_use]
    pub fn controls(&self, name: &ImageName) -> Vec<&Control> {
        self.images
            .get(name)
            .into_iter()
            .flat_map(|image| &image.controls)
            .map(|control| &**control)
            .collect()
    }

    /// Returns the profiles of the image with their digests, in the order of the controls.
    #[must_use]
    pub fn profiles(&self, name: &ImageName) -> Vec<Profile> {
        let Some(image) = self.images.get(name) else {
            return Vec::new();
        };
        let with_digest = |profile: &Arc<Profile>| {
            let own = image
                .controls
                .iter()
                .map(|c| &**c)
                .filter(|c| c.defined_at.name == profile.name);
            Profile {
                sha256: profile.compute_digest(&own.collect::<Vec<_>>()),
                ..(**profile).clone()
            }
        };
        image.profiles.iter().map(with_digest).collect()
    }

    /// Returns all images, parents first and then by name.
    #[must_use]
    pub fn parents_first(&self) -> Vec<&Image> {
        let mut all: Vec<(usize, &Image)> = self
            .images
            .values()
            .map(|i| (self.lineage(&i.name).len(), i))
            .collect();
        all.sort_by_key(|(depth, image)| (*depth, &image.name));
        all.into_iter().map(|(_, image)| image).collect()
    }
}
