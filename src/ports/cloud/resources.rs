//! Defines the port to EC2 resources of any type: tags, temporary resources and their deletion.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{Region, Tags, TemporaryResource};

/// Conditions on the temporary resources to describe.
#[derive(Debug, Clone, Default)]
pub struct TemporaryQuery {
    /// Key and value of the tag of their catalog.
    pub owner: (String, String),
    /// Prefix of the AMI names of this catalog. An AMI of a killed build has no tags yet.
    pub prefix: String,
}

/// Reads resources of a catalog.
#[async_trait]
pub trait ResourceReader: Send + Sync {
    /// Lists resources that may be temporary: resources with the catalog's tag, AMIs of this
    /// account without the tag whose names have the prefix, and key pairs and security groups
    /// with a name of Packer.
    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<TemporaryResource>>;
}

/// Tags EC2 resources and deletes snapshots and volumes.
#[async_trait]
pub trait ResourceWriter: Send + Sync {
    /// Sets tags and overwrites existing values.
    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()>;
    /// Removes tags by key.
    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()>;
    /// Deletes a snapshot. Returns false if it does not exist, or not yet.
    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<bool>;
    /// Deletes a volume. Returns false if it does not exist, or not yet.
    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<bool>;
}
