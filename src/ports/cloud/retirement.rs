//! Defines the port to the retirement stages of AMIs.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{AmiId, Region, Timestamp};

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
    /// Removes launch permissions in the same format. Succeeds if they do not exist.
    async fn forbid(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()>;
}
