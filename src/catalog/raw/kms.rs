//! Defines the key `kms_key`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::text::TextMap;
use crate::catalog::syntax;

/// A KMS key, or one for each Region: a key ID, `alias/NAME`, or the ARN of a key or alias.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "KmsKey")]
pub(crate) enum RawKmsKey {
    /// One key.
    One(#[schemars(regex(pattern = syntax::KMS_KEY.pattern))] String),
    /// Keys by Region, such as `{eu-west-1: alias/images}`.
    ByRegion(
        #[schemars(
            extend("additionalProperties" = {"type": "string", "pattern": syntax::KMS_KEY.pattern})
        )]
        TextMap,
    ),
}

/// The derived implementation for untagged enums would lose the position of the error.
impl<'de> Deserialize<'de> for RawKmsKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KmsKeyVisitor;
        impl<'de> Visitor<'de> for KmsKeyVisitor {
            type Value = RawKmsKey;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a KMS key, or a map of Regions to KMS keys")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawKmsKey, E> {
                Ok(RawKmsKey::One(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawKmsKey, A::Error> {
                TextMap::deserialize(MapAccessDeserializer::new(map)).map(RawKmsKey::ByRegion)
            }
        }
        deserializer.deserialize_any(KmsKeyVisitor)
    }
}
