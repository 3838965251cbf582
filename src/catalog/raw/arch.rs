//! Defines the key `arch`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::model::Arch;

/// One architecture or several.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "Architectures")]
pub(crate) enum RawArch {
    /// One architecture.
    One(Arch),
    /// Several architectures. The expansion replaces a valid list by its entries.
    Several(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<Arch>),
}

/// The derived implementation for untagged enums would lose the message of the error.
impl<'de> Deserialize<'de> for RawArch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArchVisitor;
        impl<'de> Visitor<'de> for ArchVisitor {
            type Value = RawArch;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an architecture, or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawArch, E> {
                Arch::deserialize(text.into_deserializer()).map(RawArch::One)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RawArch, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(RawArch::Several)
            }
        }
        deserializer.deserialize_any(ArchVisitor)
    }
}
