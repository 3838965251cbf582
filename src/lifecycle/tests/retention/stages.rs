//! Tests of the retirement stages and their waiting times.

use RetirementStage::{Deprecate, Deregister, Disable};

use super::{oldest, oldest_with, refer, tag};
use crate::lifecycle::retention::RetentionRules;
use crate::lifecycle::retirement::RetirementStage;
use crate::lifecycle::tags;
use crate::model::Ami;

/// Changes an AMI to one that is retiring, with these times of its stages.
fn mark_retiring(marks: &'static str, status: &'static str) -> impl Fn(&mut Ami) {
    move |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(tags::RETIRING, marks)(a);
        status.clone_into(&mut a.status);
    }
}

#[test]
fn retirement_stages_wait_for_their_time() {
    for (marks, status, next, due) in [
        (
            "",
            "available",
            vec![Deprecate],
            Some("2026-11-23T12:00:00Z"),
        ),
        (
            "deprecate=2026-11-21T12:00:01Z",
            "available",
            vec![],
            Some("2026-11-22T12:00:01Z"),
        ),
        (
            "deprecate=2026-11-21T12:00:00Z",
            "available",
            vec![Disable],
            Some("2026-11-24T12:00:00Z"),
        ),
        (
            "deprecate=2026-11-22T12:00:00Z",
            "disabled",
            vec![Disable],
            Some("2026-11-24T12:00:00Z"),
        ),
        (
            "deprecate=2026-11-01T12:00:00Z disable=2026-11-20T12:00:01Z",
            "disabled",
            vec![],
            Some("2026-11-22T12:00:01Z"),
        ),
        (
            "deprecate=2026-11-01T12:00:00Z disable=2026-11-20T12:00:00Z",
            "disabled",
            vec![Deregister],
            None,
        ),
        (
            "disable=2026-11-20T12:00:00Z",
            "disabled",
            vec![Deregister],
            None,
        ),
        (
            "rubbish deprecate=soon",
            "available",
            vec![Deprecate],
            Some("2026-11-23T12:00:00Z"),
        ),
    ] {
        let decision = oldest(mark_retiring(marks, status), &[]);
        assert!(decision.retire, "{marks}: {}", decision.reason());
        assert_eq!(
            (
                decision.due_stages,
                decision.next_due.map(|d| d.to_string()).as_deref()
            ),
            (next, due),
            "{marks} {status}"
        );
    }
}

#[test]
fn stages_without_waiting_time_are_due_together() {
    let none = |rules: &mut RetentionRules<'_>| {
        rules.environments[0].1.disable_after = jiff::SignedDuration::ZERO;
        rules.environments[0].1.deregister_after = jiff::SignedDuration::ZERO;
    };
    assert_eq!(
        oldest_with(|_| {}, &[], none).due_stages,
        [Deprecate, Disable, Deregister]
    );
}

#[test]
fn used_retiring_ami_stays_and_restore_is_offered() {
    let needed = oldest(
        mark_retiring("deprecate=2026-11-01T12:00:00Z", "available"),
        &refer("instance"),
    );
    assert!(
        !needed.retire && needed.restore && needed.due_stages.is_empty(),
        "{needed:?}"
    );
}

#[test]
fn shared_ami_stops_at_deprecation_unless_allowed() {
    let deprecated = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(tags::RETIRING, "deprecate=2026-11-01T12:00:00Z")(a);
    };
    let fresh = oldest(|_| {}, &refer("shared-with"));
    assert_eq!(
        (fresh.due_stages.as_slice(), fresh.next_due),
        (&[Deprecate][..], None)
    );
    assert!(
        fresh
            .reason()
            .ends_with("shared with x-1: will only be deprecated; `bakeline prune --shared-ok` allows disabling"),
        "{}",
        fresh.reason()
    );
    let later = oldest(deprecated, &refer("shared-with"));
    assert_eq!((later.action(), later.due_stages.len()), ("wait", 0));
    let public = |a: &mut Ami| {
        deprecated(a);
        a.public = true;
    };
    assert_eq!(oldest(public, &[]).action(), "wait");
    assert_eq!(
        oldest_with(deprecated, &refer("shared-with"), |r| r.shared_ok = true).due_stages,
        [Disable]
    );
}
