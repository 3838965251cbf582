//! Implements the cloud port with the AWS SDK for EC2, KMS, SSM and STS. Each Region has its own clients.

mod access;
mod answer_check;
mod clients;
pub(crate) mod config;
mod copies;
pub mod credentials;
mod denials;
mod dry_run;
mod encryption;
mod errors;
mod images;
mod instances;
mod parameters;
mod prerequisites;
mod profile;
mod references;
mod refused_launch;
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
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, SdkConfig};

use crate::error::Result;
use crate::model::Region;
use crate::ports::{CloudResult, Identity, IdentityReader, RoleSession};

use clients::Clients;
use errors::cloud_error;

/// Time limit of a call with all its attempts. The SDK has no default.
const CALL_TIMEOUT: Duration = Duration::from_secs(180);
/// Time limit of one attempt, so that a connection that hangs is replaced.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts of a call, unless environment or profile set another number. EC2 throttles accounts for
/// longer than the SDK's default of 3 attempts (packer-plugin-amazon uses 10, too).
const MAX_ATTEMPTS: u32 = 10;
/// Attempts of the first call of a command.
const FIRST_CALL_ATTEMPTS: u32 = 4;
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
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .connect_timeout(CONNECT_TIMEOUT)
                .build(),
        );
        let configured = aws_config::default_provider::retry_config::default_provider()
            .retry_config()
            .await;
        let is_set = |name| crate::adapters::system::variable(name).is_some();
        let has_mode = is_set("AWS_RETRY_MODE");
        let has_attempts = is_set("AWS_MAX_ATTEMPTS");
        loader = loader.retry_config(complete_retry_config(configured, has_mode, has_attempts));
        if let Some(name) = default_app_name().await {
            loader = loader.app_name(name);
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
    pub async fn assume_role(region: &Region, session: &RoleSession) -> Result<Self> {
        let Self { config, clients } = Self::load(region).await?;
        let mut provider = aws_config::sts::AssumeRoleProvider::builder(&session.role)
            .configure(&config)
            .session_name(&session.name);
        if let Some(id) = &session.external_id {
            provider = provider.external_id(id);
        }
        if let Some(policy) = &session.policy {
            provider = provider.policy(policy);
        }
        let provider = provider.build().await;
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

/// Completes the retry settings of environment and profile. `has_mode` and `has_attempts` are true if
/// the environment sets them, perhaps to the SDK's default. The mode `adaptive` also slows down the
/// calls that follow a throttled one, for all jobs of the run.
fn complete_retry_config(
    configured: RetryConfig,
    has_mode: bool,
    has_attempts: bool,
) -> RetryConfig {
    let standard = RetryConfig::standard();
    let has_mode = has_mode || configured.mode() != standard.mode();
    let has_attempts = has_attempts || configured.max_attempts() != standard.max_attempts();
    let attempts = if has_attempts {
        configured.max_attempts()
    } else {
        MAX_ATTEMPTS
    };
    let mode = if has_mode {
        configured
    } else {
        RetryConfig::adaptive()
    };
    mode.with_max_attempts(attempts)
}

/// Returns the app name of bakeline for the user agent, unless environment or profile set another.
async fn default_app_name() -> Option<AppName> {
    let configured = aws_config::default_provider::app_name::default_provider()
        .app_name()
        .await;
    match configured {
        Some(_) => None,
        // An app name cannot contain a slash.
        None => AppName::new(concat!("bakeline-", env!("CARGO_PKG_VERSION"))).ok(),
    }
}

#[async_trait]
impl IdentityReader for Aws {
    async fn identity(&self, region: &Region) -> CloudResult<Identity> {
        // The first call of a command: a wrong endpoint is reported within seconds.
        let fewer = aws_sdk_sts::config::Config::builder()
            .retry_config(RetryConfig::standard().with_max_attempts(FIRST_CALL_ATTEMPTS));
        let call = self.clients(region).sts.get_caller_identity();
        let answer = call.customize().config_override(fewer).send().await;
        let answer = answer.map_err(|e| cloud_error("GetCallerIdentity", region, &e))?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    async fn explain_denial(&self, region: &Region, details: &str) -> Option<String> {
        self.clients(region).denials.explain(details).await
    }
}

#[cfg(test)]
mod tests {
    use aws_config::retry::{RetryConfig, RetryMode};

    use super::complete_retry_config;

    #[test]
    fn retry_settings_of_the_environment_take_precedence() {
        let standard = RetryConfig::standard();
        let found = |configured: &RetryConfig, has_mode, has_attempts| {
            let config = complete_retry_config(configured.clone(), has_mode, has_attempts);
            (config.mode(), config.max_attempts())
        };
        assert_eq!(found(&standard, false, false), (RetryMode::Adaptive, 10));
        assert_eq!(found(&standard, true, false), (RetryMode::Standard, 10));
        assert_eq!(found(&standard, false, true), (RetryMode::Adaptive, 3));
        let profile = RetryConfig::standard().with_max_attempts(7);
        assert_eq!(found(&profile, false, false), (RetryMode::Adaptive, 7));
    }
}
