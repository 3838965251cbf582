//! Replaces the encoded details of denials in the answers of EC2 by an explanation, if the caller may
//! call `sts:DecodeAuthorizationMessage`.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use quick_xml::escape::escape;

use super::errors::cloud_error;
use crate::model::{Region, explain_denial, explain_encoded_details};

/// Time limit of a decoding. STS may be unreachable in a private network.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Status of the answer to a denied request.
const FORBIDDEN: u16 = 403;

/// Decodes the details of denials with STS.
#[derive(Debug, Clone)]
pub(super) struct DenialDecoder {
    sts: aws_sdk_sts::Client,
    region: Region,
}

impl DenialDecoder {
    /// Uses this client of STS.
    pub(super) fn new(sts: aws_sdk_sts::Client, region: &Region) -> Self {
        let region = region.clone();
        Self { sts, region }
    }

    /// Returns an explanation, or `None` if the caller may not decode the details.
    pub(super) async fn explain(&self, details: &str) -> Option<String> {
        let once = aws_sdk_sts::config::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(TIMEOUT).build());
        let call = self.sts.decode_authorization_message();
        let call = call.encoded_message(details).customize();
        match call.config_override(once).send().await {
            Ok(answer) => {
                let decoded = answer.decoded_message.unwrap_or_default();
                tracing::debug!("decoded details of a denial: {decoded}");
                explain_denial(&decoded)
            }
            Err(error) => {
                let cause = cloud_error("DecodeAuthorizationMessage", &self.region, &error);
                tracing::debug!("cannot decode the details of a denial: {cause}");
                None
            }
        }
    }
}

/// HTTP client that explains the denials in the answers to its requests.
#[derive(Debug, Clone)]
pub(super) struct ExplainingClient {
    inner: SharedHttpClient,
    decoder: DenialDecoder,
}

impl ExplainingClient {
    /// Wraps an HTTP client.
    pub(super) fn new(inner: SharedHttpClient, decoder: DenialDecoder) -> Self {
        Self { inner, decoder }
    }
}

impl HttpClient for ExplainingClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(ExplainingConnector {
            inner: self.inner.http_connector(settings, components),
            decoder: self.decoder.clone(),
        })
    }
}

#[derive(Debug)]
struct ExplainingConnector {
    inner: SharedHttpConnector,
    decoder: DenialDecoder,
}

impl HttpConnector for ExplainingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        let decoder = self.decoder.clone();
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if answer.status().as_u16() != FORBIDDEN {
                return Ok(answer);
            }
            explain_answer(&decoder, answer).await
        })
    }
}

/// Replaces the encoded details in the body of an answer that can be explained.
async fn explain_answer(
    decoder: &DenialDecoder,
    mut answer: HttpResponse,
) -> Result<HttpResponse, ConnectorError> {
    let body = ByteStream::new(answer.take_body()).collect().await;
    let body = body.map_err(|e| ConnectorError::io(e.into()))?.into_bytes();
    let text = String::from_utf8_lossy(&body);
    let explained = explain_encoded_details(&text, |details| async move {
        let reason = decoder.explain(&details).await?;
        Some(format!("({})", escape(&reason)))
    });
    let text = explained.await;
    // The explanation has another length than the details.
    answer.headers_mut().remove("content-length");
    *answer.body_mut() = SdkBody::from(text);
    Ok(answer)
}
