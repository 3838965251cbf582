//! Tests of the target of a rollback, also of repeated and interrupted ones.

use super::fixtures::{catalog, copy, inventory};
use super::{ami, version};
use crate::lifecycle::rollback::{RollbackDecision, RollbackError, decide_rollback};
use crate::lifecycle::{Record, tags};
use crate::model::Ami;

/// Describes the decision of a rollback, or its error.
fn describe(decision: Result<RollbackDecision<'_>, RollbackError>) -> String {
    match decision {
        Ok(RollbackDecision::Move(back)) => {
            let from = back.from.map_or("nothing".to_owned(), |v| v.to_string());
            format!("{from} to {}", back.to)
        }
        Ok(RollbackDecision::Keep(version, _)) => format!("keeps {version}"),
        Err(why) => why.to_string(),
    }
}

#[test]
fn repeated_rollback_never_goes_further_back() {
    let catalog = catalog(
        "environments: [{name: Test, regions: [eu-west-1]}, {name: Prod, regions: [eu-west-1]}]\n",
    );
    let asked = (&catalog.images[&"jdk".into()], &"Prod".into());
    let choose = |amis: &[&Ami]| {
        let inventory = inventory(amis.iter().map(|a| (*a).clone()).collect(), &[]);
        let records = Record::read_all_published(&inventory.images, &"acme".into());
        describe(decide_rollback(&catalog, &inventory, &records, asked, None))
    };
    let prod = |version: &str, more: &[(&str, &str)]| {
        ami("jdk", version, &[&[("Environment", "Prod")], more].concat())
    };
    let one = prod("20261101.1", &[]);
    let two = prod(
        "20261102.1",
        &[(tags::CURRENT, "Prod=2026-11-06T00:00:00Z")],
    );
    let three = |more: &[(&str, &str)]| {
        ami(
            "jdk",
            "20261103.1",
            &[&[(tags::STATE, "held")], more].concat(),
        )
    };
    let interrupted = three(&[(tags::CURRENT, "Prod=2026-11-03T00:00:00Z")]);
    assert_eq!(
        choose(&[&one, &two, &interrupted]),
        "20261103.1 to 20261102.1",
        "completes the interrupted one"
    );
    let finished = three(&[(tags::ROLLED_BACK, "Prod=2026-11-06T00:00:00Z")]);
    assert_eq!(choose(&[&one, &two, &finished]), "keeps 20261102.1");
    let returned = prod(
        "20261102.1",
        &[
            (tags::CURRENT, "Prod=2026-11-06T00:00:00Z"),
            (tags::ROLLED_BACK, "Prod=2026-11-06T00:00:00Z"),
        ],
    );
    assert_eq!(
        choose(&[&one, &returned]),
        "keeps 20261102.1",
        "no version was current before"
    );
    for (other, why) in [
        (three(&[]), "held by hand, not by a rollback of Prod"),
        (
            three(&[(tags::ROLLED_BACK, "Test=2026-11-06T00:00:00Z")]),
            "rolled back in another environment",
        ),
        (
            three(&[(tags::ROLLED_BACK, "Prod=2026-11-04T00:00:00Z")]),
            "promoted again since that rollback",
        ),
    ] {
        assert_eq!(
            choose(&[&one, &two, &other]),
            "20261102.1 to 20261101.1",
            "{why}"
        );
    }
    let old = prod(
        "20261102.1",
        &[(tags::CURRENT, "Prod=2026-11-02T00:00:00Z")],
    );
    let promoted = prod(
        "20261103.1",
        &[(tags::CURRENT, "Prod=2026-11-03T00:00:00Z")],
    );
    assert_eq!(
        choose(&[&one, &old, &promoted]),
        "20261103.1 to 20261102.1",
        "an interrupted promotion"
    );
}

/// Decides a rollback of `jdk` in Prod, at two locations. Returns the decision as text.
fn rollback_target(amis: Vec<Ami>, to: Option<&str>) -> String {
    let (catalog, inventory) = (catalog(""), inventory(amis, &[]));
    let records = Record::read_all_published(&inventory.images, &"acme".into());
    let asked = (&catalog.images[&"jdk".into()], &"Prod".into());
    match decide_rollback(&catalog, &inventory, &records, asked, to.map(version)) {
        Err(why) => why.to_string(),
        Ok(RollbackDecision::Keep(..)) => "nothing".to_owned(),
        Ok(RollbackDecision::Move(back)) => format!("{} at {}", back.to, back.locations.len()),
    }
}

