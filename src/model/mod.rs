//! Defines the terms of the domain: names, IDs, versions, states and the inventory.

mod evidence;
mod inventory;
mod process;
mod temporary;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::platform::Update;
pub use evidence::{BuildHistory, EVIDENCE_SCHEMA, Evidence, Manifest, Probe, StoreInventory};
pub use inventory::{
    Ami, Commit, INVENTORY_SCHEMA, Inventory, Location, Pointer, Reference, Sharing, Tags,
};
pub use jiff::Timestamp;
pub use process::ProcessIdentity;
pub use temporary::{TemporaryKind, TemporaryResource};

/// Error for an invalid name. The text follows "is not a valid …: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub String);

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_newtype! {
    /// Name of an image in the catalog, such as `jdk`; see [`check_name`].
    ImageName
}
text_newtype! {
    /// Name of the catalog. It separates the AMIs of several catalogs in one account.
    CatalogName
}
text_newtype! {
    /// Name of an environment, such as `Test`.
    EnvName
}
text_newtype! {
    /// AWS Region code, such as `eu-west-1`.
    Region
}
text_newtype! {
    /// ID of an AMI, such as `ami-0abc…`.
    AmiId
}
text_newtype! {
    /// ID of an EBS snapshot.
    SnapshotId
}
text_newtype! {
    /// ID of an EC2 instance.
    InstanceId
}
text_newtype! {
    /// ID of one execution of bakeline. IDs sort by start time.
    RunId
}

impl AmiId {
    /// Returns the words of a text that look like AMI IDs.
    pub fn find_all(text: &str) -> impl Iterator<Item = Self> + '_ {
        let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        parts
            .filter(|word| word.starts_with("ami-"))
            .map(Self::from)
    }
}

/// Checks a catalog or image name: 1 to 40 characters of `a-z 0-9 -` that start with a letter and
/// do not end with `-`.
///
/// The rule is stricter than EC2 (AMI names: 3 to 128 characters) and Packer (build names:
/// `[A-Za-z0-9_-]`, because the target field of its machine-readable output is not escaped), so
/// that every derived name is valid everywhere.
///
/// # Errors
/// The violated rule, as a fragment of a sentence.
pub fn check_name(text: &str) -> Result<(), NameError> {
    let wrong = |what: &str| Err(NameError(what.to_owned()));
    if text.is_empty() || text.len() > 40 {
        return wrong("it must have 1 to 40 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return wrong("it must start with a lower-case letter");
    }
    if text.ends_with('-') {
        return wrong("it must not end with `-`");
    }
    if let Some(c) = text
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
    {
        return Err(NameError(format!(
            "`{}` is not one of a-z, 0-9 and `-`",
            c.escape_default()
        )));
    }
    Ok(())
}

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
            _ => Err(NameError("use x86_64 or arm64".to_owned())),
        }
    }
}

/// Image version, `YYYYMMDD.N`: the UTC day of the run that built it and a counter within the day.
///
/// Versions are ordered by this value, never by the creation date of an AMI: a copy is newer than
/// its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Day as the number `YYYYMMDD`.
    pub day: u32,
    /// Counter within the day, from 1.
    pub number: u32,
}

impl Version {
    /// Returns the version that follows all versions in `existing` on the UTC day of `now`.
    #[must_use]
    pub fn next(now: Timestamp, existing: impl IntoIterator<Item = Version>) -> Self {
        let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let today = u32::try_from(date.year()).unwrap_or(0) * 10_000
            + u32::from(date.month().unsigned_abs()) * 100
            + u32::from(date.day().unsigned_abs());
        let newest = existing.into_iter().max();
        match newest {
            Some(v) if v.day >= today => v.number.checked_add(1).map_or(
                Self {
                    day: v.day + 1,
                    number: 1,
                },
                |number| Self { day: v.day, number },
            ),
            _ => Self {
                day: today,
                number: 1,
            },
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:08}.{}", self.day, self.number))
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parsed = text.split_once('.').and_then(|(day, number)| {
            let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            (day.len() == 8 && digits(day) && digits(number) && !number.starts_with('0'))
                .then(|| {
                    Some(Self {
                        day: day.parse().ok()?,
                        number: number.parse().ok()?,
                    })
                })
                .flatten()
        });
        parsed.ok_or_else(|| NameError("a version looks like 20261122.1".to_owned()))
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Versions of packer-plugin-amazon that builds accept, in the syntax that Packer and Cargo share.
pub const AMAZON_PLUGIN_VERSIONS: &str = ">= 1.2.0, < 2.0.0";

/// Returns the EC2 name of an AMI: `<catalog>/<image>/<arch>/<version>-<run>`.
#[must_use]
pub fn ami_name(
    catalog: &CatalogName,
    image: &ImageName,
    arch: Arch,
    version: Version,
    run: &RunId,
) -> String {
    format!("{catalog}/{image}/{arch}/{version}-{run}")
}

/// Returns the name of the SSM parameter for the current AMI:
/// `/bakeline/<catalog>/<image>/<env>/<arch>`.
#[must_use]
pub fn pointer_name(catalog: &CatalogName, image: &ImageName, env: &EnvName, arch: Arch) -> String {
    format!("/bakeline/{catalog}/{image}/{env}/{arch}")
}

/// State of a version, as in the tag `bakeline:state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not yet passed its boot checks; no lookup returns it.
    Candidate,
    /// Passed all checks.
    Released,
    /// Blocked from promotion and from builds on it.
    Held,
    /// Withdrawn with all versions built from it.
    Revoked,
    /// In retirement.
    Retiring,
}

impl State {
    /// Returns the value of the tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Released => "released",
            Self::Held => "held",
            Self::Revoked => "revoked",
            Self::Retiring => "retiring",
        }
    }
}

impl FromStr for State {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        [
            Self::Candidate,
            Self::Released,
            Self::Held,
            Self::Revoked,
            Self::Retiring,
        ]
        .into_iter()
        .find(|s| s.as_str() == text)
        .ok_or_else(|| NameError(format!("`{text}` is not a state")))
    }
}
