//! Sends JSON over HTTP to secret URLs. No error contains the URL.

use std::time::Duration;

use async_trait::async_trait;

use super::ca_bundle::CaBundle;
use crate::ports::{Http, HttpError, HttpResponse, Secret};

/// HTTP client.
#[derive(Debug)]
pub struct HttpClient {
    client: reqwest::Client,
}

impl HttpClient {
    /// Creates a client with a timeout of 30 seconds. It also trusts the certificates in
    /// `AWS_CA_BUNDLE`.
    #[must_use]
    pub fn new() -> Option<Self> {
        let bundle = CaBundle::load(None).ok()?;
        let certificates = bundle.map(|bundle| bundle.certificates).unwrap_or_default();
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .user_agent("bakeline")
            .tls_certs_merge(certificates)
            .build()
            .ok()?;
        Some(Self { client })
    }
}

#[async_trait]
impl Http for HttpClient {
    async fn post_json(
        &self,
        url: &Secret,
        body: &serde_json::Value,
    ) -> Result<HttpResponse, HttpError> {
        let response = self
            .client
            .post(url.expose())
            .json(body)
            .send()
            .await
            .map_err(|e| HttpError::new(e.without_url()))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let body = response
            .text()
            .await
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        Ok(HttpResponse {
            status,
            retry_after,
            body,
        })
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