/// Returns a version of `jdk` that reached Prod.
fn prod_version(version: &str) -> Ami {
    ami("jdk", version, &[("Environment", "Prod")])
}

/// Returns version three of `jdk`, which is current in Prod.
fn current_version() -> Ami {
    let current = (tags::CURRENT, "Prod=2026-11-05T00:00:00Z");
    ami("jdk", "20261103.1", &[("Environment", "Prod"), current])
}

/// Returns the AMIs with their copies at the second location.
fn with_copies(amis: &[&Ami]) -> Vec<Ami> {
    amis.iter().flat_map(|a| [(*a).clone(), copy(a)]).collect()
}

#[test]
fn rollback_goes_to_newest_version_at_all_locations() {
    let (one, two) = (prod_version("20261101.1"), prod_version("20261102.1"));
    let three = current_version();
    let all = || with_copies(&[&one, &two, &three]);
    assert_eq!(rollback_target(all(), None), "20261102.1 at 2");
    assert_eq!(
        rollback_target(all(), Some("20261101.1")),
        "20261101.1 at 2"
    );
    assert_eq!(rollback_target(all(), Some("20261103.1")), "nothing");
    let mut here = with_copies(&[&one, &three]);
    here.push(two.clone());
    assert_eq!(
        rollback_target(here, None),
        "20261101.1 at 2",
        "version two is missing at one location"
    );
    assert!(rollback_target(with_copies(&[&three]), None).contains("no released version"));
}

#[test]
fn rollback_without_current_version_uses_newest_version_that_reached_the_environment() {
    let (one, two) = (prod_version("20261101.1"), prod_version("20261102.1"));
    let all = || with_copies(&[&one, &two]);
    assert_eq!(rollback_target(all(), None), "20261102.1 at 2");
    assert_eq!(
        rollback_target(all(), Some("20261101.1")),
        "20261101.1 at 2"
    );
    let mut disabled = current_version();
    disabled.status = "disabled".to_owned();
    assert_eq!(
        rollback_target(with_copies(&[&one, &two, &disabled]), None),
        "20261102.1 at 2",
        "the current AMI is disabled"
    );
    let mut held = two.clone();
    held.tags.insert(tags::STATE.to_owned(), "held".to_owned());
    assert_eq!(
        rollback_target(with_copies(&[&one, &held]), None),
        "20261101.1 at 2",
        "a held version is skipped"
    );
    let in_test = ami("jdk", "20261102.1", &[]);
    assert_eq!(
        rollback_target(with_copies(&[&in_test]), None),
        "no version of `jdk` is current in `Prod`, and no released version reached it in all its locations"
    );
}

#[test]
fn rollback_skips_withdrawn_and_unreached_versions() {
    let (one, two) = (prod_version("20261101.1"), prod_version("20261102.1"));
    let three = current_version();
    for state in ["held", "revoked", "retiring"] {
        let mut other = two.clone();
        other.tags.insert(tags::STATE.to_owned(), state.to_owned());
        let all = || with_copies(&[&one, &other, &three]);
        assert_eq!(rollback_target(all(), None), "20261101.1 at 2", "{state}");
        assert!(rollback_target(all(), Some("20261102.1")).contains(state));
    }
    let never = ami("jdk", "20261102.1", &[]);
    let all = || with_copies(&[&one, &never, &three]);
    assert_eq!(
        rollback_target(all(), None),
        "20261101.1 at 2",
        "the version was only in Test"
    );
    assert_eq!(
        rollback_target(all(), Some("20261102.1")),
        "version 20261102.1 of `jdk` has not reached `Prod` in all its locations"
    );
    assert_eq!(
        rollback_target(all(), Some("20261104.1")),
        "`jdk` has no version 20261104.1"
    );
}

#[test]
fn interrupted_rollback_keeps_its_target() {
    // Home is at version two, the other Region is not.
    let (one, two) = (prod_version("20261101.1"), prod_version("20261102.1"));
    let mut back = two.clone();
    back.tags.insert(
        tags::CURRENT.to_owned(),
        "Prod=2026-11-06T00:00:00Z".to_owned(),
    );
    let held = ami("jdk", "20261103.1", &[(tags::STATE, "held")]);
    let amis = vec![
        one.clone(),
        copy(&one),
        back,
        copy(&two),
        held,
        copy(&current_version()),
    ];
    assert_eq!(rollback_target(amis, None), "20261102.1 at 1");
}
