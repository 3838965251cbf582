//! Owns the table of prune's rules: each keeps by itself, and nothing goes without every rule's reason.

use std::collections::BTreeSet;

use super::ami;
use crate::catalog::Retention;
use crate::lifecycle::ladder::Rung;
use crate::lifecycle::retain::{Fate, Rules, decide};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, ImageName, Reference};

/// What the tests keep unless they say otherwise: `keep` in Test and nowhere, a reserve of two in Prod.
pub(super) fn retention(keep: u32) -> Retention {
    Retention {
        keep,
        days: 0,
        reserve: 2,
        disable_after: jiff::SignedDuration::from_hours(24),
        deregister_after: jiff::SignedDuration::from_hours(48),
    }
}

/// Decides with rules that `change` has changed.
pub(super) fn decisions_with(
    amis: &[Ami],
    keep: u32,
    references: &[Reference],
    change: impl FnOnce(&mut Rules<'_>),
) -> Vec<Fate> {
    let records = Record::all(amis, &"acme".into());
    let names: BTreeSet<ImageName> = ["jdk", "jre", "base", "mid", "top", "a", "b"]
        .map(ImageName::from)
        .into();
    let catalog = "acme".into();
    let mut rules = Rules {
        now: "2026-11-22T12:00:00Z".parse().expect("time"),
        catalog: &catalog,
        images: names.iter().collect(),
        ladder: vec![
            ("Test", retention(keep)),
            (
                "Prod",
                Retention {
                    keep: 0,
                    ..retention(keep)
                },
            ),
        ],
        otherwise: retention(keep),
        environment_key: "Environment",
        references,
        unread: Vec::new(),
        shared_ok: false,
        leaving: None,
    };
    change(&mut rules);
    decide(&records, &rules)
}

pub(super) fn decisions(amis: &[Ami], keep: u32, references: &[Reference]) -> Vec<Fate> {
    decisions_with(amis, keep, references, |_| {})
}

/// The ids that go.
fn goes(decisions: &[Fate]) -> Vec<String> {
    let mut out: Vec<String> = decisions
        .iter()
        .filter(|d| d.retire)
        .map(|d| format!("{}@{}", d.image, d.version))
        .collect();
    out.sort();
    out
}

/// The oldest of three, of which one is kept; `change` makes it special.
pub(super) fn oldest(change: impl Fn(&mut Ami), references: &[Reference]) -> Fate {
    oldest_with(change, references, |_| {})
}

pub(super) fn oldest_with(
    change: impl Fn(&mut Ami),
    references: &[Reference],
    rules: impl FnOnce(&mut Rules<'_>),
) -> Fate {
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

pub(super) fn tag(key: &'static str, value: &'static str) -> impl Fn(&mut Ami) {
    move |a: &mut Ami| drop(a.tags.insert(key.to_owned(), value.to_owned()))
}

fn refer(kind: &str) -> Vec<Reference> {
    vec![Reference {
        ami: AmiId::from("ami-jdk-20261101.1"),
        kind: kind.to_owned(),
        by: "x-1".to_owned(),
    }]
}

#[test]
fn each_rule_keeps_by_itself_and_says_why() {
    let plain = oldest(|_| {}, &[]);
    assert!(plain.retire && plain.answers.len() == 10, "{plain:?}");
    let reason = "current nowhere; not among the newest 1 in Test; age does not count; not in the rollback reserve; its image is wanted; \
                  finished; nothing refers to it; not launched in the last 7 days; not protected; no layer parent of what stays";
    assert_eq!(plain.reason(), reason);
    assert_eq!(
        (plain.next.as_slice(), plain.verb()),
        (&[Rung::Deprecate][..], "deprecate")
    );
    let launched = |at: &'static str| move |a: &mut Ami| a.last_launched = Some(at.to_owned());
    let status = |status: &'static str| move |a: &mut Ami| status.clone_into(&mut a.status);
    let again = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(
            tags::RETIRING,
            "deprecate=2026-11-01T00:00:00Z disable=2026-11-09T00:00:00Z",
        )(a);
    };
    type Change = Box<dyn Fn(&mut Ami)>;
    let table: Vec<(&str, Change, Vec<Reference>, &str)> = vec![
        (
            "current",
            Box::new(tag(tags::CURRENT, "Prod=2026-11-01T00:00:00Z")),
            vec![],
            "current in Prod",
        ),
        (
            "newest",
            Box::new(tag("Environment", "")),
            vec![],
            "among the newest 1 in no environment",
        ),
        (
            "reserve",
            Box::new(tag("Environment", "Prod")),
            vec![],
            "among the newest 2 that reached Prod (rollback reserve)",
        ),
        (
            "orphaned",
            Box::new(tag(tags::IMAGE, "old")),
            vec![],
            "not in the catalog: bakeline retire old",
        ),
        (
            "finished",
            Box::new(tag(tags::STATE, "candidate")),
            vec![],
            "a candidate: not prune's business",
        ),
        (
            "finished",
            Box::new(status("disabled")),
            vec![],
            "disabled by somebody else than bakeline",
        ),
        (
            "finished",
            Box::new(status("pending")),
            vec![],
            "pending: not prune's business",
        ),
        (
            "finished",
            Box::new(again),
            vec![],
            "enabled again by somebody: bakeline restore ami-jdk-20261101.1",
        ),
        (
            "referenced",
            Box::new(|_| {}),
            refer("instance"),
            "used by instance x-1",
        ),
        (
            "referenced",
            Box::new(|_| {}),
            refer("launch-template"),
            "used by launch-template x-1",
        ),
        (
            "referenced",
            Box::new(|_| {}),
            refer("parameter"),
            "used by parameter x-1",
        ),
        (
            "launched",
            Box::new(launched("2026-11-16T12:00:00Z")),
            vec![],
            "launched 2026-11-16T12:00:00Z",
        ),
        (
            "protected",
            Box::new(|a| a.protected = true),
            vec![],
            "protected from deregistration",
        ),
    ];
    for (rule, change, references, because) in table {
        let kept = oldest(change, &references);
        assert!(!kept.retire && kept.next.is_empty(), "{rule}");
        // An image of another name, or in no environment, is also the newest of its own.
        let keeping: Vec<&str> = kept
            .answers
            .iter()
            .filter(|a| a.keeps && (rule == "newest" || a.rule != "newest"))
            .map(|a| a.rule.as_str())
            .collect();
        assert_eq!(keeping, [rule]);
        assert!(kept.reason().ends_with(because), "{}", kept.reason());
    }
    let young = oldest_with(|_| {}, &[], |rules| rules.ladder[0].1.days = 22);
    assert_eq!(young.reason(), "younger than 22 days");
    assert!(
        oldest_with(|_| {}, &[], |rules| rules.ladder[0].1.days = 21).retire,
        "the 1st is 21 days before the 22nd"
    );
}

#[test]
fn the_ladder_is_gone_down_rung_by_rung_and_never_before_its_time() {
    let on = |marks: &'static str, status: &'static str| {
        move |a: &mut Ami| {
            tag(tags::STATE, "retiring")(a);
            tag(tags::RETIRING, marks)(a);
            status.clone_into(&mut a.status);
        }
    };
    use Rung::{Deprecate, Deregister, Disable};
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
        let fate = oldest(on(marks, status), &[]);
        assert!(fate.retire, "{marks}: {}", fate.reason());
        assert_eq!(
            (fate.next, fate.due.map(|d| d.to_string()).as_deref()),
            (next, due),
            "{marks} {status}"
        );
    }
    let none = |rules: &mut Rules<'_>| {
        rules.ladder[0].1.disable_after = jiff::SignedDuration::ZERO;
        rules.ladder[0].1.deregister_after = jiff::SignedDuration::ZERO;
    };
    assert_eq!(
        oldest_with(|_| {}, &[], none).next,
        [Deprecate, Disable, Deregister]
    );
    // What is needed again stays where it is, and is offered back.
    let needed = oldest(
        on("deprecate=2026-11-01T12:00:00Z", "available"),
        &refer("instance"),
    );
    assert!(
        !needed.retire && needed.restore && needed.next.is_empty(),
        "{needed:?}"
    );
}

