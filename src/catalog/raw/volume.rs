//! Defines the keys of a volume of an image.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Text;
use crate::catalog::syntax;
use crate::catalog::types::VolumeType;
use crate::catalog::yaml::deserialize::Spanned;

/// An EBS volume of an image.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Volume")]
pub(crate) struct RawVolume {
    /// `root`, or the device name of an additional volume, such as `/dev/sdf`.
    #[schemars(required, regex(pattern = syntax::VOLUME_DEVICE.pattern))]
    pub(crate) device: Option<Text>,
    /// Size in GiB. Required for additional volumes. Must not be smaller than in the parent.
    #[schemars(range(min = 1, max = 65536))]
    pub(crate) size: Option<Spanned<u32>>,
    /// Volume type. Default: `gp3` for additional volumes, and that of the source or parent for the
    /// root volume.
    #[serde(rename = "type")]
    pub(crate) kind: Option<Spanned<VolumeType>>,
    /// Provisioned IOPS of `gp3`, `io1` and `io2`. Required for `io1` and `io2`.
    #[schemars(range(min = 100, max = 64000))]
    pub(crate) iops: Option<Spanned<u32>>,
    /// Provisioned throughput of `gp3` in MiB/s.
    #[schemars(range(min = 125, max = 1000))]
    pub(crate) throughput: Option<Spanned<u32>>,
}
