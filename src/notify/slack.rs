//! Posts messages to a Slack incoming webhook. Retries after connection errors, server
//! errors and status 429.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::ports::{Http, HttpError, HttpRequest, HttpResponse, Secret};
use crate::render::RenderError;
use crate::render::slack::{Values, message};

/// Number of attempts.
const MAX_ATTEMPTS: u32 = 4;
/// Longest pause in seconds after status 429, so that a message does not delay the run.
const MAX_PAUSE: u64 = 30;

/// Message that was not posted. The text never contains the URL of the webhook.
#[derive(Debug, thiserror::Error)]
pub(super) enum SlackError {
    /// Invalid template of the message.
    #[error(transparent)]
    Template(#[from] RenderError),
    /// Error that another attempt would not fix.
    #[error(transparent)]
    Rejected(AttemptError),
    /// Temporary error in every attempt; the last one is kept.
    #[error("{0} (after {MAX_ATTEMPTS} attempts)")]
    Exhausted(#[source] AttemptError),
}

/// Failed attempt to post a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// Response of Slack with an error status.
    #[error("{status}: {body}")]
    Status {
        /// Status code.
        status: u16,
        /// First part of the body.
        body: String,
    },
    /// Request without a response.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Posts a message.
pub(super) async fn post_message(
    catalog: &Catalog,
    values: &Values,
    url: &Secret,
    http: &dyn Http,
) -> Result<(), SlackError> {
    let body = message(catalog, values)?;
    let mut attempt = 1;
    loop {
        let response = http.send(&HttpRequest::post_json(url, &body)).await;
        let pause = match &response {
            Ok(response) if response.status < 300 => return Ok(()),
            Ok(response) => pause_after(response, attempt),
            Err(_) => Some(u64::from(attempt)),
        };
        let error = match response {
            Ok(HttpResponse { status, body, .. }) => AttemptError::Status { status, body },
            Err(error) => AttemptError::Http(error),
        };
        match pause {
            None => return Err(SlackError::Rejected(error)),
            Some(_) if attempt == MAX_ATTEMPTS => return Err(SlackError::Exhausted(error)),
            Some(seconds) => http.pause(Duration::from_secs(seconds)).await,
        }
        attempt += 1;
    }
}

/// Returns the seconds to wait before the next attempt. A missing webhook or a rejected message
/// has none.
fn pause_after(response: &HttpResponse, attempt: u32) -> Option<u64> {
    match response.status {
        429 => Some(response.retry_after.unwrap_or(1).min(MAX_PAUSE)),
        500.. => Some(u64::from(attempt)),
        _ => None,
    }
}
