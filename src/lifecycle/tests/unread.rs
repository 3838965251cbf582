//! Tests of retirement while a location cannot be read.

use super::retention::{oldest, oldest_with, tag};
use crate::lifecycle::ladder::Rung;
use crate::lifecycle::retain::Rules;
use crate::lifecycle::tags;
use crate::model::Ami;

#[test]
fn unreadable_location_stops_retirement_at_deprecation() {
    let unread = |rules: &mut Rules<'_>| rules.unread = vec!["us-east-1".to_owned()];
    let fresh = oldest_with(|_| {}, &[], unread);
    assert_eq!(
        (fresh.retire, fresh.next.as_slice()),
        (true, &[Rung::Deprecate][..])
    );
    let deprecated = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(tags::RETIRING, "deprecate=2026-01-01T00:00:00Z")(a);
    };
    let disabled = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(
            tags::RETIRING,
            "deprecate=2026-01-01T00:00:00Z disable=2026-02-01T00:00:00Z",
        )(a);
        "disabled".clone_into(&mut a.status);
    };
    let due = [oldest(deprecated, &[]), oldest(disabled, &[])].map(|fate| fate.next);
    assert_eq!(
        due,
        [[Rung::Disable], [Rung::Deregister]],
        "due when every location was read"
    );
    for stopped in [
        oldest_with(deprecated, &[], unread),
        oldest_with(disabled, &[], unread),
    ] {
        assert_eq!((stopped.retire, stopped.next.as_slice()), (true, &[][..]));
        assert!(
            stopped
                .reason()
                .contains("not beyond deprecation while us-east-1 cannot be read"),
            "{stopped:?}"
        );
    }
}
