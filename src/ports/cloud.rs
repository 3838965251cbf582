//! Defines the port to EC2, SSM and STS, its requests and its errors.

use async_trait::async_trait;

use super::secret::Secret;
use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryResource,
};

/// Kind of a failed cloud call. Callers act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// The resource does not exist, or not yet.
    NotFound,
    /// A resource with this name exists already.
    Duplicate,
    /// The credentials do not allow the call.
    Denied,
    /// There are no usable credentials.
    Credentials,
    /// The endpoint did not answer.
    Unreachable,
    /// Too many calls, or a quota.
    Throttled,
    /// The service failed temporarily.
    Unavailable,
    /// Another resource depends on it, or its state does not allow the call yet.
    InUse,
    /// Not sent: the run lost its lock and may not change anything.
    Fenced,
    /// The response did not come from the API: a proxy's page, an empty body.
    Malformed,
    /// Any other error.
    Other,
}

/// A failed cloud call with its action, its Region and the message of the service.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} in {region}: {message}")]
pub struct CloudError {
    /// Kind of the error.
    pub kind: CloudErrorKind,
    /// API action, such as `DescribeImages`.
    pub action: &'static str,
    /// Region of the call.
    pub region: String,
    /// Code and message of the service.
    pub message: String,
}

impl CloudErrorKind {
    /// Returns true if the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Throttled | Self::Unavailable | Self::Malformed
        )
    }
}

/// Result of a cloud call.
pub type CloudResult<T> = Result<T, CloudError>;

/// Caller identity of the credentials.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Account ID of 12 digits.
    pub account: String,
    /// ARN of the caller.
    pub arn: String,
}

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
}

/// Conditions on the temporary resources to describe.
#[derive(Debug, Clone, Default)]
pub struct TemporaryQuery {
    /// Key and value of the tag of their catalog.
    pub owner: (String, String),
    /// Prefix of the AMI names of this catalog. An AMI of a killed build has no tags yet.
    pub prefix: String,
}

/// Settings of the security group of a run.
#[derive(Debug, Clone)]
pub struct GroupRequest {
    /// Name, unique within the VPC.
    pub name: String,
    /// Subnet that determines the VPC. `None` means the default VPC.
    pub subnet: Option<String>,
    /// CIDR blocks that may connect to port 22.
    pub ssh_from: Vec<String>,
    /// Tags set by the call that creates it.
    pub tags: Tags,
}

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
    /// Client token that makes a repeated call idempotent.
    pub token: String,
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

/// Calls to EC2, SSM and STS: reads and changes.
pub trait Cloud: CloudReader + CloudWriter {}

impl<T: CloudReader + CloudWriter> Cloud for T {}

/// Calls that change nothing. A call with a Region goes to that Region.
#[async_trait]
pub trait CloudReader: super::UsageReader + Send + Sync {
    /// Returns account and caller. The cheapest test of endpoint and credentials.
    async fn identity(&self, region: &Region) -> CloudResult<Identity>;
    /// Lists all matching AMIs, including disabled and deprecated ones.
    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>>;
    /// Lists references to these AMIs in a Region: instances that are not terminated, launch
    /// templates and launch configurations.
    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>>;
    /// Lists all AMI IDs in the SSM parameters of a Region, including IDs of missing AMIs.
    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>>;
    /// Returns the ID of the security group with this name and these tags.
    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>>;
    /// Describes one instance.
    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>>;
    /// Lists instances with these tags that are not terminated.
    async fn instances_with_tags(&self, region: &Region, tags: &Tags)
    -> CloudResult<Vec<Instance>>;
    /// Lists resources that may be temporary: resources with the catalog's tag, AMIs of this
    /// account without the tag whose names have the prefix, and key pairs and security groups
    /// with a name of Packer.
    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<TemporaryResource>>;
    /// Reads an SSM parameter.
    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>>;
    /// Lists the SSM parameters below a path with their values.
    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>>;
    /// Returns the reason of EC2 for the state `failed` of an AMI, if there is one.
    async fn failure_reason(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>>;
    /// Returns the parts of an AMI that are shared with an account by its ID.
    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing>;
    /// Checks with a dry run that an instance of the AMI could be launched.
    async fn dry_run_launch(
        &self,
        region: &Region,
        ami: &AmiId,
        instance_type: &str,
    ) -> CloudResult<()>;
}

/// Calls that change resources. A call with a Region goes to that Region.
#[async_trait]
pub trait CloudWriter: super::Retirement + Send + Sync {
    /// Creates an ed25519 key pair and returns its private key.
    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret>;
    /// Deletes a key pair. Succeeds if it does not exist.
    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<()>;
    /// Creates a security group and returns its ID.
    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String>;
    /// Deletes a security group. Succeeds if it does not exist.
    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<()>;
    /// Starts one instance.
    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId>;
    /// Terminates an instance. Succeeds if it does not exist.
    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<()>;
    /// Sets tags and overwrites existing values.
    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()>;
    /// Removes tags by key.
    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()>;
    /// Deregisters an AMI and deletes its snapshots. Returns the snapshots that still exist.
    /// Succeeds if the AMI does not exist.
    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Vec<SnapshotId>>;
    /// Deletes a snapshot. Succeeds if it does not exist.
    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<()>;
    /// Deletes a volume. Succeeds if it does not exist.
    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<()>;
    /// Writes an SSM parameter of data type `aws:ec2:image`. AWS validates the AMI ID only after
    /// the response, so callers must read the value again.
    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        tags: &Tags,
    ) -> CloudResult<()>;
    /// Deletes an SSM parameter. Succeeds if it does not exist.
    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()>;
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
}
