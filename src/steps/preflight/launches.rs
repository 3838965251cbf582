//! Lists builds, and the different launches that they need.

use crate::catalog::{Catalog, Image, Settings};
use crate::model::{AmiId, Arch, ImageName, Inventory};
use crate::plan::{Action, AmiRef, Plan, Step};

/// Launch of build and test instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    /// First image that needs it.
    pub(super) image: ImageName,
    /// AMI that an instance could start from, if one is known.
    pub(super) ami: Option<AmiId>,
    /// Instance types, the preferred one first. The others are used without capacity for it.
    pub(super) instance_types: Vec<String>,
    pub(super) arch: Arch,
    /// Subnets in the order of the catalog. Empty for a default subnet.
    pub(super) subnets: Vec<String>,
    pub(super) instance_profile: Option<String>,
    pub(super) public_address: bool,
}

impl Launch {
    /// Returns whether EC2 judges both launches alike, except for the AMI.
    fn is_like(&self, other: &Self) -> bool {
        let key = |l: &Self| {
            let network = (l.subnets.clone(), l.public_address);
            (
                l.instance_types.clone(),
                l.arch,
                l.instance_profile.clone(),
                network,
            )
        };
        key(self) == key(other)
    }
}

/// Build of an image, with an AMI that its instance could start from, if one is known.
pub struct BuildNeed<'c> {
    /// Image to build.
    pub image: &'c Image,
    /// AMI for a dry run.
    pub ami: Option<AmiId>,
}

/// Returns the builds of a plan.
#[must_use]
pub fn planned_builds<'c>(
    catalog: &'c Catalog,
    inventory: &Inventory,
    plan: &Plan,
) -> Vec<BuildNeed<'c>> {
    let build = |step: &Step| {
        let Action::Build { image, base, .. } = &step.action else {
            return None;
        };
        let need = build_of(catalog, inventory, catalog.images.get(image)?);
        Some(match base {
            AmiRef::Known(id) => BuildNeed {
                ami: Some(id.clone()),
                ..need
            },
            AmiRef::MadeBy(_) => need,
        })
    };
    plan.steps.iter().filter_map(build).collect()
}

/// Returns the build of an image that starts from the vendor AMI of its base image.
#[must_use]
pub fn build_of<'c>(
    catalog: &'c Catalog,
    inventory: &Inventory,
    image: &'c Image,
) -> BuildNeed<'c> {
    let source = inventory.sources.get(&catalog.base_of(image).name);
    BuildNeed {
        image,
        ami: source.and_then(|ami| Some(ami.as_ref()?.id.clone())),
    }
}

/// Returns the different launches of builds, in their order.
pub(super) fn different_launches(settings: &Settings, builds: &[BuildNeed<'_>]) -> Vec<Launch> {
    let mut out: Vec<Launch> = Vec::new();
    for BuildNeed { image, ami } in builds {
        let builder = image.builder(settings);
        let launch = Launch {
            image: image.name.clone(),
            ami: ami.clone(),
            instance_types: builder.types_for(image.arch).to_vec(),
            arch: image.arch,
            subnets: builder.subnets,
            instance_profile: builder.instance_profile,
            public_address: builder.public_address,
        };
        match out.iter_mut().find(|known| known.is_like(&launch)) {
            Some(known) => known.ami = known.ami.take().or(launch.ami),
            None => out.push(launch),
        }
    }
    out
}
