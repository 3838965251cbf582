//! Defines the processor architecture of an image.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name::NameError;

/// Processor architecture in EC2's spelling.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Arch {
    /// Returns the spelling of EC2.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Returns the architecture of an EC2 instance type such as `t4g.small`.
    ///
    /// `g` after the generation means a Graviton processor (Amazon EC2 Instance Types, "Instance
    /// type naming conventions"). `a1` and Apple silicon are older and newer exceptions.
    #[must_use]
    pub fn of_instance_type(instance_type: &str) -> Self {
        let family = instance_type.split('.').next().unwrap_or_default();
        let is_exception = family == "a1" || family.starts_with("mac2");
        let series = family.trim_start_matches(|c: char| !c.is_ascii_digit());
        let options = series.trim_start_matches(|c: char| c.is_ascii_digit());
        if is_exception || options.contains('g') {
            Self::Arm64
        } else {
            Self::X86_64
        }
    }

    /// Returns an instance family of this architecture that is similar to an instance type of
    /// another architecture.
    ///
    /// Source: Amazon EC2 Instance Types, "Instance type specifications".
    #[must_use]
    pub fn similar_family(self, instance_type: &str) -> String {
        let family = instance_type.split('.').next().unwrap_or_default();
        let series = family.trim_end_matches(|c: char| !c.is_ascii_digit());
        let letters: String = family.chars().take_while(|c| !c.is_ascii_digit()).collect();
        let number = series[letters.len()..]
            .chars()
            .take_while(char::is_ascii_digit);
        let generation: u32 = number.collect::<String>().parse().unwrap_or(0);
        match (self, letters.as_str()) {
            (Self::Arm64, "m" | "c" | "r") => format!("{letters}{}g", generation.clamp(6, 8)),
            (Self::X86_64, "m" | "c" | "r") => format!("{letters}{}i", generation.clamp(6, 8)),
            (Self::Arm64, "x") => "x2gd".to_owned(),
            (Self::Arm64, "i") => "i4g".to_owned(),
            (Self::Arm64, "g") => "g5g".to_owned(),
            (Self::X86_64, "x") => "x2idn".to_owned(),
            (Self::X86_64, "i" | "im" | "is") => "i4i".to_owned(),
            (Self::X86_64, "g") => "g5".to_owned(),
            (Self::Arm64, _) => "t4g".to_owned(),
            (Self::X86_64, _) => "t3".to_owned(),
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Arch {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "x86_64" | "amd64" => Ok(Self::X86_64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(NameError::Arch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arch;

    #[test]
    fn graviton_types_are_arm64() {
        for name in [
            "t4g.small",
            "m7g.large",
            "m6gd.metal",
            "c7gn.xlarge",
            "im4gn.large",
            "is4gen.medium",
            "x2gd.medium",
            "g5g.xlarge",
            "hpc7g.4xlarge",
            "i8g.large",
            "a1.medium",
            "mac2.metal",
            "mac2-m2.metal",
            "r8gb.large",
        ] {
            assert_eq!(Arch::of_instance_type(name), Arch::Arm64, "{name}");
        }
        for name in [
            "t3.small",
            "t3a.small",
            "m5dn.large",
            "g4dn.xlarge",
            "g6.xlarge",
            "p4d.24xlarge",
            "u-6tb1.metal",
            "mac1.metal",
            "m7i-flex.large",
            "inf2.xlarge",
            "trn1n.32xlarge",
            "vt1.3xlarge",
            "hpc7a.96xlarge",
        ] {
            assert_eq!(Arch::of_instance_type(name), Arch::X86_64, "{name}");
        }
    }
}
