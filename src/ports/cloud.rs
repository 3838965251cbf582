//! Owns the contract with the cloud: what can be asked of EC2, SSM and STS, and what kinds of answers there are.

use async_trait::async_trait;

use super::Secret;
use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryResource,
};

/// What kind of answer a failed cloud call is, so that callers can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// The thing asked for does not exist (or not yet).
    NotFound,
    /// A thing of that name exists already.
    Duplicate,
    /// The credentials don't allow it.
    Denied,
    /// There are no usable credentials.
    Credentials,
    /// The endpoint did not answer.
    Unreachable,
    /// Too many calls, or a quota.
    Throttled,
    /// The service failed to answer, for now.
    Unavailable,
    /// Something still depends on it, or its state does not allow the call yet.
    InUse,
    /// Not asked: the run lost its lock and may not change anything any more.
    Fenced,
    /// Something answered, but not with what the API answers: a proxy's page, an empty body.
    Malformed,
    /// Anything else.
    Other,
}

/// A failed cloud call: names the action, the Region and what the cloud said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} in {region}: {message}")]
pub struct CloudError {
    /// What kind of answer it is.
    pub kind: CloudErrorKind,
    /// The API action, such as `DescribeImages`.
    pub action: &'static str,
    /// The Region asked.
    pub region: String,
    /// The cloud's code and message.
    pub message: String,
}

impl CloudErrorKind {
    /// Returns whether the same call may succeed a moment later, and says nothing about what it is about.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Throttled | Self::Unavailable | Self::Malformed
        )
    }
}

/// The result of a cloud call.
pub type CloudResult<T> = Result<T, CloudError>;

/// Who we are to the cloud.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The account's 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

/// Which AMIs to describe; all conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// Account ids or aliases; empty means own images.
    pub owners: Vec<String>,
    /// Name pattern with `*` and `?`.
    pub name: Option<String>,
    /// Exact ids.
    pub ids: Vec<AmiId>,
    /// Tags that must have these values.
    pub tags: Tags,
}

/// Whose temporary things to describe.
#[derive(Debug, Clone, Default)]
pub struct TemporaryQuery {
    /// The tag that says whose they are.
    pub owner: (String, String),
    /// What the names of its AMIs begin with: an AMI of a killed build has no tags yet.
    pub prefix: String,
}

/// What a security group for one run needs.
#[derive(Debug, Clone)]
pub struct GroupRequest {
    /// Its name, unique within the VPC.
    pub name: String,
    /// The subnet whose VPC it is for; none means the default VPC.
    pub subnet: Option<String>,
    /// Ranges that may reach port 22.
    pub ssh_from: Vec<String>,
    /// Tags set in the call that creates it.
    pub tags: Tags,
}

/// What an instance needs.
#[derive(Debug, Clone)]
pub struct LaunchRequest {
    /// The AMI to boot.
    pub ami: AmiId,
    /// The instance type.
    pub instance_type: String,
    /// The key pair's name.
    pub key_name: String,
    /// The security group's id.
    pub group: String,
    /// The subnet; none means a default one.
    pub subnet: Option<String>,
    /// The instance profile's name.
    pub instance_profile: Option<String>,
    /// Whether it gets a public address.
    pub public_address: bool,
    /// What the instance is told at its first boot; it may hold secrets of that instance.
    pub user_data: Option<Secret>,
    /// Tags of the instance and its volumes, set in the call that creates them.
    pub tags: Tags,
    /// Makes a repeated call harmless.
    pub token: String,
}

/// What a copy of an AMI in another Region or account needs.
#[derive(Debug, Clone)]
pub struct CopyRequest {
    /// The Region of the original.
    pub source_region: Region,
    /// The original.
    pub source: AmiId,
    /// The copy's name.
    pub name: String,
    /// Tags of the copy and its snapshots, set in the call that creates them.
    pub tags: Tags,
    /// Makes a repeated call harmless.
    pub token: String,
}

/// An instance as the cloud describes it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// `pending`, `running`, `stopped`, `terminated`, …
    pub status: String,
    /// Why it is in that state, where the cloud says.
    pub reason: Option<String>,
    /// The address within the VPC.
    pub private_ip: Option<String>,
    /// The public address.
    pub public_ip: Option<String>,
}

/// The cloud: what a release, a promotion and a prune need of EC2, SSM and STS.
#[async_trait]
pub trait Cloud: super::Ladder + Send + Sync {
    /// Account and caller; also the cheapest proof that endpoint and credentials work.
    async fn identity(&self, region: &Region) -> CloudResult<Identity>;
    /// All matching AMIs, every page, disabled and deprecated ones included.
    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>>;
    /// Lists what refers to these AMIs in a Region: instances that are not terminated, launch templates, launch
    /// configurations.
    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>>;
    /// Lists every AMI ID that an SSM parameter of a Region contains, whether an AMI of that ID exists or not.
    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>>;
    /// Makes an ed25519 key pair and returns its private half.
    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret>;
    /// Deletes a key pair; one that does not exist is fine.
    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<()>;
    /// Makes a security group and returns its id.
    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String>;
    /// The id of the security group with this name that carries these tags.
    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>>;
    /// Deletes a security group; one that does not exist is fine.
    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<()>;
    /// Starts one instance.
    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId>;
    /// Describes one instance.
    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>>;
    /// Instances with these tags that are not terminated.
    async fn instances_tagged(&self, region: &Region, tags: &Tags) -> CloudResult<Vec<Instance>>;
    /// Terminates an instance; one that does not exist is fine.
    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<()>;
    /// Sets tags, overwriting.
    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()>;
    /// Removes tags by key.
    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()>;
    /// Deregisters an AMI and deletes its snapshots; returns the snapshots that are still there. Gone already is fine.
    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Vec<SnapshotId>>;
    /// Deletes a snapshot; one that does not exist is fine.
    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<()>;
    /// Deletes a volume; one that does not exist is fine.
    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<()>;
    /// Everything that may be temporary: what carries the owner's tag, own AMIs without it whose names begin with the
    /// prefix, and key pairs and security groups named as Packer names its own.
    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<TemporaryResource>>;
    /// Reads an SSM parameter.
    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>>;
    /// Writes an SSM parameter that holds an AMI id (`aws:ec2:image`: validated after the call, so read it back).
    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        tags: &Tags,
    ) -> CloudResult<()>;
    /// Deletes an SSM parameter; one that does not exist is fine.
    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()>;
    /// Every SSM parameter below a path, with its value.
    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>>;
    /// Begins to copy an AMI into `region`; the copy is `pending` for a while.
    async fn copy_image(&self, region: &Region, request: &CopyRequest) -> CloudResult<AmiId>;
    /// Why EC2 says that an AMI failed, where it says.
    async fn why_failed(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>>;
    /// What of an AMI another account may use by its own number.
    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing>;
    /// Lets (`on`) another account use this of an AMI, or no longer; twice is fine.
    async fn share(
        &self,
        region: &Region,
        ami: &AmiId,
        what: &Sharing,
        account: &str,
        on: bool,
    ) -> CloudResult<()>;
    /// Asks whether an instance of the AMI would start, and starts none.
    async fn dry_run_launch(
        &self,
        region: &Region,
        ami: &AmiId,
        instance_type: &str,
    ) -> CloudResult<()>;
}
