//! Defines the EBS volumes of an image.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// An EBS volume of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volume {
    /// Device name of an additional volume, or `None` for the root volume.
    pub device: Option<String>,
    /// Size in GiB, or `None` for that of the source or parent.
    pub size_gib: Option<u32>,
    /// Volume type, or `None` for that of the source or parent.
    pub kind: Option<VolumeType>,
    /// Provisioned IOPS.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB/s.
    pub throughput: Option<u32>,
}

impl Volume {
    /// Returns the volume as an input of the recipe: its name, and its settings in a fixed order.
    #[must_use]
    pub fn input(&self) -> (String, String) {
        let name = self.device.as_deref().unwrap_or("root");
        let parts = [
            self.size_gib.map(|size| format!("{size} GiB")),
            self.kind.map(|kind| kind.to_string()),
            self.iops.map(|iops| format!("{iops} IOPS")),
            self.throughput.map(|rate| format!("{rate} MiB/s")),
        ];
        let settings: Vec<String> = parts.into_iter().flatten().collect();
        (format!("volume {name}"), settings.join(", "))
    }
}

/// Type of an EBS volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VolumeType {
    /// General Purpose SSD.
    Gp3,
    /// General Purpose SSD, previous generation.
    Gp2,
    /// Provisioned IOPS SSD.
    Io2,
    /// Provisioned IOPS SSD, previous generation.
    Io1,
    /// Throughput Optimized HDD.
    St1,
    /// Cold HDD.
    Sc1,
    /// Magnetic.
    Standard,
}

/// Limits of a volume type. Both ends of a range are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VolumeLimits {
    /// Sizes in GiB.
    pub(crate) size: (u32, u32),
    /// Provisioned IOPS, if the type has them.
    pub(crate) iops: Option<(u32, u32)>,
    /// Largest number of IOPS for each GiB.
    pub(crate) iops_per_gib: u32,
    /// True if the type can be a root volume.
    pub(crate) can_boot: bool,
}

impl VolumeType {
    /// Returns the spelling of EC2.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gp3 => "gp3",
            Self::Gp2 => "gp2",
            Self::Io2 => "io2",
            Self::Io1 => "io1",
            Self::St1 => "st1",
            Self::Sc1 => "sc1",
            Self::Standard => "standard",
        }
    }

    /// Returns the limits of the type.
    ///
    /// Sizes and types: EC2 API Reference, `EbsBlockDevice`. Ratios and boot volumes: Amazon EBS
    /// User Guide, "Amazon EBS volume types". EC2 allows more IOPS for `gp3` (80,000) and `io2`
    /// (256,000, and 1,000 for each GiB), but packer-plugin-amazon 1.8.2 rejects them
    /// (`builder/common/block_device.go`).
    pub(crate) fn limits(self) -> VolumeLimits {
        let limits = |size, iops, iops_per_gib, can_boot| VolumeLimits {
            size,
            iops,
            iops_per_gib,
            can_boot,
        };
        match self {
            Self::Gp3 => limits((1, 65_536), Some((3_000, 16_000)), 500, true),
            Self::Gp2 => limits((1, 16_384), None, 0, true),
            Self::Io2 => limits((4, 65_536), Some((100, 64_000)), 500, true),
            Self::Io1 => limits((4, 16_384), Some((100, 64_000)), 50, true),
            Self::St1 | Self::Sc1 => limits((125, 16_384), None, 0, false),
            Self::Standard => limits((1, 1_024), None, 0, true),
        }
    }
}

impl fmt::Display for VolumeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
