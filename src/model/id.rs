//! Defines names and IDs as types of their own.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl RunId {
    /// Returns whether the text is a run ID: ASCII letters, digits and `-`. Other texts must not become
    /// part of a key in the store.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !self.0.is_empty() && self.0.bytes().all(allowed)
    }
}

/// First words of the names of Regions (botocore, `partitions.json`).
const AREAS: [&str; 11] = [
    "af", "ap", "ca", "cn", "eu", "eusc", "il", "me", "mx", "sa", "us",
];
/// Other words of the names of Regions. `de` is part of `eusc-de-east-1`.
const DIRECTIONS: [&str; 15] = [
    "central",
    "de",
    "east",
    "gov",
    "iso",
    "isob",
    "isoe",
    "isof",
    "north",
    "northeast",
    "northwest",
    "south",
    "southeast",
    "southwest",
    "west",
];

impl Region {
    /// Returns whether all words of the name occur in names of Regions. False for most typing errors, but
    /// also for a part of the world that AWS added later.
    #[must_use]
    pub fn has_known_form(&self) -> bool {
        let (Some((area, rest)), Some((_, number))) =
            (self.0.split_once('-'), self.0.rsplit_once('-'))
        else {
            return false;
        };
        let middle = rest.strip_suffix(&format!("-{number}"));
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let mut words = middle.into_iter().flat_map(|text| text.split('-'));
        AREAS.contains(&area) && is_number && words.all(|word| DIRECTIONS.contains(&word))
    }

    /// Returns the partition of the Region, which is part of each ARN (AWS General Reference,
    /// "Amazon Resource Names").
    #[must_use]
    pub fn partition(&self) -> &'static str {
        let partitions = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("eusc-", "aws-eusc"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
        ];
        let found = partitions
            .iter()
            .find(|(prefix, _)| self.0.starts_with(prefix));
        found.map_or("aws", |(_, partition)| partition)
    }
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
