//! Creates the S3 client of the store, with credentials and endpoint from the AWS configuration.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_sdk_sts::config::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, CredentialProvider, ObjectStore, RetryConfig,
};
use tokio::sync::Mutex;

use crate::adapters::system::variable;
use crate::error::{Error, Result};
use crate::model::Region;

/// Time limit of a request, so that one slow request cannot delay the renewal of a lock.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// Time limit of all attempts of a call: well below the shortest useful lease.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// User agent of all requests.
const USER_AGENT: &str = concat!("bakeline/", env!("CARGO_PKG_VERSION"));
/// Interval before the expiry of credentials in which they are fetched again.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Creates a client for a bucket. Sends no request.
pub(super) async fn create_client(bucket: &str, region: &Region) -> Result<Arc<dyn ObjectStore>> {
    let failed = |e: String| Error::input(format!("cannot open the store s3://{bucket}: {e}"));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.to_string()))
        .load()
        .await;
    let provider = config.credentials_provider().ok_or_else(|| {
        failed("no AWS credentials found".to_owned())
            .hint("configure AWS credentials: a profile, environment variables, or a role")
    })?;
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 4,
        retry_timeout: RETRY_LIMIT,
    };
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    let is_http = endpoint.as_ref().is_some_and(|e| e.starts_with("http://"));
    let options = ClientOptions::new()
        .with_timeout(REQUEST_LIMIT)
        .with_connect_timeout(REQUEST_LIMIT / 3)
        .with_config(ClientConfigKey::UserAgent, USER_AGENT)
        .with_allow_http(is_http);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region.to_string())
        .with_credentials(Arc::new(CredentialChain {
            provider,
            cached: Mutex::new(None),
        }))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = endpoint {
        // S3 implementations other than Amazon's seldom have a host name per bucket.
        builder = builder
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(false);
    }
    let client = builder.build().map_err(|e| failed(e.to_string()))?;
    Ok(Arc::new(client))
}

/// Credential chain of aws-config (environment, profiles, SSO, web identity, ECS, IMDS) for
/// object_store.
struct CredentialChain {
    provider: SharedCredentialsProvider,
    cached: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

impl std::fmt::Debug for CredentialChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialChain(***)")
    }
}

#[async_trait]
impl CredentialProvider for CredentialChain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        if let Some((credential, expiry)) = &*cached
            && expiry.is_none_or(|expiry| expiry > SystemTime::now() + RENEW_BEFORE)
        {
            return Ok(Arc::clone(credential));
        }
        let found = self.provider.provide_credentials().await.map_err(|e| {
            object_store::Error::Unauthenticated {
                path: "the store".to_owned(),
                source: Box::new(e),
            }
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *cached = Some((Arc::clone(&credential), found.expiry()));
        Ok(credential)
    }
}
