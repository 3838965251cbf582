//! Owns the S3 client of the store: credentials from aws-config's chain, the endpoint as every AWS tool reads it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_sdk_sts::config::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, ObjectStore, RetryConfig};
use tokio::sync::Mutex;

use crate::adapters::system::variable;
use crate::error::{Error, Result};
use crate::model::Region;

/// One request; a lock must not hang on one.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// All tries of one call together: well below the shortest sensible lease.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// Credentials are fetched anew this long before they expire.
const EARLY: Duration = Duration::from_secs(300);

/// A client for one bucket; talks to nobody yet.
pub(super) async fn client(bucket: &str, region: &Region) -> Result<Arc<dyn ObjectStore>> {
    let wrong = |e: String| Error::input(format!("the store s3://{bucket} can't be opened: {e}"));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.to_string()))
        .load()
        .await;
    let provider = config.credentials_provider().ok_or_else(|| {
        wrong("there are no AWS credentials".to_owned())
            .hint("give AWS credentials: a profile, environment variables, or a role")
    })?;
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 4,
        retry_timeout: RETRY_LIMIT,
    };
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    let plain = endpoint.as_ref().is_some_and(|e| e.starts_with("http://"));
    let options = ClientOptions::new()
        .with_timeout(REQUEST_LIMIT)
        .with_connect_timeout(REQUEST_LIMIT / 3)
        .with_allow_http(plain);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region.to_string())
        .with_credentials(Arc::new(Chain {
            provider,
            cached: Mutex::new(None),
        }))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = endpoint {
        // Another S3 than Amazon's seldom has a host name for each bucket.
        builder = builder
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(false);
    }
    let made = builder.build().map_err(|e| wrong(e.to_string()))?;
    Ok(Arc::new(made))
}

/// aws-config's chain (environment, profiles, SSO, web identity, ECS, IMDS) as object_store wants it.
struct Chain {
    provider: SharedCredentialsProvider,
    cached: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chain(***)")
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        if let Some((known, until)) = &*cached
            && until.is_none_or(|until| until > SystemTime::now() + EARLY)
        {
            return Ok(Arc::clone(known));
        }
        let found = self.provider.provide_credentials().await.map_err(|e| {
            object_store::Error::Unauthenticated {
                path: "the store".to_owned(),
                source: Box::new(e),
            }
        })?;
        let made = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *cached = Some((Arc::clone(&made), found.expiry()));
        Ok(made)
    }
}
