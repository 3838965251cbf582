//! Defines the settings of an image for its build and test instances.

use jiff::SignedDuration;

use super::settings::{Builder, Imds};
use crate::model::Arch;

/// Settings that an image or one of its ancestors sets. Other settings are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceSettings {
    /// EC2 instance types of the architecture of the image, the preferred one first. Empty if none
    /// is set.
    pub instance_types: Vec<String>,
    /// Subnets. Empty if none is set.
    pub subnets: Vec<String>,
    /// Instance profile.
    pub instance_profile: Option<String>,
    /// True if instances get a public address and are reached at it.
    pub public_address: Option<bool>,
    /// IMDS versions of instances that start from the AMIs.
    pub imds: Option<Imds>,
    /// Login user.
    pub login_user: Option<String>,
    /// True if Packer requests a terminal for its commands.
    pub ssh_pty: Option<bool>,
    /// Waiting time between the start of an instance and the first login.
    pub boot_wait: Option<SignedDuration>,
}

impl InstanceSettings {
    /// Returns the settings with those of the parent where the image sets none.
    #[must_use]
    pub fn with_parent(self, parent: &Self) -> Self {
        let list = |own: Vec<String>, inherited: &Vec<String>| {
            Some(own)
                .filter(|own| !own.is_empty())
                .unwrap_or_else(|| inherited.clone())
        };
        Self {
            instance_types: list(self.instance_types, &parent.instance_types),
            subnets: list(self.subnets, &parent.subnets),
            instance_profile: self
                .instance_profile
                .or_else(|| parent.instance_profile.clone()),
            public_address: self.public_address.or(parent.public_address),
            imds: self.imds.or(parent.imds),
            login_user: self.login_user.or_else(|| parent.login_user.clone()),
            ssh_pty: self.ssh_pty.or(parent.ssh_pty),
            boot_wait: self.boot_wait.or(parent.boot_wait),
        }
    }

    /// Returns the settings that are set, by key, as inputs of the recipe. Of a list of instance types
    /// or subnets, only the first is an input: the others only matter if it has no capacity.
    #[must_use]
    pub fn inputs(&self) -> Vec<(String, String)> {
        let values = [
            ("instance_type", self.instance_types.first().cloned()),
            ("subnet", self.subnets.first().cloned()),
            ("instance_profile", self.instance_profile.clone()),
            ("public_address", self.public_address.map(|v| v.to_string())),
            (
                "imds",
                self.imds.map(|imds| match imds {
                    Imds::V2 => "v2".to_owned(),
                    Imds::Optional => "optional".to_owned(),
                }),
            ),
            ("login_user", self.login_user.clone()),
            ("ssh_pty", self.ssh_pty.map(|v| v.to_string())),
            (
                "boot_wait",
                self.boot_wait.map(|v| format!("{} s", v.as_secs())),
            ),
        ];
        values
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }

    /// Returns the builder of the catalog with these settings, for an image of an architecture.
    #[must_use]
    pub fn apply_to(&self, general: &Builder, arch: Arch) -> Builder {
        let mut out = general.clone();
        if !self.instance_types.is_empty() {
            out.instance_types.insert(arch, self.instance_types.clone());
        }
        if !self.subnets.is_empty() {
            out.subnets.clone_from(&self.subnets);
        }
        if self.instance_profile.is_some() {
            out.instance_profile.clone_from(&self.instance_profile);
        }
        out.public_address = self.public_address.unwrap_or(out.public_address);
        out.imds = self.imds.unwrap_or(out.imds);
        out
    }
}
