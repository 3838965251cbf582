//! Implements the cloud port with the AWS SDK for EC2, SSM and STS. Each Region has its own clients.

mod access;
mod clients;
pub(in crate::adapters) mod config;
mod copies;
pub mod credentials;
mod errors;
mod images;
mod instances;
mod parameters;
mod profile;
mod references;
mod resources;
mod retirement;
mod scaling;
mod tags;
mod temporaries;
mod usage;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

use crate::error::Result;
use crate::model::Region;
use crate::ports::{CloudResult, Identity, IdentityReader};

use clients::Clients;
use errors::cloud_error;

/// Time limit of a call with all its attempts. The SDK has no default.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts of a call, unless environment or profile set another number.
const MAX_ATTEMPTS: u32 = 4;
/// Time limit of a connection, so that an unreachable local endpoint is reported soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// AWS, or the endpoint in `AWS_ENDPOINT_URL`.
pub struct Aws {
    config: SdkConfig,
    clients: Mutex<BTreeMap<Region, Clients>>,
}

impl Aws {
    /// Loads profile, environment and endpoint as the AWS CLI does, without a call.
    ///
    /// # Errors
    /// As [`config::CallerConfig::read`].
    pub async fn load(region: &Region) -> Result<Self> {
        let caller = config::CallerConfig::read(region).await?;
        let mut loader = caller.loader.timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_TIMEOUT)
                .connect_timeout(CONNECT_TIMEOUT)
                .build(),
        );
        let configured = aws_config::default_provider::retry_config::default_provider()
            .retry_config()
            .await;
        // Environment and profile take precedence. Without a setting the result equals the default.
        if configured == RetryConfig::standard() {
            loader = loader.retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS));
        }
        Ok(Self {
            config: loader.load().await,
            clients: Mutex::new(BTreeMap::new()),
        })
    }

    /// Loads the configuration with the credentials of a role. The first call requests them, and they
    /// are renewed before they expire.
    ///
    /// # Errors
    /// As [`Aws::load`].
    pub async fn assume_role(region: &Region, role: &str) -> Result<Self> {
        let Self { config, clients } = Self::load(region).await?;
        let provider = aws_config::sts::AssumeRoleProvider::builder(role)
            .configure(&config)
            .session_name("bakeline")
            .build()
            .await;
        let provider = aws_sdk_ec2::config::SharedCredentialsProvider::new(provider);
        Ok(Self {
            config: config.into_builder().credentials_provider(provider).build(),
            clients,
        })
    }

    fn clients(&self, region: &Region) -> Clients {
        let mut clients = self
            .clients
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        clients
            .entry(region.clone())
            .or_insert_with(|| Clients::new(&self.config, region))
            .clone()
    }
}

#[async_trait]
impl IdentityReader for Aws {
    async fn identity(&self, region: &Region) -> CloudResult<Identity> {
        let answer = self.clients(region).sts.get_caller_identity().send().await;
        let answer = answer.map_err(|e| cloud_error("GetCallerIdentity", region, &e))?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }
}
