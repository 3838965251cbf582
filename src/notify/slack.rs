//! Owns posting one message to a Slack incoming webhook, honouring 429 and trying again on Slack's own errors.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::ports::{Http, Secret};
use crate::render::slack::{Values, message};

/// Tries in all.
const TRIES: u32 = 4;
/// The longest wait that a 429 may ask for; a run is not held up longer than that for a message.
const LONGEST: u64 = 30;

/// Posts the message; the error says what Slack said and never the webhook's URL.
pub(super) async fn tell(
    catalog: &Catalog,
    values: &Values,
    url: &Secret,
    http: &dyn Http,
) -> Result<(), String> {
    let body = message(catalog, values).map_err(|e| e.to_string())?;
    let mut said = String::new();
    for attempt in 1..=TRIES {
        let pause = match http.post_json(url, &body).await {
            Ok(answer) if answer.status < 300 => return Ok(()),
            Ok(answer) => {
                said = format!("{}: {}", answer.status, answer.body);
                match answer.status {
                    429 => answer.retry_after.unwrap_or(1).min(LONGEST),
                    500.. => u64::from(attempt),
                    // A webhook that is gone or a message it refuses does not get better.
                    _ => return Err(said),
                }
            }
            Err(why) => {
                said = why;
                u64::from(attempt)
            }
        };
        if attempt < TRIES {
            http.pause(Duration::from_secs(pause)).await;
        }
    }
    Err(format!("{said} (after {TRIES} tries)"))
}
