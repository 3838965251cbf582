//! Defines the port to the usage of AMIs.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{AmiId, Reference, Region};

/// Reads who may launch an AMI and who uses it.
#[async_trait]
pub trait UsageReader: Send + Sync {
    /// Lists the launch permissions of an AMI, sorted: account IDs, ARNs of organizations and
    /// organizational units, or `all`. Fails if the AMI does not exist.
    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>>;
    /// Lists references to these AMIs in a Region: instances that are not terminated, launch
    /// templates and launch configurations.
    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>>;
    /// Lists the launch configurations of Auto Scaling with these AMIs.
    async fn launch_configurations(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Vec<Reference>>;
    /// Lists the references that EC2 reports for these AMIs. Returns `None` if the endpoint does
    /// not support the call. Missing permissions are an error.
    async fn reported_references(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>>;
}