#[test]
fn what_is_shared_is_deprecated_and_no_more_unless_allowed() {
    let ladder = |a: &mut Ami| {
        tag(tags::STATE, "retiring")(a);
        tag(tags::RETIRING, "deprecate=2026-11-01T12:00:00Z")(a);
    };
    let fresh = oldest(|_| {}, &refer("shared-with"));
    assert_eq!(
        (fresh.next.as_slice(), fresh.due),
        (&[Rung::Deprecate][..], None)
    );
    assert!(
        fresh
            .reason()
            .ends_with("shared with x-1: not beyond deprecation without --shared-ok"),
        "{}",
        fresh.reason()
    );
    let later = oldest(ladder, &refer("shared-with"));
    assert_eq!((later.verb(), later.next.len()), ("wait", 0));
    let public = |a: &mut Ami| {
        ladder(a);
        a.public = true;
    };
    assert_eq!(oldest(public, &[]).verb(), "wait");
    assert_eq!(
        oldest_with(ladder, &refer("shared-with"), |r| r.shared_ok = true).next,
        [Rung::Disable]
    );
}

#[test]
fn launches_long_ago_and_our_own_check_do_not_keep() {
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
        "an hour after it was made: our own boot check"
    );
    let unknown = |a: &mut Ami| {
        a.created = String::new();
        a.last_launched = Some("2026-11-22T09:59:00Z".to_owned());
    };
    assert!(
        !oldest(unknown, &[]).retire,
        "whose launch it was can't be told"
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
        goes(&decisions(&amis, 2, &[])),
        ["jdk@20261103.1", "jdk@20261104.1"]
    );
    // One does not roll back to what is held.
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
    assert_eq!(goes(&decisions(&amis, 1, &[])), ["jdk@20261104.1"]);
}

