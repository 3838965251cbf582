//! Defines the terms of the domain: names, IDs, versions, states and the inventory.

mod arch;
mod denial;
mod endpoint;
mod evidence;
mod id;
mod image_name;
mod inventory;
mod name;
mod process;
mod state;
mod temporary;
#[cfg(test)]
mod tests;
mod version;

pub use crate::platform::Update;
pub use arch::Arch;
pub use denial::{
    DETAILS_OMITTED, encoded_details, explain_denial, explain_encoded_details, omit_encoded_details,
};
pub use endpoint::{is_aws_endpoint, s3_endpoint};
pub use evidence::{BuildHistory, EVIDENCE_SCHEMA, Evidence, Manifest, Probe, StoreInventory};
pub use id::{AmiId, CatalogName, EnvName, InstanceId, Region, RunId, SnapshotId};
pub use image_name::{ImageName, published_name};
pub use inventory::{
    Ami, Commit, INVENTORY_SCHEMA, Inventory, Location, Pointer, Reference, Sharing, SkippedAmis,
    Tags,
};
pub use jiff::Timestamp;
pub use name::{NameError, check_name};
pub use process::ProcessIdentity;
pub use state::State;
pub use temporary::{TemporaryKind, TemporaryResource};
pub use version::Version;

/// Returns a number with its noun: `1 image`, `2 images`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Versions of packer-plugin-amazon that builds accept, in the syntax that Packer and Cargo share.
pub const AMAZON_PLUGIN_VERSIONS: &str = ">= 1.2.0, < 2.0.0";

/// Returns the EC2 name of an AMI: `<catalog>/<image>/<arch>/<version>-<run>`.
#[must_use]
pub fn ami_name(
    catalog: &CatalogName,
    image: &ImageName,
    arch: Arch,
    version: Version,
    run: &RunId,
) -> String {
    format!("{catalog}/{}/{arch}/{version}-{run}", image.published())
}

/// Parses the version of an AMI name that [`ami_name`] returned for an image.
#[must_use]
pub fn version_in_ami_name(
    (catalog, image, arch): (&CatalogName, &ImageName, Arch),
    name: &str,
) -> Option<Version> {
    let prefix = format!("{catalog}/{}/{arch}/", image.published());
    let (version, _run) = name.strip_prefix(&prefix)?.split_once('-')?;
    version.parse().ok()
}

/// Parses the run of an AMI name that [`ami_name`] returned.
#[must_use]
pub fn run_in_ami_name(catalog: &CatalogName, name: &str) -> Option<RunId> {
    let rest = name.strip_prefix(catalog.as_str())?.strip_prefix('/')?;
    let [_image, _arch, version_and_run] = rest.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let (version, run) = version_and_run.split_once('-')?;
    version.parse::<Version>().ok()?;
    Some(RunId::from(run))
}

/// Returns the name of the SSM parameter for the current AMI:
/// `/bakeline/<catalog>/<image>/<env>/<arch>`.
#[must_use]
pub fn pointer_name(catalog: &CatalogName, image: &ImageName, env: &EnvName, arch: Arch) -> String {
    format!("/bakeline/{catalog}/{}/{env}/{arch}", image.published())
}
