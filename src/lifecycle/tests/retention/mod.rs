//! Tests of retention: counting, parents and launches. Fixtures of the other tests.

mod rules;
mod stages;

use std::collections::BTreeSet;

use super::ami;
use crate::catalog::Retention;
use crate::lifecycle::retention::{RetentionDecision, RetentionRules, decide_retention};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, ImageName, Reference};

/// Default retention settings of the tests: `keep` versions in Test, and a reserve of two in Prod.
pub(in crate::lifecycle::tests) fn retention(keep: u32) -> Retention {
    Retention {
        keep,
        days: 0,
        reserve: 2,
        disable_after: jiff::SignedDuration::from_hours(24),
        deregister_after: jiff::SignedDuration::from_hours(48),
    }
}

/// Decides with rules that `change` modified.
pub(in crate::lifecycle::tests) fn decisions_with(
    amis: &[Ami],
    keep: u32,
    references: &[Reference],
    change: impl FnOnce(&mut RetentionRules<'_>),
) -> Vec<RetentionDecision> {
    let records = Record::read_all_published(amis, &"acme".into());
    let names: BTreeSet<ImageName> = ["jdk", "jre", "base", "mid", "top", "a", "b"]
        .map(ImageName::from)
        .into();
    let catalog = "acme".into();
    let mut rules = RetentionRules {
        now: "2026-11-22T12:00:00Z".parse().expect("time"),
        catalog: &catalog,
        images: names.iter().collect(),
        environments: vec![
            ("Test", retention(keep)),
            (
                "Prod",
                Retention {
                    keep: 0,
                    ..retention(keep)
                },
            ),
        ],
        default_retention: retention(keep),
        environment_key: "Environment",
        references,
        unreachable: Vec::new(),
        unread_references: std::collections::BTreeMap::new(),
        receivers: BTreeSet::new(),
        account: "123456789012",
        shared_ok: false,
        retired_images: None,
    };
    change(&mut rules);
    decide_retention(&records, &rules)
}

pub(in crate::lifecycle::tests) fn decisions(
    amis: &[Ami],
    keep: u32,
    references: &[Reference],
) -> Vec<RetentionDecision> {
    decisions_with(amis, keep, references, |_| {})
}

/// Returns the AMIs that are retired, as `image@version`.
fn retired(decisions: &[RetentionDecision]) -> Vec<String> {
    let mut out: Vec<String> = decisions
        .iter()
        .filter(|d| d.retire)
        .map(|d| format!("{}@{}", d.image, d.version))
        .collect();
    out.sort();
    out
}

/// Decides about the oldest of three versions, of which retention keeps one. `change` modifies it.
pub(in crate::lifecycle::tests) fn oldest(
    change: impl Fn(&mut Ami),
    references: &[Reference],
) -> RetentionDecision {
    oldest_with(change, references, |_| {})
}

pub(in crate::lifecycle::tests) fn oldest_with(
    change: impl Fn(&mut Ami),
    references: &[Reference],
    rules: impl FnOnce(&mut RetentionRules<'_>),
) -> RetentionDecision {
    let mut amis = vec![
        ami("jdk", "20261101.1", &[]),
        ami("jdk", "20261102.1", &[]),
        ami("jdk", "20261103.1", &[]),
    ];
    change(&mut amis[0]);
    let mut all = decisions_with(&amis, 1, references, rules);
    all.remove(
        all.iter()
            .position(|d| d.ami == amis[0].id)
            .expect("it is decided about"),
    )
}

pub(in crate::lifecycle::tests) fn tag(
    key: &'static str,
    value: &'static str,
) -> impl Fn(&mut Ami) {
    move |a: &mut Ami| drop(a.tags.insert(key.to_owned(), value.to_owned()))
}

/// Returns a reference to the oldest AMI.
fn refer(kind: &str) -> Vec<Reference> {
    vec![Reference {
        ami: AmiId::from("ami-jdk-20261101.1"),
        kind: kind.to_owned(),
        referrer: "x-1".to_owned(),
    }]
}

#[test]
fn old_launches_and_boot_checks_do_not_keep() {
    for at in ["2026-11-01T12:30:00Z", "2026-11-15T11:59:59Z"] {
        assert!(
            oldest(|a| a.last_launched = Some(at.to_owned()), &[]).retire,
            "{at}"
        );
    }
    let ours = |a: &mut Ami| {
        a.created = "2026-11-22T09:00:00Z".to_owned();
        a.last_launched = Some("2026-11-22T09:59:00Z".to_owned());
    };
    assert!(
        oldest(ours, &[]).retire,
        "within an hour after creation: our own boot check"
    );
    let unknown = |a: &mut Ami| {
        a.created = String::new();
        a.last_launched = Some("2026-11-22T09:59:00Z".to_owned());
    };
    assert!(
        !oldest(unknown, &[]).retire,
        "source of the launch is unknown"
    );
}

#[test]
fn revoked_and_retiring_versions_do_not_count() {
    let amis = [
        ami("jdk", "20261104.1", &[(tags::STATE, "revoked")]),
        ami("jdk", "20261103.1", &[(tags::STATE, "retiring")]),
        ami("jdk", "20261102.1", &[(tags::STATE, "held")]),
        ami("jdk", "20261101.1", &[]),
    ];
    assert_eq!(
        retired(&decisions(&amis, 2, &[])),
        ["jdk@20261103.1", "jdk@20261104.1"]
    );
    // A rollback never targets a held version.
    let prod = |version: &str, state: &str| {
        ami(
            "jdk",
            version,
            &[(tags::STATE, state), ("Environment", "Prod")],
        )
    };
    let amis = [
        prod("20261104.1", "held"),
        prod("20261103.1", "released"),
        prod("20261102.1", "released"),
    ];
    assert_eq!(retired(&decisions(&amis, 1, &[])), ["jdk@20261104.1"]);
}

#[test]
fn parents_of_kept_amis_are_kept() {
    let child =
        |image: &str, version: &str, parent: &str| ami(image, version, &[(tags::PARENT, parent)]);
    let amis = [
        ami("base", "20261101.1", &[]),
        ami("base", "20261102.1", &[]),
        ami("base", "20261103.1", &[]),
        child("a", "20261101.1", "base@20261101.1"),
        child("a", "20261102.1", "base@20261102.1"),
        child("b", "20261101.1", "a@20261101.1"),
    ];
    let all = decisions(&amis, 1, &[]);
    assert_eq!(
        retired(&all),
        Vec::<String>::new(),
        "b keeps a 1, a 1 keeps base 1, a 2 keeps base 2"
    );
    let parent = all
        .iter()
        .find(|d| d.ami.as_str() == "ami-base-20261101.1")
        .expect("it");
    assert_eq!(parent.reason(), "layer parent of a@20261101.1");
    let without_b = decisions(&amis[..5], 1, &[]);
    assert_eq!(retired(&without_b), ["a@20261101.1", "base@20261101.1"]);
    // A child at another location does not keep a parent here.
    let mut elsewhere = amis.to_vec();
    elsewhere[5].region = "eu-central-1".into();
    assert_eq!(
        retired(&decisions(&elsewhere, 1, &[])),
        ["a@20261101.1", "base@20261101.1"]
    );
}

#[test]
fn keep_counts_per_image_architecture_level_and_location() {
    let amis = [
        ami("jdk", "20261031.1", &[("Environment", "Prod")]),
        ami("jdk", "20261101.1", &[("Environment", "Prod")]),
        ami("jdk", "20261102.1", &[("Environment", "Prod")]),
        ami("jdk", "20261103.1", &[]),
        ami("jdk", "20261104.1", &[]),
        ami("jre", "20261001.1", &[]),
        ami("jdk", "20261001.1", &[(tags::ARCH, "arm64")]),
    ];
    let one = retired(&decisions(&amis, 1, &[]));
    assert_eq!(one, ["jdk@20261031.1", "jdk@20261103.1"]);
    assert_eq!(retired(&decisions(&amis, 2, &[])), ["jdk@20261031.1"]);
    let own = decisions_with(&amis, 1, &[], |rules| rules.environments[1].1.keep = 3);
    assert_eq!(retired(&own), ["jdk@20261103.1"], "Prod has its own `keep`");
    let mut copies = amis.to_vec();
    copies[0].region = "eu-central-1".into();
    copies[3].owner = "210987654321".to_owned();
    assert_eq!(retired(&decisions(&copies, 1, &[])), Vec::<String>::new());
}

#[test]
fn retired_image_keeps_only_amis_in_use() {
    let amis = [
        ami(
            "old",
            "20261103.1",
            &[(tags::CURRENT, "Test=2026-11-03T00:00:00Z")],
        ),
        ami("old", "20261102.1", &[]),
        ami("old", "20261101.1", &[]),
        ami("a", "20261101.1", &[(tags::PARENT, "old@20261101.1")]),
    ];
    assert_eq!(
        retired(&decisions(&amis, 1, &[])),
        Vec::<String>::new(),
        "orphaned: kept until retired"
    );
    let leaving = Box::leak(Box::new(BTreeSet::from([ImageName::from("old")])));
    let pointer = |by: &str, ami: &Ami| Reference {
        ami: ami.id.clone(),
        kind: "parameter".into(),
        referrer: by.to_owned(),
    };
    let refs = [
        pointer("/bakeline/acme/old/Test/x86_64 in eu-west-1", &amis[0]),
        pointer("/team/image", &amis[1]),
    ];
    let all = decisions_with(&amis, 1, &refs, |rules| {
        rules.retired_images = Some(leaving)
    });
    assert_eq!(retired(&all), ["old@20261103.1"]);
}
