//! Loads the AWS configuration that all clients share: profile, environment, HTTP client.

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::profile::ActiveProfile;
use crate::adapters::ca_bundle::CaBundle;
use crate::adapters::system::has_aws_keys;
use crate::error::{Error, Result};
use crate::model::Region;

/// Configuration of the caller, before it is loaded.
pub(in crate::adapters) struct CallerConfig {
    /// Loader with Region, credentials and HTTP client.
    pub(in crate::adapters) loader: ConfigLoader,
    /// Certificates to trust in addition to those of the system.
    pub(in crate::adapters) ca_bundle: Option<CaBundle>,
}

impl CallerConfig {
    /// Reads environment and profile as the AWS CLI does, without a call.
    ///
    /// # Errors
    /// Fails if the profile does not exist or needs an MFA code, or the CA certificates cannot be used.
    pub(in crate::adapters) async fn read(region: &Region) -> Result<Self> {
        let profile = ActiveProfile::read().await;
        if let Some(profile) = profile.as_ref().filter(|_| !has_aws_keys()) {
            profile.reject_unknown()?;
            profile.reject_mfa()?;
        }
        let ca_bundle = CaBundle::load(profile.as_ref().and_then(|p| p.setting("ca_bundle")))?;
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(aws_config::Region::new(region.to_string()))
            .http_client(http_client(ca_bundle.as_ref())?);
        Ok(Self { loader, ca_bundle })
    }
}

/// Returns the Region of the active profile.
pub(crate) async fn profile_region() -> Option<Region> {
    let profile = ActiveProfile::read().await?;
    let region = profile.setting("region").filter(|r| !r.is_empty());
    region.map(Region::from)
}

/// Returns the default HTTP client of the SDK, with additional CA certificates if there is a bundle.
/// All services share it and its connections.
fn http_client(bundle: Option<&CaBundle>) -> Result<SharedHttpClient> {
    let mut context = TlsContext::default();
    if let Some(bundle) = bundle {
        let trust_store = TrustStore::default().with_pem_certificate(bundle.pem.clone());
        context = TlsContext::builder()
            .with_trust_store(trust_store)
            .build()
            .map_err(|e| Error::input(format!("cannot use {}", bundle.path)).because(e))?;
    }
    let client = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    });
    Ok(client)
}
