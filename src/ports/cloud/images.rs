//! Defines the port to AMIs in EC2: describe, copy, share and deregister.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{Ami, AmiId, Region, Sharing, SnapshotId, Tags};

/// Conditions on the AMIs to describe. An AMI must meet all of them.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// Account IDs or aliases. Empty means the AMIs of this account, `*` any account.
    pub owners: Vec<String>,
    /// Name pattern with `*` and `?`.
    pub name: Option<String>,
    /// Exact IDs.
    pub ids: Vec<AmiId>,
    /// Tags that must have these values.
    pub tags: Tags,
    /// Further filters of DescribeImages. An AMI must match one of the values of each filter.
    pub filters: BTreeMap<String, Vec<String>>,
}

/// Settings of a copy of an AMI in another Region or account.
#[derive(Debug, Clone)]
pub struct CopyRequest {
    /// Region of the source AMI.
    pub source_region: Region,
    /// Source AMI.
    pub source: AmiId,
    /// Name of the copy.
    pub name: String,
    /// Tags of the copy and its snapshots, set by the call that creates them.
    pub tags: Tags,
    /// KMS key that encrypts the copy. `None` means the default of the account.
    pub kms_key: Option<String>,
    /// Client token that makes a repeated call idempotent.
    pub token: String,
}

/// Result of a deregistration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deregistration {
    /// The AMI existed. False if it does not exist, or not yet.
    pub existed: bool,
    /// Snapshots that still exist.
    pub remaining: Vec<SnapshotId>,
    /// First error of a deletion.
    pub reason: Option<String>,
}

/// Reads AMIs.
#[async_trait]
pub trait ImageReader: Send + Sync {
    /// Lists all matching AMIs, including disabled and deprecated ones.
    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>>;
    /// Returns the reason of EC2 for the state `failed` of an AMI, if there is one.
    async fn failure_reason(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>>;
    /// Returns the parts of an AMI that are shared with an account by its ID.
    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing>;
}

/// Changes AMIs.
#[async_trait]
pub trait ImageWriter: Send + Sync {
    /// Starts a copy of an AMI in `region`. The copy is `pending` at first.
    async fn copy_image(&self, region: &Region, request: &CopyRequest) -> CloudResult<AmiId>;
    /// Shares parts of an AMI with an account (`on`) or stops sharing them. May be repeated.
    async fn share(
        &self,
        region: &Region,
        ami: &AmiId,
        what: &Sharing,
        account: &str,
        on: bool,
    ) -> CloudResult<()>;
    /// Makes instances of an AMI require IMDSv2 by default. EC2 cannot undo it. May be repeated.
    async fn require_imds_v2(&self, region: &Region, ami: &AmiId) -> CloudResult<()>;
    /// Deregisters an AMI and deletes its snapshots, also those of an AMI that does not exist.
    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Deregistration>;
}
