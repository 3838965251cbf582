//! Owns the catalog as decisions see it: checked, with defaults filled in and every named file read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

pub use super::profile::Profile;
use crate::checks::{Control, Gate};
use crate::model::{Arch, CatalogName, EnvName, ImageName, Region, Tags};

/// A whole, valid catalog. The images' parents exist and form no cycle.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// `bakeline.yaml`.
    pub settings: Settings,
    /// `images/*.yaml` by name.
    pub images: BTreeMap<ImageName, Image>,
    /// Every template and every file that an image or template names: repository-relative path to content.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Every waiver, of the whole catalog and of single images, as it is written.
    pub waivers: Vec<super::WrittenWaiver>,
}

/// The project's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Tells this catalog's AMIs from all others.
    pub name: CatalogName,
    /// The Regions images are released to; the first is the one they are built in.
    pub regions: Vec<Region>,
    /// The environment a lookup means when none is given.
    pub default_environment: Option<EnvName>,
    /// The ladder, lowest rung first; a release reaches the first.
    pub environments: Vec<Environment>,
    /// How and where Packer's build instances run.
    pub builder: Builder,
    /// The key of the tag people read, `Environment` by default.
    pub environment_key: String,
    /// How much prune keeps of AMIs that are on no rung; each environment has its own.
    pub retention: Retention,
    /// What stops a prune that would remove too much.
    pub brakes: Brakes,
    /// Where recipes, facts, reports and locks are kept.
    pub store: StoreSettings,
    /// For how long a lock is held without a sign of life.
    pub lease: SignedDuration,
    /// What a failed image does to the others.
    pub on_failure: OnFailure,
    /// Who is told.
    pub notifiers: Vec<Notifier>,
    /// Which failed checks keep an image from being released.
    pub gate: Gate,
}

impl Settings {
    /// Returns the position of an environment in the order of environments.
    #[must_use]
    pub fn environment_level(&self, env: &EnvName) -> Option<usize> {
        self.environments.iter().position(|e| e.name == *env)
    }

    /// The Region images are built in.
    #[must_use]
    pub fn home(&self) -> &Region {
        &self.regions[0]
    }
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name, also the value of the `Environment` tag unless `tag_value` differs.
    pub name: EnvName,
    /// The value of the `Environment` tag.
    pub tag_value: String,
    /// The Regions it exists in; a subset of the settings'.
    pub regions: Vec<Region>,
    /// The accounts it is for; empty means the builder's own.
    pub accounts: Vec<String>,
    /// The role to assume there; in each of several accounts the one of the same name.
    pub role: Option<String>,
    /// How much prune keeps of what reached it.
    pub retention: Retention,
    /// What a version must have behind it before it is promoted here.
    pub gates: Gates,
}

/// How much prune keeps, and how long each rung of the way out lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The newest versions of each image that stay; 0 where only the reserve counts.
    pub keep: u32,
    /// Versions younger than this many days stay.
    pub days: u32,
    /// The promoted versions that stay in an environment above the lowest, to roll back to.
    pub reserve: u32,
    /// How long an AMI stays deprecated before it is disabled.
    pub disable_after: SignedDuration,
    /// How long an AMI stays disabled before it is deregistered.
    pub deregister_after: SignedDuration,
}

/// What stops a prune that would remove too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brakes {
    /// The most AMIs that one prune may move down the ladder.
    pub most: u32,
    /// The largest share of the catalog's AMIs, in percent, that one prune may move down.
    pub percent: u32,
}

/// What a version must have behind it before it is promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gates {
    /// How long it must have been current on the rung below.
    pub soak: SignedDuration,
    /// Whether the exact parent version must be there already.
    pub parent: bool,
}

/// Where recipes, facts, reports and locks are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// A folder, relative to the working directory.
    Path(String),
    /// An S3 bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// What all keys begin with; may be empty.
        prefix: String,
        /// Its Region.
        region: Region,
    },
}

