//! Checks that the caller's session lasts for a build.

use super::context;
use crate::adapters::system::SystemClock;
use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::ports::Clock as _;
use crate::ui;

/// Remaining time in minutes below which a build is likely to end after the session.
const SHORT_MINUTES: i64 = 60;

/// Checks the remaining time of the credentials before a build. Prints a warning if it is short.
///
/// # Errors
/// The session has expired.
pub(crate) async fn check_session() -> Result<()> {
    if let Some((end, renewal)) = context::session_end().await
        && let Some(warning) = judge_session(end, &renewal, SystemClock.now())?
    {
        ui::say(&warning);
    }
    Ok(())
}

/// Returns a warning if the session ends soon.
fn judge_session(end: Timestamp, renewal: &str, now: Timestamp) -> Result<Option<String>> {
    let minutes = end.duration_since(now).as_secs().div_euclid(60);
    if end <= now {
        let text = format!("the AWS session expired at {}", whole_seconds(end));
        return Err(Error::input(text).hint(format!("{renewal}, then run again")));
    }
    Ok((minutes < SHORT_MINUTES).then(|| {
        format!(
            "warning: the AWS session ends in {minutes} min, at {}, and cannot be renewed; a build that \
             takes longer fails and cannot clean up\nhint: {renewal} first",
            whole_seconds(end)
        )
    }))
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::judge_session;
    use crate::error::ErrorKind;

    #[test]
    fn expired_session_is_refused_and_short_one_warned_about() {
        let now = "2026-11-29T12:00:00Z".parse().expect("a time");
        let judge = |end: &str| judge_session(end.parse().expect("a time"), "log in", now);
        let error = judge("2026-11-29T12:00:00Z").expect_err("expired");
        assert_eq!(error.kind, ErrorKind::Input);
        assert_eq!(
            error.to_string(),
            "the AWS session expired at 2026-11-29T12:00:00Z"
        );
        assert_eq!(error.hints(), ["log in, then run again"]);
        let warning = judge("2026-11-29T12:42:30.5Z")
            .expect("valid")
            .expect("short");
        assert!(
            warning.contains("ends in 42 min, at 2026-11-29T12:42:30Z"),
            "{warning}"
        );
        assert_eq!(judge("2026-11-29T13:00:00Z").expect("valid"), None);
    }
}
