//! Creates the S3 client of the store, with credentials and endpoint from the AWS configuration.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use object_store::aws::{
    AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, Checksum, S3ConditionalPut,
};
use object_store::{
    BackoffConfig, Certificate, ClientConfigKey, ClientOptions, CredentialProvider, ObjectStore,
    RetryConfig,
};

use crate::adapters::aws::config::CallerConfig;
use crate::adapters::aws::credentials::CredentialChain;
use crate::adapters::ca_bundle::CaBundle;
use crate::adapters::system::variable;
use crate::catalog::{Bucket, BucketEncryption};
use crate::error::{Error, Result};
use crate::model::s3_endpoint;

/// Time limit of a request, so that one slow request cannot delay the renewal of a lock.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// Time limit of all attempts of a call: well below the shortest useful lease.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// User agent of all requests.
const USER_AGENT: &str = concat!("bakeline/", env!("CARGO_PKG_VERSION"));

/// Creates a client for a bucket. Sends no request.
pub(super) async fn create_client(bucket: &Bucket) -> Result<Arc<dyn ObjectStore>> {
    let failed = || Error::input(format!("cannot open the store s3://{}", bucket.name));
    let caller = CallerConfig::read(&bucket.region).await?;
    let config = caller.loader.load().await;
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 4,
        retry_timeout: RETRY_LIMIT,
    };
    let endpoint = choose_endpoint(bucket, &config)?;
    let options =
        client_options(&endpoint, caller.ca_bundle.as_ref()).map_err(|e| failed().because(e))?;
    // The bucket is part of the path, because other S3 implementations than Amazon's seldom have a
    // host name for each bucket.
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(bucket.region.to_string())
        .with_endpoint(endpoint)
        .with_virtual_hosted_style_request(false)
        .with_credentials(Arc::new(StoreCredentials(CredentialChain::new(&config)?)))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(options)
        .with_retry(retry);
    for (name, value) in encryption_settings(bucket.encryption.as_ref()) {
        let key = name
            .parse::<AmazonS3ConfigKey>()
            .map_err(|e| failed().because(e))?;
        builder = builder.with_config(key, value);
    }
    if bucket.checksum {
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    let client = builder.build().map_err(|e| failed().because(e))?;
    Ok(Arc::new(client))
}

/// Returns the settings of object_store for the encryption.
fn encryption_settings(encryption: Option<&BucketEncryption>) -> Vec<(&'static str, &str)> {
    const SSE: &str = "aws_server_side_encryption";
    match encryption {
        None => Vec::new(),
        Some(BucketEncryption::Aes256) => vec![(SSE, "AES256")],
        Some(BucketEncryption::Kms(None)) => vec![(SSE, "aws:kms")],
        Some(BucketEncryption::Kms(Some(key))) => {
            vec![(SSE, "aws:kms"), ("aws_sse_kms_key_id", key)]
        }
    }
}

/// Returns the endpoint: `AWS_ENDPOINT_URL_S3` and its profile setting, then that of the catalog,
/// then `AWS_ENDPOINT_URL`, then that of AWS.
fn choose_endpoint(bucket: &Bucket, config: &SdkConfig) -> Result<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let general = config.endpoint_url().map(str::to_owned);
    let of_service = config.service_config().zip(key.ok());
    // Without a setting for S3, this is the general one.
    let of_service = of_service.and_then(|(config, key)| config.load_config(key));
    let own =
        variable("AWS_ENDPOINT_URL_S3").or(of_service.filter(|own| general.as_ref() != Some(own)));
    let mut configured = [own, bucket.endpoint.clone(), general]
        .into_iter()
        .flatten();
    if let Some(url) = configured.find(|url| !url.is_empty()) {
        return check_url(url);
    }
    let fips = config.use_fips().unwrap_or(false);
    if fips && bucket.region.partition() == "aws-cn" {
        let text = format!("S3 has no FIPS endpoint in {}", bucket.region);
        return Err(Error::input(text)
            .hint("unset AWS_USE_FIPS_ENDPOINT, or set `endpoint` of the store in bakeline.yaml"));
    }
    let dual_stack = config.use_dual_stack().unwrap_or(false);
    Ok(s3_endpoint(&bucket.region, fips, dual_stack))
}

/// Returns the URL, unless object_store could not use it.
fn check_url(url: String) -> Result<String> {
    let parsed = reqwest::Url::parse(&url).ok();
    let is_valid =
        parsed.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    if is_valid {
        return Ok(url);
    }
    let text = "the S3 endpoint is not a URL with `https://` or `http://`";
    Err(Error::input(text).hint("correct AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the AWS profile"))
}

/// Returns the options of the HTTP client.
fn client_options(
    endpoint: &str,
    ca_bundle: Option<&CaBundle>,
) -> object_store::Result<ClientOptions> {
    let mut options = ClientOptions::new()
        .with_timeout(REQUEST_LIMIT)
        .with_connect_timeout(REQUEST_LIMIT / 3)
        .with_config(ClientConfigKey::UserAgent, USER_AGENT)
        .with_allow_http(endpoint.starts_with("http://"));
    if let Some(bundle) = ca_bundle {
        for certificate in Certificate::from_pem_bundle(&bundle.pem)? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

/// Credentials of the caller for object_store.
#[derive(Debug)]
struct StoreCredentials(CredentialChain);

#[async_trait]
impl CredentialProvider for StoreCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let found = self
            .0
            .get()
            .await
            .map_err(|e| object_store::Error::Unauthenticated {
                path: "the store".to_owned(),
                source: Box::new(e),
            })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}
