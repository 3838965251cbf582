//! Defines texts with their positions.

use std::collections::BTreeMap;

use super::script::RawWord;
use crate::catalog::yaml::deserialize::Spanned;

/// Text with its byte range.
pub(crate) type Text = Spanned<String>;

/// Map of tags, with byte ranges. Values are texts, whole numbers or booleans.
pub(crate) type TagMap = BTreeMap<Text, Spanned<RawWord>>;

/// Map of texts with their byte ranges.
pub(crate) type TextMap = BTreeMap<Text, Text>;
