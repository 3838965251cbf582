//! Defines the checked catalog, with defaults applied and the contents of all files.

mod catalog;
mod image;
mod instance;
mod profile;
mod settings;
mod volume;
mod waiver;

pub use catalog::Catalog;
pub use image::{Image, Origin, Source};
pub use instance::InstanceSettings;
pub use profile::Profile;
pub use settings::{
    Access, Brakes, Builder, Environment, Gates, Notifier, OnFailure, Retention, Settings,
    StoreSettings,
};
pub use volume::{Volume, VolumeType};
pub use waiver::CatalogWaiver;
