//! Tests of promotion gates.

use std::collections::{BTreeMap, BTreeSet};

use super::fixtures::{catalog, now};
use super::{ami, version};
use crate::lifecycle::promote::{Promotion, PromotionRequest, decide_promotion};
use crate::lifecycle::{Record, tags};
use crate::model::Ami;

const NEW: &str = "20261101.2";
const TEST: (&str, &str) = (tags::CURRENT, "Test=2026-11-02T00:00:00Z");

/// Decides a promotion and returns the decision as text. `low` may not leave Test.
fn describe_promotion(image: &str, to: &str, amis: &[Ami]) -> String {
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            b"name: acme\nregions: [eu-west-1]\n".to_vec(),
        ),
        (
            "images/jdk.yaml".to_owned(),
            b"source: {owner: amazon, name: x-*}\n".to_vec(),
        ),
        (
            "images/low.yaml".to_owned(),
            b"source: {owner: amazon, name: x-*}\nenvironment: Test\n".to_vec(),
        ),
    ]);
    let (catalog, findings) = crate::catalog::load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{findings:?}"));
    let records = Record::read_all_published(amis, &"acme".into());
    let (env, moving) = (to.into(), BTreeSet::new());
    let request = PromotionRequest {
        to: &env,
        now: "2026-11-03T00:00:00Z".parse().expect("time"),
        also_promoted: &moving,
    };
    match decide_promotion(&catalog, &records, &catalog.images[&image.into()], &request) {
        Promotion::Move { record, from } => format!("move {} from {}", record.version, from.len()),
        Promotion::AlreadyCurrent(_) => "already".to_owned(),
        Promotion::Refused(why) => why.join("; "),
    }
}

#[test]
fn promotion_moves_current_version() {
    let both = (
        tags::CURRENT,
        "Prod=2026-11-02T00:00:00Z Test=2026-11-02T00:00:00Z",
    );
    let prod = (tags::CURRENT, "Prod=2026-10-02T00:00:00Z");
    let new = || ami("jdk", NEW, &[TEST]);
    for (amis, expected) in [
        (vec![new()], "move 20261101.2 from 0"),
        (
            vec![new(), ami("jdk", "20261001.1", &[prod])],
            "move 20261101.2 from 1",
        ),
        (vec![ami("jdk", NEW, &[both])], "already"),
    ] {
        assert_eq!(describe_promotion("jdk", "Prod", &amis), expected);
    }
}

#[test]
fn promotion_without_usable_version_is_refused() {
    let with = |tag| vec![ami("jdk", NEW, &[TEST, tag])];
    for (amis, expected) in [
        (vec![], "no version of `jdk` is current in `Test`"),
        (with((tags::STATE, "held")), "held"),
        (with((tags::STATE, "candidate")), "no version of `jdk`"),
        (with((tags::SELF, "ami-x")), "no version of `jdk`"),
    ] {
        let outcome = describe_promotion("jdk", "Prod", &amis);
        assert!(outcome.contains(expected), "{outcome}");
    }
}

#[test]
fn promotion_to_unsuitable_environment_is_refused() {
    for (image, to, expected) in [
        ("jdk", "Test", "lowest environment"),
        ("jdk", "Moon", "unknown environment `Moon`"),
        ("low", "Prod", "may not be promoted above `Test`"),
    ] {
        let outcome = describe_promotion(image, to, &[ami(image, NEW, &[TEST])]);
        assert!(outcome.contains(expected), "{image} to {to}: {outcome}");
    }
}

#[test]
fn promotion_reports_every_reason() {
    let catalog = catalog("environments:\n  - {name: Test}\n  - {name: Prod, gates: {soak: 3d}}\n");
    let jdk = ami(
        "jdk",
        "20261101.1",
        &[(tags::CURRENT, "Test=2026-11-01T00:00:00Z")],
    );
    let app = |more: &[(&str, &str)]| {
        let mut all = vec![
            (tags::PARENT, "jdk@20261101.1"),
            (tags::CURRENT, "Test=2026-11-09T00:00:00Z"),
        ];
        all.extend(more);
        ami("app", "20261108.1", &all)
    };
    let objections = |amis: &[Ami], moving: &[(&str, &str)]| {
        let records = Record::read_all_published(amis, &"acme".into());
        let moving: BTreeSet<_> = moving
            .iter()
            .map(|(i, v)| ((*i).into(), version(v)))
            .collect();
        let to = "Prod".into();
        match decide_promotion(
            &catalog,
            &records,
            &catalog.images[&"app".into()],
            &PromotionRequest {
                to: &to,
                now: now(),
                also_promoted: &moving,
            },
        ) {
            Promotion::Refused(reasons) => reasons,
            _ => Vec::new(),
        }
    };
    let reasons = objections(&[jdk.clone(), app(&[(tags::STATE, "held")])], &[]);
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for (reason, word) in reasons.iter().zip([
        "is held",
        "not before 2026-11-12T00:00:00Z",
        "jdk@20261101.1",
    ]) {
        assert!(reason.contains(word), "{reason}");
    }
    let soaked = app(&[(tags::CURRENT, "Test=2026-11-07T00:00:00Z")]);
    assert_eq!(
        objections(&[jdk.clone(), soaked.clone()], &[]).len(),
        1,
        "the parent did not reach Prod"
    );
    assert_eq!(
        objections(&[jdk.clone(), soaked.clone()], &[("jdk", "20261101.1")]),
        Vec::<String>::new(),
        "the parent is promoted in the same command"
    );
    assert_eq!(
        objections(&[jdk.clone(), soaked.clone()], &[("jdk", "20261101.2")]).len(),
        1,
        "the exact version counts"
    );
    let there = ami("jdk", "20261101.1", &[("Environment", "Prod")]);
    assert_eq!(
        objections(&[there, soaked.clone()], &[]),
        Vec::<String>::new(),
        "a parent that reached Prod earlier counts"
    );
    let fallen = ami(
        "jdk",
        "20261101.1",
        &[("Environment", "Prod"), (tags::STATE, "held")],
    );
    assert_eq!(
        objections(&[fallen, soaked], &[]).len(),
        1,
        "a held parent does not count"
    );
}
