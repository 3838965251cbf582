//! Defines the key `launch` of an environment.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::text::{TagMap, Text};
use crate::catalog::syntax;

/// Trial launch of AMIs, or `false` for none.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "Launch")]
pub(crate) enum RawLaunch {
    /// True for a trial launch with the defaults.
    Enabled(bool),
    /// Settings of the trial launch.
    Settings(RawLaunchSettings),
}

/// Settings of the trial launch, which is a dry run of RunInstances. Instances require IMDSv2.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LaunchSettings")]
pub(crate) struct RawLaunchSettings {
    /// Subnet. Default: a default subnet of the default VPC.
    #[schemars(regex(pattern = syntax::SUBNET.pattern))]
    pub(crate) subnet: Option<Text>,
    /// Subnets, instead of `subnet`. Each location uses the first that exists there.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = syntax::SUBNET.pattern)))]
    pub(crate) subnets: Vec<Text>,
    /// EC2 instance type for the images of its architecture. Default: that of the builder.
    #[schemars(regex(pattern = syntax::INSTANCE_TYPE.pattern))]
    pub(crate) instance_type: Option<Text>,
    /// EC2 instance types, the preferred ones first, instead of `instance_type`. An image uses those
    /// of its architecture; the next one is used if the one before has no capacity.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = syntax::INSTANCE_TYPE.pattern)))]
    pub(crate) instance_types: Vec<Text>,
    /// Tags in addition to those of the builder.
    #[serde(default)]
    pub(crate) tags: TagMap,
}

/// The derived implementation for untagged enums would lose the position of the error.
impl<'de> Deserialize<'de> for RawLaunch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LaunchVisitor;
        impl<'de> Visitor<'de> for LaunchVisitor {
            type Value = RawLaunch;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`false`, or the settings of a trial launch")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<RawLaunch, E> {
                Ok(RawLaunch::Enabled(value))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawLaunch, A::Error> {
                RawLaunchSettings::deserialize(MapAccessDeserializer::new(map))
                    .map(RawLaunch::Settings)
            }
        }
        deserializer.deserialize_any(LaunchVisitor)
    }
}
