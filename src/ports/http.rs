//! Defines the port that sends HTTP requests.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

use super::secret::Secret;

/// Method of an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// Reads a resource.
    Get,
    /// Creates a resource.
    Post,
    /// Replaces a resource.
    Put,
}

/// HTTP request with an optional JSON body.
#[derive(Debug, Clone)]
pub struct HttpRequest<'r> {
    /// Method.
    pub method: HttpMethod,
    /// URL. It may contain a secret.
    pub url: &'r Secret,
    /// Bearer token.
    pub token: Option<&'r Secret>,
    /// JSON body.
    pub body: Option<&'r serde_json::Value>,
    /// Largest number of bytes to read of the body of the response.
    pub max_response: usize,
}

impl<'r> HttpRequest<'r> {
    /// Largest number of bytes to read of a response that only describes an error.
    pub const SHORT: usize = 200;

    /// Creates a request that posts JSON and needs no response body.
    #[must_use]
    pub fn post_json(url: &'r Secret, body: &'r serde_json::Value) -> Self {
        Self {
            method: HttpMethod::Post,
            url,
            token: None,
            body: Some(body),
            max_response: Self::SHORT,
        }
    }
}

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

/// HTTP client for secret URLs and tokens.
#[async_trait]
pub trait Http: Send + Sync {
    /// Sends a request. The error contains neither the URL nor the token.
    async fn send(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError>;
    /// Waits before the next attempt.
    async fn pause(&self, time: Duration);
}
