//! Owns sending JSON over HTTP to URLs that are secrets: no error ever contains the URL.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{Http, HttpAnswer, Secret};

/// The HTTP client.
#[derive(Debug)]
pub struct HttpClient {
    client: reqwest::Client,
}

impl HttpClient {
    /// A client that gives up after half a minute.
    #[must_use]
    pub fn new() -> Option<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .user_agent("bakeline")
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
    ) -> Result<HttpAnswer, String> {
        let answer = self
            .client
            .post(url.reveal())
            .json(body)
            .send()
            .await
            .map_err(|e| e.without_url().to_string())?;
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let body = answer
            .text()
            .await
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        Ok(HttpAnswer {
            status,
            retry_after,
            body,
        })
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
