//! Defines the port to EC2, SSM and STS. Each service has one trait for reads and one for changes.

mod access;
mod encryption;
mod error;
mod images;
mod instances;
mod parameters;
mod prerequisites;
mod resources;
mod retirement;
mod role_session;
mod usage;

use async_trait::async_trait;

use crate::model::Region;

pub use access::{AccessReader, AccessWriter, GroupRequest};
pub use encryption::EncryptionReader;
pub use error::{CloudError, CloudErrorKind, CloudResult, launch_refusal_kind};
pub use images::{CopyRequest, Deregistration, ImageQuery, ImageReader, ImageWriter};
pub use instances::{
    Instance, InstanceReader, InstanceWriter, LaunchRequest, TrialOutcome, TrialRequest,
};
pub use parameters::{ParameterReader, ParameterWriter};
pub use prerequisites::{CreationTest, KeyDescription, LaunchTest, PrerequisiteReader, Subnet};
pub use resources::{ResourceReader, ResourceWriter, TemporaryQuery};
pub use retirement::Retirement;
pub use role_session::RoleSession;
pub use usage::UsageReader;

/// Caller identity of the credentials.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Account ID of 12 digits.
    pub account: String,
    /// ARN of the caller.
    pub arn: String,
}

/// Reads the caller of the credentials.
#[async_trait]
pub trait IdentityReader: Send + Sync {
    /// Returns account and caller. The cheapest test of endpoint and credentials.
    async fn identity(&self, region: &Region) -> CloudResult<Identity>;

    /// Explains the encoded details of a denial that another program printed. Returns `None` if the
    /// caller may not decode them.
    async fn explain_denial(&self, region: &Region, details: &str) -> Option<String>;
}

/// Calls that change nothing. A call with a Region goes to that Region.
pub trait CloudReader:
    IdentityReader
    + ImageReader
    + InstanceReader
    + AccessReader
    + EncryptionReader
    + ParameterReader
    + PrerequisiteReader
    + ResourceReader
    + UsageReader
{
}

impl<T> CloudReader for T where
    T: IdentityReader
        + ImageReader
        + InstanceReader
        + AccessReader
        + EncryptionReader
        + ParameterReader
        + PrerequisiteReader
        + ResourceReader
        + UsageReader
{
}

/// Calls that change resources. A call with a Region goes to that Region.
pub trait CloudWriter:
    ImageWriter + InstanceWriter + AccessWriter + ParameterWriter + ResourceWriter + Retirement
{
}

impl<T> CloudWriter for T where
    T: ImageWriter + InstanceWriter + AccessWriter + ParameterWriter + ResourceWriter + Retirement
{
}

/// Calls to EC2, SSM and STS: reads and changes.
pub trait Cloud: CloudReader + CloudWriter {}

impl<T: CloudReader + CloudWriter> Cloud for T {}
