//! Defines candidates that wait for their boot checks because EC2 had no capacity for an instance.

use jiff::SignedDuration;

use crate::lifecycle::{Record, tags};
use crate::model::{State, Tags, Timestamp};

/// Value of the `bakeline:kept` tag of a candidate that waits for its boot checks.
pub const AWAITS_CHECKS: &str = "until its boot checks";

/// Value of the `bakeline:kept` tag of a resource that `--keep-failed` keeps.
pub const UNTIL_EXPIRY: &str = "until it expires";

/// Longest time between the creation of a candidate and the run that continues with it.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Returns whether these are the tags of a candidate that waits for its boot checks.
#[must_use]
pub fn awaits_checks(tags: &Tags) -> bool {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    tag(tags::STATE) == Some(State::Candidate.as_str()) && tag(tags::KEPT) == Some(AWAITS_CHECKS)
}

/// Returns the time at which a candidate that was created at this time expires.
#[must_use]
pub fn expiry(created: Timestamp) -> Timestamp {
    Timestamp::from_second((created + LIFETIME).as_second()).unwrap_or(created)
}

/// Returns the creation time of a candidate with which a run can continue: it waits for its boot checks,
/// is available and neither expired nor too old.
#[must_use]
pub fn adoptable_since(record: &Record<'_>, now: Timestamp) -> Option<Timestamp> {
    let created: Timestamp = record.ami.created.parse().ok()?;
    let expires: Timestamp = record.tag(tags::EXPIRES).parse().ok()?;
    let is_adoptable = awaits_checks(&record.ami.tags)
        && record.current.is_empty()
        && record.ami.status == "available"
        && now < expires
        && now < expiry(created);
    is_adoptable.then_some(created)
}
