//! Tests of the retention rules: each one keeps an AMI by itself, with its reason.

use super::{oldest, oldest_with, refer, tag};
use crate::lifecycle::retention::RetentionDecision;
use crate::lifecycle::retirement::RetirementStage;
use crate::lifecycle::tags;
use crate::model::Ami;

/// Asserts that only this rule keeps the AMI, and that the reason ends with this text.
fn assert_kept_by(kept: &RetentionDecision, rule: &str, reason: &str) {
    assert!(!kept.retire && kept.due_stages.is_empty(), "{rule}");
    // A version of another image, or in no environment, is also the newest of its group.
    let keeping: Vec<&str> = kept
        .results
        .iter()
        .filter(|a| a.keep && (rule == "newest" || a.rule != "newest"))
        .map(|a| a.rule.as_str())
        .collect();
    assert_eq!(keeping, [rule]);
    assert!(kept.reason().ends_with(reason), "{}", kept.reason());
}

#[test]
fn ami_without_rule_is_retired() {
    let plain = oldest(|_| {}, &[]);
    assert!(plain.retire && plain.results.len() == 10, "{plain:?}");
    assert_eq!(
        plain.reason(),
        "not among the newest 1 of level Test, unused"
    );
    assert_eq!(
        (plain.due_stages.as_slice(), plain.action()),
        (&[RetirementStage::Deprecate][..], "deprecate")
    );
}

#[test]
fn each_tag_rule_keeps_by_itself() {
    for (rule, key, value, reason) in [
        (
            "current",
            tags::CURRENT,
            "Prod=2026-11-01T00:00:00Z",
            "current in Prod",
        ),
        (
            "newest",
            "Environment",
            "",
            "among the newest 1 of level none",
        ),
        (
            "reserve",
            "Environment",
            "Prod",
            "among the newest 2 that reached Prod (rollback reserve)",
        ),
        (
            "orphaned",
            tags::IMAGE,
            "old",
            "not in the catalog (run `bakeline retire old`)",
        ),
        (
            "unfinished",
            tags::STATE,
            "candidate",
            "candidate AMI (handled by sweep)",
        ),
    ] {
        assert_kept_by(&oldest(tag(key, value), &[]), rule, reason);
    }
}

#[test]
fn amis_in_foreign_states_are_kept() {
    let status = |status: &'static str| move |a: &mut Ami| status.clone_into(&mut a.status);
    for (state, reason) in [
        ("disabled", "disabled, but not by bakeline"),
        ("pending", "AMI state is pending"),
    ] {
        assert_kept_by(&oldest(status(state), &[]), "unfinished", reason);
    }
    let enabled_again = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(
            tags::RETIRING,
            "deprecate=2026-11-01T00:00:00Z disable=2026-11-09T00:00:00Z",
        )(a);
    };
    assert_kept_by(
        &oldest(enabled_again, &[]),
        "unfinished",
        "enabled again, but not by bakeline (run `bakeline restore ami-jdk-20261101.1`)",
    );
}

#[test]
fn used_and_protected_amis_are_kept() {
    for kind in ["instance", "launch-template", "parameter"] {
        let kept = oldest(|_| {}, &refer(kind));
        assert_kept_by(&kept, "referenced", &format!("used by {kind} x-1"));
    }
    let launched = |a: &mut Ami| a.last_launched = Some("2026-11-16T12:00:00Z".to_owned());
    assert_kept_by(
        &oldest(launched, &[]),
        "launched",
        "launched 2026-11-16T12:00:00Z",
    );
    assert_kept_by(
        &oldest(|a| a.protected = true, &[]),
        "protected",
        "protected from deregistration",
    );
}

#[test]
fn young_versions_are_kept() {
    let young = oldest_with(|_| {}, &[], |rules| rules.environments[0].1.days = 22);
    assert_eq!(young.reason(), "younger than 22 days");
    assert!(
        oldest_with(|_| {}, &[], |rules| rules.environments[0].1.days = 21).retire,
        "the 1st is 21 days before the 22nd"
    );
}
