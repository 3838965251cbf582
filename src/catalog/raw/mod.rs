//! Defines the types of the catalog files: keys and types, before any check.
//!
//! The doc comments are the descriptions in the JSON Schemas that editors show. Most fields are
//! optional even if the schema requires them, so that a file with one wrong key is still checked.

mod arch;
mod image;
mod instance;
mod kms;
mod launch;
mod profile;
mod script;
mod settings;
mod source;
mod text;
mod volume;

pub(crate) use arch::RawArch;
pub(crate) use image::*;
pub(crate) use instance::*;
pub(crate) use kms::RawKmsKey;
pub(crate) use launch::RawLaunch;
pub(crate) use profile::*;
pub(crate) use script::*;
pub(crate) use settings::*;
pub(crate) use source::RawSource;
pub(crate) use text::{TagMap, Text, TextMap};
pub(crate) use volume::RawVolume;
