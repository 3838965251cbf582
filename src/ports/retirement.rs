//! Defines the ports for the usage of AMIs and for their retirement.

use async_trait::async_trait;

use super::cloud::CloudResult;
use crate::model::{AmiId, Reference, Region, Timestamp};

/// Reads who may launch an AMI and who uses it.
#[async_trait]
pub trait UsageReader: Send + Sync {
    /// Lists the launch permissions of an AMI, sorted: account IDs, ARNs of organizations and
    /// organizational units, or `all`.
    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>>;
    /// Lists the references that EC2 reports for these AMIs. Returns `None` if the endpoint does
    /// not support the call. Missing permissions are an error.
    async fn reported_references(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>>;
}

/// Changes for the retirement stages of an AMI. Every call may be repeated.
#[async_trait]
pub trait Retirement: Send + Sync {
    /// Deprecates an AMI from `at` on, which must not be in the past. EC2 stores minutes.
    async fn deprecate(&self, region: &Region, ami: &AmiId, at: Timestamp) -> CloudResult<()>;
    /// Removes the deprecation of an AMI.
    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Disables an AMI. EC2 removes its launch permissions.
    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Enables a disabled AMI. Does not restore its launch permissions.
    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Adds launch permissions in the format of [`UsageReader::permissions`].
    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()>;
}
