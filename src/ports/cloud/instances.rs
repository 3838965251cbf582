//! Defines the port to EC2 instances.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{AmiId, InstanceId, Region, Tags};
use crate::ports::secret::Secret;

/// Settings of an instance.
#[derive(Debug, Clone)]
pub struct LaunchRequest {
    /// AMI to boot.
    pub ami: AmiId,
    /// Instance type.
    pub instance_type: String,
    /// Name of the key pair.
    pub key_name: String,
    /// ID of the security group.
    pub group: String,
    /// Subnet. `None` means a default subnet.
    pub subnet: Option<String>,
    /// Name of the instance profile.
    pub instance_profile: Option<String>,
    /// Request for a public IP address.
    pub public_address: bool,
    /// User data for the first boot. May contain secrets of this instance.
    pub user_data: Option<Secret>,
    /// Tags of the instance and its volumes, set by the call that creates them.
    pub tags: Tags,
    /// Client token that makes a repeated call idempotent.
    pub token: String,
}

/// Launch to test with a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRequest {
    /// AMI to launch.
    pub ami: AmiId,
    /// Instance types. The next one is used if EC2 refuses the one before for its capacity or quota.
    pub instance_types: Vec<String>,
    /// Subnets. The first that exists in the location is used. Empty means a default subnet.
    pub subnets: Vec<String>,
    /// Tags of the instance, its volumes and its network interface.
    pub tags: Tags,
}

/// Result of a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialOutcome {
    /// The instance could start.
    Passed,
    /// The account or the location refused the launch for a reason other than the AMI: a policy, a
    /// quota, the network or the capacity.
    Untested(String),
}

/// State of an instance as EC2 describes it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Instance ID.
    pub id: InstanceId,
    /// `pending`, `running`, `stopped`, `terminated`, …
    pub status: String,
    /// Reason for the state, if EC2 gives one.
    pub reason: Option<String>,
    /// Private IP address in the VPC.
    pub private_ip: Option<String>,
    /// Public IP address.
    pub public_ip: Option<String>,
}

/// Reads instances.
#[async_trait]
pub trait InstanceReader: Send + Sync {
    /// Describes one instance.
    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>>;
    /// Lists instances with these tags that are not terminated.
    async fn instances_with_tags(&self, region: &Region, tags: &Tags)
    -> CloudResult<Vec<Instance>>;
    /// Checks with a dry run that an instance of the AMI could be launched. The instance requires
    /// IMDSv2.
    async fn dry_run_launch(
        &self,
        region: &Region,
        request: &TrialRequest,
    ) -> CloudResult<TrialOutcome>;
}

/// Launches and terminates instances.
#[async_trait]
pub trait InstanceWriter: Send + Sync {
    /// Starts one instance.
    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId>;
    /// Terminates an instance. Returns false if it does not exist, or not yet.
    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<bool>;
}
