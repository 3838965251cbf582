//! Polls the cloud until a state is reached: quickly at first, slower later, with a limit.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::steps::context::Steps;

/// Waiting time after which errors are reported. Shorter waits are normal.
const REPORT_AFTER: Duration = Duration::from_secs(15);

/// Calls `look` until it returns a value. `what` completes "gave up waiting for …". A transient
/// error, such as throttling or a broken connection, counts as "not yet" until `limit`. Reports each
/// such error once after some time.
///
/// # Errors
/// Fails if the limit is reached, the wait is cancelled, or `look` returns a permanent error.
pub(in crate::steps) async fn poll_until<T, F>(
    steps: &Steps,
    limit: Duration,
    cancel: &CancellationToken,
    what: &str,
    look: impl Fn() -> F + Send,
) -> Result<T>
where
    F: Future<Output = Result<Option<T>>> + Send,
{
    let slowest = Duration::from_secs(steps.poll_seconds().into());
    let (mut pause, begun) = (Duration::from_millis(200), steps.clock.now());
    let mut reported = String::new();
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) if error.is_transient() => Some(error),
            Err(error) => return Err(error),
        };
        // Failing calls may take long, so the clock counts, not the pauses.
        let waited =
            Duration::try_from(steps.clock.now().duration_since(begun)).unwrap_or_default();
        if waited >= limit {
            let text = format!("gave up waiting for {what} after {} s", waited.as_secs());
            let error = Error::new(ErrorKind::StepFailed, text);
            return Err(last.into_iter().fold(error, Error::because));
        }
        let text = last.map(|error| error.one_line()).unwrap_or_default();
        if waited >= REPORT_AFTER && !text.is_empty() && text != reported {
            tracing::warn!("still waiting for {what}: {text}");
            reported = text;
        }
        tokio::select! {
            () = cancel.cancelled() => {
                let text = format!("cancelled while waiting for {what}");
                return Err(Error::new(ErrorKind::Interrupted, text));
            }
            () = steps.clock.sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(slowest);
    }
}
