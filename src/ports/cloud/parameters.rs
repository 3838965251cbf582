//! Defines the port to SSM parameters that hold AMI IDs.

use async_trait::async_trait;

use super::error::CloudResult;
use crate::model::{AmiId, Reference, Region, Tags};

/// Reads SSM parameters.
#[async_trait]
pub trait ParameterReader: Send + Sync {
    /// Reads an SSM parameter.
    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>>;
    /// Returns the type and data type of an SSM parameter that cannot hold an AMI ID of data type
    /// `aws:ec2:image`, such as `SecureString, text`. None if it can, or if it does not exist. AWS
    /// refuses to change either type of an existing parameter.
    async fn other_parameter_type(
        &self,
        region: &Region,
        name: &str,
    ) -> CloudResult<Option<String>>;
    /// Lists the SSM parameters below a path with their values.
    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>>;
    /// Lists all AMI IDs in the SSM parameters of a Region, including IDs of missing AMIs.
    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>>;
}

/// Writes SSM parameters.
#[async_trait]
pub trait ParameterWriter: Send + Sync {
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
}
