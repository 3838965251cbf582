//! Sends JSON over HTTP to secret URLs, and with tokens. No error contains them.

use std::time::Duration;

use async_trait::async_trait;

use super::ca_bundle::CaBundle;
use crate::ports::{Http, HttpError, HttpMethod, HttpRequest, HttpResponse};

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
    async fn send(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError> {
        let method = match request.method {
            HttpMethod::Get => reqwest::Method::GET,
            HttpMethod::Post => reqwest::Method::POST,
            HttpMethod::Put => reqwest::Method::PUT,
        };
        let mut builder = self.client.request(method, request.url.expose());
        if let Some(token) = request.token {
            // A redirect to another host removes this header.
            builder = builder.bearer_auth(token.expose());
        }
        if let Some(body) = request.body {
            builder = builder.json(body);
        }
        let without_url = |e: reqwest::Error| HttpError::new(e.without_url());
        let mut response = builder.send().await.map_err(without_url)?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let mut body = Vec::new();
        while body.len() < request.max_response {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                _ => break,
            }
        }
        body.truncate(request.max_response);
        Ok(HttpResponse {
            status,
            retry_after,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