/// How build and test instances run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// EC2 instance type, by architecture default `t3.small`.
    pub instance_type: String,
    /// The subnet; none means the default subnet of the default VPC.
    pub subnet: Option<String>,
    /// An instance profile for the build instance.
    pub instance_profile: Option<String>,
    /// Whether instances get, and are reached at, a public address.
    pub public_address: bool,
    /// Tags an organisation demands on everything temporary.
    pub tags: Tags,
    /// How the instance is reached.
    pub access: Access,
}

/// How bakeline and Packer reach an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// SSH, let in from these ranges.
    Cidrs(Vec<String>),
    /// SSH through an SSM session; no ingress at all.
    Ssm,
}

/// What happens to the other images when one fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Cancel what runs, start nothing new.
    #[default]
    Stop,
    /// Hold back only its descendants.
    Continue,
}

/// Who is told about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notifier {
    /// A Slack incoming webhook; its URL is a secret and lives in the named environment variable.
    Slack {
        /// The environment variable that holds the webhook's URL.
        webhook_env: String,
    },
}

/// One image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name.
    pub name: ImageName,
    /// One line for people.
    pub description: String,
    /// What it starts from.
    pub origin: Origin,
    /// The OS family; inherited from the base image.
    pub platform: crate::platform::Platform,
    /// The architecture; inherited from the base image.
    pub arch: Arch,
    /// The highest rung it may reach; the top by default.
    pub environment: EnvName,
    /// What makes it, in order.
    pub provision: Vec<crate::provision::Provision>,
    /// Every control that it must pass: its ancestors' first, as they are in this image.
    pub controls: Vec<Arc<Control>>,
    /// What its controls are reported under: its ancestors' profiles and its own, then the checks of image files.
    /// Without digests: ask [`Catalog::profiles`].
    pub profiles: Vec<Arc<Profile>>,
    /// Extra tags on the AMI.
    pub tags: Tags,
    /// Its root volume's size in GiB, if larger than the parent's is wanted.
    pub disk_gib: Option<u32>,
    /// How old it may get before it is built again.
    pub max_age: Option<SignedDuration>,
    /// After how many builds on itself it starts from its origin again.
    pub rebase_after: u32,
    /// The file it was read from.
    pub file: String,
}

/// What an image starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A base image: a vendor AMI.
    Source(Source),
    /// A custom image: another image of the catalog.
    Parent(ImageName),
}

/// How a base image finds its vendor AMI: the newest available one that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// By owner (account id or alias) and name pattern with `*` and `?`.
    Filter {
        /// `136693071363`, `amazon`, `self`, …
        owner: String,
        /// Such as `debian-12-amd64-*`.
        name: String,
    },
    /// By a public or own SSM parameter that holds an AMI id.
    Parameter(String),
}

impl Image {
    /// The parent's name, for a custom image.
    #[must_use]
    pub fn parent(&self) -> Option<&ImageName> {
        match &self.origin {
            Origin::Parent(name) => Some(name),
            Origin::Source(_) => None,
        }
    }

    /// The first Ansible playbook it plays, if any.
    #[must_use]
    pub fn plays(&self) -> Option<&str> {
        self.provision.iter().find_map(|p| match p {
            crate::provision::Provision::Ansible(ansible) => Some(ansible.playbook.as_str()),
            _ => None,
        })
    }
}

impl Catalog {
    /// The image and its ancestors, itself first, the base image last.
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

    /// Every control the image must pass: its ancestors' first, because a child must still pass them.
    #[must_use]
    pub fn controls(&self, name: &ImageName) -> Vec<&Control> {
        self.images
            .get(name)
            .into_iter()
            .flat_map(|image| &image.controls)
            .map(|control| &**control)
            .collect()
    }

    /// What the image's controls are reported under, in the order of the controls.
    #[must_use]
    pub fn profiles(&self, name: &ImageName) -> Vec<Profile> {
        let Some(image) = self.images.get(name) else {
            return Vec::new();
        };
        let digested = |profile: &Arc<Profile>| {
            let own = image
                .controls
                .iter()
                .map(|c| &**c)
                .filter(|c| c.origin.name == profile.name);
            Profile {
                sha256: profile.said(&own.collect::<Vec<_>>()),
                ..(**profile).clone()
            }
        };
        image.profiles.iter().map(digested).collect()
    }

    /// Every image with its parents before it, otherwise by name.
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