#[test]
fn layer_parents_of_what_stays_stay_along_the_whole_chain() {
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
        goes(&all),
        Vec::<String>::new(),
        "b holds a 1, a 1 holds base 1, a 2 holds base 2"
    );
    let parent = all
        .iter()
        .find(|d| d.ami.as_str() == "ami-base-20261101.1")
        .expect("it");
    assert_eq!(parent.reason(), "layer parent of a@20261101.1, which stays");
    let without_b = decisions(&amis[..5], 1, &[]);
    assert_eq!(goes(&without_b), ["a@20261101.1", "base@20261101.1"]);
    // A child elsewhere holds nothing here.
    let mut elsewhere = amis.to_vec();
    elsewhere[5].region = "eu-central-1".into();
    assert_eq!(
        goes(&decisions(&elsewhere, 1, &[])),
        ["a@20261101.1", "base@20261101.1"]
    );
}

#[test]
fn keep_counts_for_each_image_architecture_rung_and_place() {
    let amis = [
        ami("jdk", "20261031.1", &[("Environment", "Prod")]),
        ami("jdk", "20261101.1", &[("Environment", "Prod")]),
        ami("jdk", "20261102.1", &[("Environment", "Prod")]),
        ami("jdk", "20261103.1", &[]),
        ami("jdk", "20261104.1", &[]),
        ami("jre", "20261001.1", &[]),
        ami("jdk", "20261001.1", &[(tags::ARCH, "arm64")]),
    ];
    let one = goes(&decisions(&amis, 1, &[]));
    assert_eq!(one, ["jdk@20261031.1", "jdk@20261103.1"]);
    assert_eq!(goes(&decisions(&amis, 2, &[])), ["jdk@20261031.1"]);
    let own = decisions_with(&amis, 1, &[], |rules| rules.ladder[1].1.keep = 3);
    assert_eq!(
        goes(&own),
        ["jdk@20261103.1"],
        "where Prod says how many, so many stay"
    );
    let mut copies = amis.to_vec();
    copies[0].region = "eu-central-1".into();
    copies[3].owner = "210987654321".to_owned();
    assert_eq!(goes(&decisions(&copies, 1, &[])), Vec::<String>::new());
}

#[test]
fn an_image_that_leaves_keeps_only_what_others_need() {
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
        goes(&decisions(&amis, 1, &[])),
        Vec::<String>::new(),
        "orphaned: kept until retired"
    );
    let leaving: &ImageName = Box::leak(Box::new("old".into()));
    let pointer = |by: &str, ami: &Ami| Reference {
        ami: ami.id.clone(),
        kind: "parameter".into(),
        by: by.to_owned(),
    };
    let refs = [
        pointer("/bakeline/acme/old/Test/x86_64", &amis[0]),
        pointer("/team/image", &amis[1]),
    ];
    let all = decisions_with(&amis, 1, &refs, |rules| rules.leaving = Some(leaving));
    assert_eq!(goes(&all), ["old@20261103.1"]);
}
