//! Owns the shapes users write: what keys there are, in which types, before anything is checked.
//!
//! The doc comments here are the descriptions in the JSON Schemas that editors show. All but lists and maps are optional
//! here even where the schema says `required`: a file with one wrong key is still read for the rest of its problems.

mod image;
mod profile;
mod settings;

pub(crate) use image::*;
pub(crate) use profile::*;
pub(crate) use settings::*;

use std::collections::BTreeMap;

use crate::catalog::yaml::deserialize::Spanned;

/// A piece of text with its span.
pub(crate) type Text = Spanned<String>;

/// A map from text to text; both with their spans.
pub(crate) type TextMap = BTreeMap<Text, Text>;
