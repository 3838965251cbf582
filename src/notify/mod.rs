//! Sends notifications about a run, and notes about a plan. A notifier that fails is a warning and never
//! fails the run.

pub mod gitlab;
mod slack;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Notifier};
use crate::ports::{Http, Secret};
use crate::render::slack::Values;
use slack::SlackError;

/// Notification that was not sent.
#[derive(Debug, thiserror::Error)]
enum NotificationError {
    /// Unset environment variable of the secret.
    #[error("{variable} is not set")]
    MissingSecret {
        /// Name of the environment variable.
        variable: String,
    },
    /// Build of bakeline without HTTP.
    #[error("this build has no HTTP client")]
    NoHttpClient,
    /// Failed message to Slack.
    #[error(transparent)]
    Slack(#[from] SlackError),
}

/// Sends a message to all notifiers of the catalog, and returns the errors of those that failed.
/// `secret` reads the environment variable with the secret of a notifier.
pub async fn send_notifications(
    catalog: &Catalog,
    values: &Values,
    secret: &(dyn Fn(&str) -> Option<Secret> + Sync),
    http: Option<&dyn Http>,
) -> Vec<String> {
    let mut errors = Vec::new();
    for notifier in &catalog.settings.notifiers {
        let result = match notifier {
            Notifier::Slack { webhook_env } => match (secret(webhook_env), http) {
                (Some(url), Some(http)) => slack::post_message(catalog, values, &url, http)
                    .await
                    .map_err(NotificationError::from),
                (None, _) => Err(NotificationError::MissingSecret {
                    variable: webhook_env.clone(),
                }),
                (_, None) => Err(NotificationError::NoHttpClient),
            },
        };
        if let Err(error) = result {
            errors.push(format!("no message was sent to Slack: {error}"));
        }
    }
    errors
}
