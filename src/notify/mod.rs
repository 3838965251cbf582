//! Sends notifications about a run. A notifier that fails is a warning and never fails the run.

mod slack;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Notifier};
use crate::ports::{Http, Secret};
use crate::render::slack::Values;

/// Sends a message to all notifiers of the catalog. `secret` reads the environment variable with the
/// secret of a notifier.
pub async fn send_notifications(
    catalog: &Catalog,
    values: &Values,
    secret: &(dyn Fn(&str) -> Option<Secret> + Sync),
    http: Option<&dyn Http>,
) {
    for notifier in &catalog.settings.notifiers {
        let result = match notifier {
            Notifier::Slack { webhook_env } => match (secret(webhook_env), http) {
                (Some(url), Some(http)) => slack::post_message(catalog, values, &url, http).await,
                (None, _) => Err(format!(
                    "{webhook_env} is not set; skipping the notification"
                )),
                (_, None) => {
                    Err("this build has no HTTP client; skipping the notification".to_owned())
                }
            },
        };
        if let Err(reason) = result {
            tracing::warn!("Slack: {reason}");
        }
    }
}
