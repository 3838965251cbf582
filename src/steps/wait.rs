//! Owns waiting for a state of the cloud: quick looks first, slower ones later, a limit, and a cancel.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Steps;
use crate::error::{Error, Kind, Result};

/// Looks until `look` finds something. `what` completes "gave up waiting for …".
pub(super) async fn until<T, F>(
    steps: &Steps,
    limit: Duration,
    cancel: &CancellationToken,
    what: &str,
    look: impl Fn() -> F + Send,
) -> Result<T>
where
    F: Future<Output = Result<Option<T>>> + Send,
{
    let slowest = Duration::from_secs(if steps.endpoint.is_some() { 1 } else { 5 });
    let (mut pause, mut waited) = (Duration::from_millis(200), Duration::ZERO);
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if waited >= limit {
            return Err(Error::new(
                Kind::StepFailed,
                format!("gave up waiting for {what} after {} s", limit.as_secs()),
            ));
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(Error::new(Kind::Interrupted, format!("cancelled while waiting for {what}"))),
            () = steps.clock.sleep(pause) => {}
        }
        waited += pause;
        pause = (pause * 3 / 2).min(slowest);
    }
}
