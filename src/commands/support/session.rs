//! Checks that the caller's session lasts for a build.

use super::context;
use crate::adapters::system::SystemClock;
use crate::error::Error;
use crate::model::Timestamp;
use crate::ports::Clock as _;
use crate::steps::preflight::{Check, Group};

/// Remaining time in minutes below which a build is likely to end after the session.
const SHORT_MINUTES: i64 = 60;

/// Checks the remaining time of the credentials before a build. Returns nothing if their end is not
/// known.
pub(crate) async fn check_session() -> Option<Check> {
    let (end, renewal) = context::session_end().await?;
    Some(judge_session(end, &renewal, SystemClock.now()))
}

/// Checks that a session has not expired. A short one may end before a build, so it is unknown.
fn judge_session(end: Timestamp, renewal: &str, now: Timestamp) -> Check {
    let (group, object) = (Group::Credentials, "AWS session");
    let minutes = end.duration_since(now).as_secs().div_euclid(60);
    if end <= now {
        let text = format!("the AWS session expired at {}", whole_seconds(end));
        let error = Error::input(text).hint(format!("{renewal}, then run again"));
        return Check::missing(group, object, error);
    }
    if minutes >= SHORT_MINUTES {
        return Check::ok(group, object).with_note(format!("ends at {}", whole_seconds(end)));
    }
    let text = format!(
        "the AWS session ends in {minutes} min, at {}, and cannot be renewed; a build that takes longer \
         fails and cannot clean up",
        whole_seconds(end)
    );
    Check::unknown(group, object, text)
        .with_next_step(format!("{renewal} first"))
        .as_warning()
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::judge_session;
    use crate::error::ErrorKind;
    use crate::steps::preflight::Status;

    #[test]
    fn expired_session_is_refused_and_short_one_warned_about() {
        let now = "2026-11-29T12:00:00Z".parse().expect("a time");
        let judge = |end: &str| judge_session(end.parse().expect("a time"), "log in", now);
        let expired = judge("2026-11-29T12:00:00Z");
        assert_eq!(expired.kind(), Some(ErrorKind::Input));
        assert_eq!(
            expired.cause.as_deref(),
            Some("the AWS session expired at 2026-11-29T12:00:00Z")
        );
        assert_eq!(expired.next_steps, ["log in, then run again"]);
        let short = judge("2026-11-29T12:42:30.5Z");
        let warning = short.warning().expect("a warning");
        assert!(
            warning.contains("ends in 42 min, at 2026-11-29T12:42:30Z"),
            "{warning}"
        );
        assert_eq!((short.status, short.kind()), (Status::Unknown, None));
        let long = judge("2026-11-29T13:00:00Z");
        assert_eq!((long.status, long.warning()), (Status::Ok, None));
    }
}
