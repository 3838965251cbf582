//! Defines the checked catalog, with defaults applied and the contents of all files.

mod catalog;
mod image;
mod instance;
mod profile;
mod settings;
mod source;
mod store;
mod volume;
mod waiver;

pub use catalog::Catalog;
pub use image::{Image, Origin};
pub use instance::InstanceSettings;
pub use profile::Profile;
pub use settings::{
    AWS_MANAGED_KEY, Access, Brakes, Builder, Distribution, Environment, Gates, Imds,
    InstanceTypes, Notifier, OnFailure, Placement, Retention, Settings, TrialLaunch,
};
pub use source::{Source, SourceFilter, matches_ami_name};
pub use store::{Bucket, BucketEncryption, StoreSettings};
pub use volume::{Volume, VolumeType};
pub use waiver::CatalogWaiver;
