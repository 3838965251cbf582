//! Defines texts with their positions.

use std::collections::BTreeMap;

use crate::catalog::yaml::deserialize::Spanned;

/// Text with its byte range.
pub(crate) type Text = Spanned<String>;

/// Map of texts with their byte ranges.
pub(crate) type TextMap = BTreeMap<Text, Text>;
