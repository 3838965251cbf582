//! Waits for a state of the cloud: quick looks first, slower ones later, with a limit, cancellable.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Steps;
use crate::error::{Error, Kind, Result};

/// Calls `look` until it finds something. `what` completes "gave up waiting for …". An error that may pass, such as
/// throttling or a connection that broke, means "not yet" until `limit`: what is waited for goes on meanwhile.
///
/// # Errors
/// The limit is reached, the wait is cancelled, or `look` fails for good.
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
    let (mut pause, begun) = (Duration::from_millis(200), steps.clock.now());
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) if error.is_transient() => Some(error),
            Err(error) => return Err(error),
        };
        // The calls themselves may take long when they fail.
        let waited =
            Duration::try_from(steps.clock.now().duration_since(begun)).unwrap_or_default();
        if waited >= limit {
            let text = format!("gave up waiting for {what} after {} s", waited.as_secs());
            let error = Error::new(Kind::StepFailed, text);
            return Err(last.into_iter().fold(error, Error::because));
        }
        if let Some(error) = last {
            tracing::warn!("still waiting for {what}: {}", error.one_line());
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(Error::new(Kind::Interrupted, format!("cancelled while waiting for {what}"))),
            () = steps.clock.sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(slowest);
    }
}
