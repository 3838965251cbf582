//! Owns the contract with the cloud about the way out of an AMI: deprecation, disabling, who may launch it, what EC2 knows
//! of its use.

use async_trait::async_trait;

use super::CloudResult;
use crate::model::{AmiId, Reference, Region, Timestamp};

/// The rungs of the ladder as the cloud has them. Every call may be repeated.
#[async_trait]
pub trait Ladder: Send + Sync {
    /// Says that an AMI is deprecated from `at` on, which is not in the past; EC2 keeps minutes only.
    async fn deprecate(&self, region: &Region, ami: &AmiId, at: Timestamp) -> CloudResult<()>;
    /// Takes that back.
    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Makes an AMI unlaunchable for everybody; its launch permissions are lost with that.
    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Takes that back, but for the permissions.
    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Who may launch an AMI beside its owner: account ids, ARNs of organisations and their units, `all`; sorted.
    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>>;
    /// Lets these launch it too.
    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()>;
    /// What EC2 itself says refers to these AMIs; none where it does not know the question. Who may not ask it gets an error.
    async fn reported(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>>;
}
