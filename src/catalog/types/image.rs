//! Defines a checked image, with inherited values applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::instance::InstanceSettings;
use super::profile::Profile;
use super::settings::{Builder, Settings};
use super::source::Source;
use super::volume::Volume;
use crate::checks::Control;
use crate::model::{Arch, EnvName, ImageName, Tags};
use crate::platform::Platform;
use crate::provision::Provision;

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
    pub platform: Platform,
    /// Architecture, inherited from the base image.
    pub arch: Arch,
    /// Highest environment of the image, by default the last.
    pub environment: EnvName,
    /// Provisioners in order.
    pub provision: Vec<Provision>,
    /// Controls of the image, those of ancestors first.
    pub controls: Vec<Arc<Control>>,
    /// Profiles that its controls are reported under: those of its ancestors and its own, then the
    /// checks of image files. Without digests: see [`super::catalog::Catalog::profiles`].
    pub profiles: Vec<Arc<Profile>>,
    /// Variables of the image for file templates and for its own Packer template.
    pub template_variables: BTreeMap<String, serde_json::Value>,
    /// Extra tags of the AMI.
    pub tags: Tags,
    /// Volumes that the image sets, without those that it inherits.
    pub volumes: Vec<Volume>,
    /// Settings of its build and test instances that the image or an ancestor sets.
    pub instance: InstanceSettings,
    /// Packer template of the image, if it is not that of the catalog.
    pub template: Option<String>,
    /// Maximum age before the next build.
    pub max_age: Option<SignedDuration>,
    /// Number of builds on top of the previous version before a build starts from the origin again.
    pub rebase_after: u32,
    /// Variables that the recipe uses, with their values as text.
    pub variables: BTreeMap<String, String>,
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

impl Image {
    /// Returns the name of the parent of a custom image.
    #[must_use]
    pub fn parent(&self) -> Option<&ImageName> {
        match &self.origin {
            Origin::Parent(name) => Some(name),
            Origin::Source(_) => None,
        }
    }

    /// Returns the user for logins by SSH.
    #[must_use]
    pub fn login_user(&self) -> &str {
        let own = self.instance.login_user.as_deref();
        own.unwrap_or_else(|| self.platform.login_user())
    }

    /// Returns the settings of the build and test instances of the image.
    #[must_use]
    pub fn builder(&self, settings: &Settings) -> Builder {
        self.instance.apply_to(&settings.builder, self.arch)
    }

    /// Returns the first Ansible playbook of the image.
    #[must_use]
    pub fn first_playbook(&self) -> Option<&str> {
        self.provision.iter().find_map(|p| match p {
            Provision::Ansible(ansible) => Some(ansible.playbook.as_str()),
            _ => None,
        })
    }
}
