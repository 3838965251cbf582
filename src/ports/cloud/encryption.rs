//! Defines the port to the encryption of EBS volumes and snapshots.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{Region, SnapshotId};

/// Reads the encryption of EBS volumes and snapshots.
#[async_trait]
pub trait EncryptionReader: Send + Sync {
    /// Returns the KMS key of EBS encryption by default, or `None` if it is not enabled.
    async fn default_key(&self, region: &Region) -> CloudResult<Option<String>>;
    /// Returns the KMS keys of those snapshots that are encrypted.
    async fn snapshot_keys(
        &self,
        region: &Region,
        snapshots: &[SnapshotId],
    ) -> CloudResult<Vec<(SnapshotId, String)>>;
    /// Returns whether AWS manages a KMS key. Such a key cannot be shared with other accounts.
    async fn is_aws_managed(&self, region: &Region, key: &str) -> CloudResult<bool>;
}
