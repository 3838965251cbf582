//! Owns telling people about a run: a notifier that fails is a warning, never a failed run.

mod slack;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Notifier};
use crate::ports::{Http, Secret};
use crate::render::slack::Values;

/// Tells everyone the catalog names. `secret` reads the environment variable in which a notifier's secret is.
pub async fn tell(
    catalog: &Catalog,
    values: &Values,
    secret: &(dyn Fn(&str) -> Option<Secret> + Sync),
    http: Option<&dyn Http>,
) {
    for notifier in &catalog.settings.notifiers {
        let told = match notifier {
            Notifier::Slack { webhook_env } => match (secret(webhook_env), http) {
                (Some(url), Some(http)) => slack::tell(catalog, values, &url, http).await,
                (None, _) => Err(format!("{webhook_env} is not set, so nobody is told")),
                (_, None) => Err("this build has no HTTP client".to_owned()),
            },
        };
        if let Err(why) = told {
            tracing::warn!("Slack: {why}");
        }
    }
}
