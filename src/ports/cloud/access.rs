//! Defines the port to the EC2 key pair and the security group of a run.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{Region, Tags};
use crate::ports::secret::Secret;

/// Settings of the security group of a run.
#[derive(Debug, Clone)]
pub struct GroupRequest {
    /// Name, unique within the VPC.
    pub name: String,
    /// Subnet that determines the VPC. `None` means the default VPC.
    pub subnet: Option<String>,
    /// Tags set by the call that creates it.
    pub tags: Tags,
}

/// Reads key pairs and security groups.
#[async_trait]
pub trait AccessReader: Send + Sync {
    /// Returns the ID of the security group with this name and these tags.
    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>>;
    /// Returns whether EC2 lists a key pair with this name.
    async fn has_key_pair(&self, region: &Region, name: &str) -> CloudResult<bool>;
}

/// Creates and deletes key pairs and security groups.
#[async_trait]
pub trait AccessWriter: Send + Sync {
    /// Creates an ed25519 key pair and returns its private key.
    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret>;
    /// Deletes a key pair. Returns false if EC2 answers that it does not exist, or not yet. A role that
    /// may delete key pairs by tag is denied to delete one that does not exist.
    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<bool>;
    /// Creates a security group without ingress rules and returns its ID.
    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String>;
    /// Allows SSH from CIDR blocks. Succeeds if the rule exists.
    async fn allow_ssh(&self, region: &Region, group: &str, from: &[String]) -> CloudResult<()>;
    /// Deletes a security group. Returns false if it does not exist, or not yet.
    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<bool>;
}
