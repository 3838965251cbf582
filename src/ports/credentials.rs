//! Defines the port that provides AWS credentials for other programs.

use async_trait::async_trait;

use super::cloud::CloudResult;
use super::secret::Secret;
use crate::model::Timestamp;

/// AWS credentials.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// ID of the access key.
    pub key_id: String,
    /// Secret access key.
    pub secret_key: Secret,
    /// Token of a session. `None` for the keys of a user.
    pub session_token: Option<Secret>,
    /// Time after which they are invalid.
    pub expires: Option<Timestamp>,
}

/// Source of the caller's credentials: the credential chain of the AWS SDKs.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// Returns valid credentials. Renews them before they expire.
    async fn credentials(&self) -> CloudResult<Credentials>;
    /// Returns settings of the AWS profile as environment variables of the AWS SDKs.
    fn settings(&self) -> Vec<(&'static str, String)>;
}
