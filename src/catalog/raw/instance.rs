//! Defines the keys of an image for its build and test instances.

use schemars::JsonSchema;
use serde::Deserialize;

use super::settings::RawImds;
use super::text::Text;
use crate::catalog::syntax;
use crate::catalog::yaml::deserialize::Spanned;

/// Settings of the build and test instances of an image. Each key overrides that of `builder` in
/// `bakeline.yaml`, for the image and its children.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ImageBuilder")]
pub(crate) struct RawImageBuilder {
    /// EC2 instance type. Must have the architecture of the image.
    #[schemars(regex(pattern = syntax::INSTANCE_TYPE.pattern))]
    pub(crate) instance_type: Option<Text>,
    /// EC2 instance types, the preferred ones first, instead of `instance_type`. The image uses those
    /// of its architecture; the next one is used if the one before has no capacity.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = syntax::INSTANCE_TYPE.pattern)))]
    pub(crate) instance_types: Vec<Text>,
    /// Subnet. The security group of the build is created in its VPC.
    #[schemars(regex(pattern = syntax::SUBNET.pattern))]
    pub(crate) subnet: Option<Text>,
    /// Subnets, instead of `subnet`. The images are spread over them; another one is used if that of
    /// an image has no capacity.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = syntax::SUBNET.pattern)))]
    pub(crate) subnets: Vec<Text>,
    /// Name of an instance profile for the instances.
    #[schemars(regex(pattern = syntax::INSTANCE_PROFILE.pattern))]
    pub(crate) instance_profile: Option<Text>,
    /// True if instances get a public address and are reached at it.
    pub(crate) public_address: Option<Spanned<bool>>,
    /// IMDS versions of instances that start from the AMIs.
    pub(crate) imds: Option<RawImds>,
}
