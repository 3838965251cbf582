//! Tests of retirement while a location or its references cannot be read.

use super::retention::{oldest, oldest_with, tag};
use crate::lifecycle::retention::RetentionRules;
use crate::lifecycle::retirement::RetirementStage;
use crate::lifecycle::tags;
use crate::model::Ami;

#[test]
fn unreadable_location_stops_retirement_at_deprecation() {
    let unreachable =
        |rules: &mut RetentionRules<'_>| rules.unreachable = vec!["us-east-1".to_owned()];
    let fresh = oldest_with(|_| {}, &[], unreachable);
    assert_eq!(
        (fresh.retire, fresh.due_stages.as_slice()),
        (true, &[RetirementStage::Deprecate][..])
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
    let due = [oldest(deprecated, &[]), oldest(disabled, &[])].map(|decision| decision.due_stages);
    assert_eq!(
        due,
        [[RetirementStage::Disable], [RetirementStage::Deregister]],
        "due when every location was read"
    );
    for stopped in [
        oldest_with(deprecated, &[], unreachable),
        oldest_with(disabled, &[], unreachable),
    ] {
        assert_eq!(
            (stopped.retire, stopped.due_stages.as_slice()),
            (true, &[][..])
        );
        assert!(
            stopped
                .reason()
                .contains("will only be deprecated while us-east-1 cannot be read"),
            "{stopped:?}"
        );
    }
}

#[test]
fn unread_references_keep_the_amis_of_the_location() {
    let unread = |owner: &str, region: &str| {
        let location = (owner.to_owned(), region.into());
        move |rules: &mut RetentionRules<'_>| {
            let account = location.0.clone();
            rules.unread_references.insert(location.clone(), account);
        }
    };
    let own = oldest(|_| {}, &[]);
    assert!(own.retire, "{own:?}");
    let kept = oldest_with(|_| {}, &[], unread(&own.owner, own.region.as_str()));
    assert!(!kept.retire, "{kept:?}");
    let reason = format!(
        "references in account {}, {}, could not be read",
        own.owner, own.region
    );
    assert_eq!(kept.reason(), reason);
    for other in [
        oldest_with(|_| {}, &[], unread("222222222222", own.region.as_str())),
        oldest_with(|_| {}, &[], unread(&own.owner, "us-east-1")),
    ] {
        assert_eq!(other.due_stages, own.due_stages, "other locations continue");
    }
    let retiring = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(tags::RETIRING, "deprecate=2026-01-01T00:00:00Z")(a);
    };
    let waiting = oldest_with(retiring, &[], unread(&own.owner, own.region.as_str()));
    assert!(
        !waiting.retire && !waiting.restore,
        "it is unknown whether it is needed: {waiting:?}"
    );
}
