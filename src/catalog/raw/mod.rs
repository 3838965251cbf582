//! Defines the types of the catalog files: keys and types, before any check.
//!
//! The doc comments are the descriptions in the JSON Schemas that editors show. Most fields are
//! optional even if the schema requires them, so that a file with one wrong key is still checked.

mod image;
mod profile;
mod settings;

pub(crate) use image::*;
pub(crate) use profile::*;
pub(crate) use settings::*;

use std::collections::BTreeMap;

use crate::catalog::yaml::deserialize::Spanned;

/// Text with its byte range.
pub(crate) type Text = Spanned<String>;

/// Map of texts with their byte ranges.
pub(crate) type TextMap = BTreeMap<Text, Text>;
