//! Defines the port to what a build requires of an account: Regions, network, instance types, KMS
//! keys, and the permission to create resources. No call changes anything.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{AmiId, Region, Tags};

/// A subnet with its place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Subnet ID.
    pub id: String,
    /// ID of its VPC.
    pub vpc: String,
    /// Name of its Availability Zone.
    pub zone: String,
}

/// A KMS key as its account describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// State of the key, such as `Enabled` or `PendingDeletion`.
    pub state: String,
    /// True if the key can encrypt and is enabled.
    pub is_usable: bool,
}

/// Launch to test with a dry run before its security group and key pair exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTest {
    /// AMI to launch.
    pub ami: AmiId,
    /// Instance type.
    pub instance_type: String,
    /// True if another instance type can take its place.
    pub has_fallback: bool,
    /// Subnet. `None` means a default subnet.
    pub subnet: Option<String>,
    /// Name of the instance profile.
    pub instance_profile: Option<String>,
    /// Request for a public IP address.
    pub public_address: bool,
    /// Tags of the instance, its volumes and its network interface.
    pub tags: Tags,
}

/// Call that creates a resource, as a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreationTest {
    /// RunInstances.
    Instance(LaunchTest),
    /// CreateKeyPair.
    KeyPair {
        /// Name of the key pair.
        name: String,
        /// Tags of the key pair.
        tags: Tags,
    },
    /// CreateSecurityGroup.
    SecurityGroup {
        /// Name of the group.
        name: String,
        /// VPC of the group. `None` means the default VPC.
        vpc: Option<String>,
        /// Tags of the group.
        tags: Tags,
    },
}

impl CreationTest {
    /// Returns the name of the API action.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Instance(_) => "RunInstances",
            Self::KeyPair { .. } => "CreateKeyPair",
            Self::SecurityGroup { .. } => "CreateSecurityGroup",
        }
    }
}

/// Reads what a build requires of an account.
#[async_trait]
pub trait PrerequisiteReader: Send + Sync {
    /// Lists the Regions that are enabled for the account.
    async fn enabled_regions(&self, region: &Region) -> CloudResult<BTreeSet<Region>>;
    /// Returns those of the subnets that exist in a Region.
    async fn subnets(&self, region: &Region, ids: &[String]) -> CloudResult<Vec<Subnet>>;
    /// Returns the default subnets of the default VPC, or `None` without a default VPC.
    async fn default_subnets(&self, region: &Region) -> CloudResult<Option<Vec<Subnet>>>;
    /// Returns the architectures of those instance types that a Region has.
    async fn instance_types(
        &self,
        region: &Region,
        names: &[String],
    ) -> CloudResult<BTreeMap<String, Vec<String>>>;
    /// Returns the Availability Zones that offer these instance types.
    async fn type_zones(
        &self,
        region: &Region,
        names: &[String],
    ) -> CloudResult<BTreeMap<String, BTreeSet<String>>>;
    /// Describes a KMS key. A key that does not exist is an error.
    async fn describe_key(&self, region: &Region, key: &str) -> CloudResult<KeyDescription>;
    /// Asks with a dry run whether the caller may create a resource.
    async fn test_creation(&self, region: &Region, test: &CreationTest) -> CloudResult<()>;
}
