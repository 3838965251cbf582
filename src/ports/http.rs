//! Defines the port that sends HTTP requests.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

use super::secret::Secret;

/// Response to an HTTP request.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// First part of the body.
    pub body: String,
}

/// HTTP request without a response.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(#[source] Box<dyn Error + Send + Sync>);

impl HttpError {
    /// Wraps the error of an HTTP client. The error must not contain the URL.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// HTTP client for secret URLs.
#[async_trait]
pub trait Http: Send + Sync {
    /// Posts `body` as JSON. The error never contains the URL.
    async fn post_json(
        &self,
        url: &Secret,
        body: &serde_json::Value,
    ) -> Result<HttpResponse, HttpError>;
    /// Waits before the next attempt.
    async fn pause(&self, time: Duration);
}
