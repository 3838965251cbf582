//! Defines the keys of `source`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Text;
use crate::catalog::syntax;

/// Selection of the vendor AMI: `owner` and `name`, or `ssm`. The newest available AMI that matches
/// is used. The plan resolves it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Source",
    extend("oneOf" = [{"required": ["owner", "name"]}, {"required": ["ssm"]}]),
    extend("examples" = [{"owner": "136693071363", "name": "debian-12-amd64-*"}])
)]
pub(crate) struct RawSource {
    /// Owner of the AMI: an account ID, `amazon`, `aws-marketplace`, `aws-backup-vault` or `self`.
    #[schemars(regex(pattern = syntax::IMAGE_OWNER.pattern))]
    pub(crate) owner: Option<Text>,
    /// Name pattern with `*` and `?`, such as `debian-12-amd64-*`.
    #[schemars(regex(pattern = syntax::IMAGE_PATTERN.pattern))]
    pub(crate) name: Option<Text>,
    /// SSM parameter with the AMI ID, such as `/aws/service/debian/release/12/latest/amd64`.
    #[schemars(regex(pattern = syntax::PARAMETER.pattern))]
    pub(crate) ssm: Option<Text>,
    /// Name patterns of AMIs to skip, such as `*-minimal-*`, with `*` and `?` as in `name`.
    #[serde(default)]
    #[schemars(inner(regex(pattern = syntax::IMAGE_PATTERN.pattern)))]
    pub(crate) exclude: Vec<Text>,
    /// Further filters of EC2's DescribeImages with lists of values, such as
    /// `{root-device-type: [ebs]}`.
    #[serde(default)]
    pub(crate) filters: BTreeMap<Text, Vec<Text>>,
    /// True to use a deprecated AMI. Default: `false`; deprecated AMIs are skipped.
    pub(crate) deprecated: Option<bool>,
}
