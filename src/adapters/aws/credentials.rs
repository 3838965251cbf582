//! Resolves the credentials of the caller for clients outside of the SDK: the S3 client and Packer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sts::config::{ProvideCredentials as _, SharedCredentialsProvider};
use tokio::sync::Mutex;

use super::config::CallerConfig;
use super::profile::ActiveProfile;
use crate::adapters::ca_bundle;
use crate::adapters::system::{has_aws_keys, variable};
use crate::error::{Error, Result, describe};
use crate::model::{Region, Timestamp};
use crate::ports::{
    CloudError, CloudErrorKind, CloudResult, CredentialSource, Credentials, Secret,
};

/// Interval before the expiry of credentials in which they are fetched again.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Credential chain of aws-config (environment, profiles, SSO, web identity, ECS, IMDS) with a cache.
pub(in crate::adapters) struct CredentialChain {
    provider: SharedCredentialsProvider,
    cached: Mutex<Option<aws_sdk_sts::config::Credentials>>,
}

impl std::fmt::Debug for CredentialChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialChain(***)")
    }
}

impl CredentialChain {
    /// Returns the chain of a configuration. Sends no request.
    ///
    /// # Errors
    /// Fails if the configuration has no provider.
    pub(in crate::adapters) fn new(config: &SdkConfig) -> Result<Self> {
        let provider = config.credentials_provider().ok_or_else(|| {
            Error::input("no AWS credentials found")
                .hint("configure AWS credentials: a profile, environment variables, or a role")
        })?;
        Ok(Self {
            provider,
            cached: Mutex::new(None),
        })
    }

    /// Returns valid credentials.
    ///
    /// # Errors
    /// Fails if no provider of the chain has credentials.
    pub(in crate::adapters) async fn get(
        &self,
    ) -> std::result::Result<
        aws_sdk_sts::config::Credentials,
        aws_credential_types::provider::error::CredentialsError,
    > {
        let mut cached = self.cached.lock().await;
        let soon = SystemTime::now() + RENEW_BEFORE;
        if let Some(credentials) = &*cached
            && credentials.expiry().is_none_or(|expiry| expiry > soon)
        {
            return Ok(credentials.clone());
        }
        let found = self.provider.provide_credentials().await?;
        *cached = Some(found.clone());
        Ok(found)
    }
}

/// Credentials and profile of the caller.
pub struct CallerCredentials {
    chain: CredentialChain,
    region: Region,
    settings: Vec<(&'static str, String)>,
}

impl CallerCredentials {
    /// Reads environment and profile. Sends no request.
    ///
    /// # Errors
    /// Fails if the configuration cannot be used.
    pub async fn load(region: &Region) -> Result<Arc<dyn CredentialSource>> {
        let caller = CallerConfig::read(region).await?;
        let config = caller.loader.load().await;
        let mut settings = Vec::new();
        for (name, value) in [
            ("AWS_USE_FIPS_ENDPOINT", config.use_fips()),
            ("AWS_USE_DUALSTACK_ENDPOINT", config.use_dual_stack()),
        ] {
            settings.extend(value.map(|on| (name, on.to_string())));
        }
        let path = caller.ca_bundle.map(|bundle| bundle.path);
        settings.extend(path.map(|path| (ca_bundle::VARIABLE, path)));
        Ok(Arc::new(Self {
            chain: CredentialChain::new(&config)?,
            region: region.clone(),
            settings,
        }))
    }
}

#[async_trait]
impl CredentialSource for CallerCredentials {
    async fn credentials(&self) -> CloudResult<Credentials> {
        let found = self.chain.get().await.map_err(|e| CloudError {
            kind: CloudErrorKind::Credentials,
            action: "loading of AWS credentials",
            region: self.region.to_string(),
            message: describe(&e),
        })?;
        Ok(Credentials {
            key_id: found.access_key_id().to_owned(),
            secret_key: Secret::new(found.secret_access_key()),
            session_token: found.session_token().map(Secret::new),
            expires: found.expiry().and_then(|at| Timestamp::try_from(at).ok()),
        })
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.clone()
    }
}

/// Returns the time after which the credentials of the caller cannot be renewed, if it is known, and
/// the way to get new ones.
pub async fn session_end() -> Option<(Timestamp, String)> {
    if has_aws_keys() {
        variable("AWS_SESSION_TOKEN")?;
        let end = variable("AWS_CREDENTIAL_EXPIRATION")?.parse().ok()?;
        return Some((end, "load a new session into the environment".to_owned()));
    }
    let (end, profile) = ActiveProfile::read().await?.sso_end()?;
    Some((end, format!("run `aws sso login --profile {profile}`")))
}
