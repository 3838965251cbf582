//! Posts messages to a Slack incoming webhook. Retries after connection errors, server
//! errors and status 429.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::ports::{Http, Secret};
use crate::render::slack::{Values, message};

/// Number of attempts.
const MAX_ATTEMPTS: u32 = 4;
/// Longest pause in seconds after status 429, so that a message does not delay the run.
const MAX_PAUSE: u64 = 30;

/// Posts a message. The error contains the response of Slack and never the URL of the webhook.
pub(super) async fn post_message(
    catalog: &Catalog,
    values: &Values,
    url: &Secret,
    http: &dyn Http,
) -> Result<(), String> {
    let body = message(catalog, values).map_err(|e| e.to_string())?;
    let mut error = String::new();
    for attempt in 1..=MAX_ATTEMPTS {
        let pause = match http.post_json(url, &body).await {
            Ok(response) if response.status < 300 => return Ok(()),
            Ok(response) => {
                error = format!("{}: {}", response.status, response.body);
                match response.status {
                    429 => response.retry_after.unwrap_or(1).min(MAX_PAUSE),
                    500.. => u64::from(attempt),
                    // A missing webhook or a rejected message stays an error.
                    _ => return Err(error),
                }
            }
            Err(message) => {
                error = message;
                u64::from(attempt)
            }
        };
        if attempt < MAX_ATTEMPTS {
            http.pause(Duration::from_secs(pause)).await;
        }
    }
    Err(format!("{error} (after {MAX_ATTEMPTS} attempts)"))
}
