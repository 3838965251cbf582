//! Owns what holds of prune whatever the facts are.

use proptest::prelude::*;

use super::{ami, retention::decisions, version};
use crate::lifecycle::retain::Fate;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, Reference, State};

const IMAGES: [&str; 3] = ["base", "mid", "top"];

/// A few AMIs of three layered images, with anything that a rule looks at.
fn amis() -> impl Strategy<Value = Vec<Ami>> {
    let one = (
        prop::sample::select(vec!["released", "held", "revoked", "retiring", "candidate"]),
        prop::sample::select(vec!["", "Test=2026-11-02T00:00:00Z", "Prod=2026-11-02T00:00:00Z"]),
        prop::sample::select(vec!["Test", "Prod", ""]),
        1..9u32,
        prop::sample::select(vec!["available", "available", "disabled"]),
        any::<(bool, bool)>(),
    );
    prop::collection::btree_map((0..3usize, 1..9u32), one, 0..14).prop_map(|made| {
        made.into_iter()
            .map(|((image, day), (state, current, env, parent, status, (rare, odd)))| {
                let parent =
                    if image == 0 { String::new() } else { format!("{}@2026110{parent}.1", IMAGES[image - 1]) };
                let more = [
                    (tags::STATE, state),
                    (tags::CURRENT, current),
                    ("Environment", env),
                    (tags::PARENT, parent.as_str()),
                ];
                let made = ami(IMAGES[image], &format!("2026110{day}.1"), &more);
                Ami { status: status.to_owned(), public: rare && odd, protected: rare && !odd, ..made }
            })
            .collect()
    })
}

fn refer(ami: &Ami) -> Reference {
    Reference { ami: ami.id.clone(), kind: "instance".to_owned(), by: "i-1".to_owned() }
}

/// The world without the facts that a decision states as its reasons.
fn without(amis: &[Ami], used: &[Reference], decision: &Fate) -> (Vec<Ami>, Vec<Reference>) {
    let (mut amis, mut used) = (amis.to_vec(), used.to_vec());
    let at = amis.iter().position(|a| a.id == decision.ami).expect("it is there");
    let set = |ami: &mut Ami, key: &str, value: &str| drop(ami.tags.insert(key.to_owned(), value.to_owned()));
    for answer in decision.answers.iter().filter(|a| a.keeps) {
        let ami = &mut amis[at];
        match answer.rule.as_str() {
            "current" => set(ami, tags::CURRENT, ""),
            // Neither counts a revoked version, and nothing else is asked of one that others are not.
            "newest" | "reserve" => set(ami, tags::STATE, "revoked"),
            "finished" => {
                set(ami, tags::STATE, "revoked");
                "available".clone_into(&mut ami.status);
            }
            "referenced" => used.retain(|r| r.ami != decision.ami),
            "protected" => ami.protected = false,
            "parent" => {
                let own = format!("{}@{}", decision.image, decision.version);
                amis.iter_mut()
                    .filter(|a| a.tags.get(tags::PARENT) == Some(&own))
                    .for_each(|a| set(a, tags::PARENT, ""));
            }
            other => panic!("the worlds here have no {other}"),
        }
    }
    (amis, used)
}

type Protect = fn(&mut Vec<Ami>, usize, &mut Vec<Reference>);

/// What keeps an AMI whatever else is true of it.
const PROTECTIONS: [(&str, Protect); 6] = [
    ("it is current", |amis, at, _| {
        drop(amis[at].tags.insert(tags::CURRENT.to_owned(), "Prod=2026-11-20T00:00:00Z".to_owned()));
    }),
    ("it is protected", |amis, at, _| amis[at].protected = true),
    ("an instance runs it", |amis, at, used| used.push(refer(&amis[at]))),
    ("it was launched", |amis, at, _| amis[at].last_launched = Some("2026-11-20T00:00:00Z".to_owned())),
    ("it is a candidate", |amis, at, _| drop(amis[at].tags.insert(tags::STATE.to_owned(), "candidate".to_owned()))),
    ("a child of it stays", |amis, at, _| {
        let of = amis[at].tags[tags::IMAGE].clone() + "@" + &amis[at].tags[tags::VERSION];
        let mut child = ami("jre", "20261109.1", &[(tags::PARENT, of.as_str())]);
        child.protected = true;
        amis.push(child);
    }),
];

proptest! {
    #[test]
    fn nothing_goes_that_must_stay(amis in amis(), keep in 1..4u32, used in prop::collection::vec(0..14usize, 0..3)) {
        let used: Vec<Reference> = used.iter().filter_map(|i| amis.get(*i)).map(|a| {
            refer(a)
        }).collect();
        let records = Record::all(&amis, &"acme".into());
        let all = decisions(&amis, keep, &used);
        prop_assert_eq!(all.len(), records.len(), "every AMI is decided about");
        for (decision, record) in all.iter().zip(&records) {
            prop_assert!(!decision.reason().is_empty());
            if !decision.retire {
                if let Some((image, version)) = &record.parent {
                    let parent = all.iter().find(|d| d.image == *image && d.version == *version);
                    prop_assert!(parent.is_none_or(|p| !p.retire), "the parent of {} goes", record.ami.id);
                }
                continue;
            }
            prop_assert!(record.current.is_empty(), "current");
            prop_assert!(!record.ami.protected && record.state != State::Candidate);
            prop_assert!(record.ami.status == "available" || record.state == State::Retiring);
            prop_assert!(!record.ami.public || record.ami.status == "disabled" || decision.next.len() <= 1, "shared, and beyond deprecation");
            prop_assert!(used.iter().all(|r| r.ami != record.ami.id), "referenced");
            let env = record.tag("Environment");
            let same = |r: &&Record<'_>| r.image == record.image && r.usable() && r.version > record.version;
            let newer = records.iter().filter(same).filter(|r| r.tag("Environment") == env);
            let needed = if env == "Prod" { 0 } else { keep };
            prop_assert!(!record.usable() || newer.count() >= needed as usize, "{} is among the newest", record.ami.id);
            let better = records.iter().filter(same).filter(|r| r.state == State::Released && r.tag("Environment") == "Prod");
            let promoted = record.usable() && record.state == State::Released && env == "Prod";
            prop_assert!(!promoted || better.count() >= 2, "{} is in the reserve", record.ami.id);
        }
    }

    #[test]
    fn without_its_reasons_everything_that_stays_would_go(amis in amis(), keep in 1..4u32, used in prop::collection::vec(0..14usize, 0..3)) {
        let used: Vec<Reference> = used.iter().filter_map(|i| amis.get(*i)).map(refer).collect();
        for decision in decisions(&amis, keep, &used).iter().filter(|d| !d.retire) {
            let (amis, used) = without(&amis, &used, decision);
            let all = decisions(&amis, keep, &used);
            let now = all.iter().find(|d| d.ami == decision.ami).expect("it is decided about");
            prop_assert!(now.retire, "{} stayed because: {}; without that: {}", now.ami, decision.reason(), now.reason());
        }
    }

    #[test]
    fn any_fact_that_protects_makes_what_goes_stay(amis in amis(), keep in 1..4u32) {
        for decision in decisions(&amis, keep, &[]).iter().filter(|d| d.retire) {
            for (what, change) in PROTECTIONS {
                let (mut amis, mut used) = (amis.clone(), Vec::new());
                let at = amis.iter().position(|a| a.id == decision.ami).expect("it is there");
                change(&mut amis, at, &mut used);
                let all = decisions(&amis, keep, &used);
                let now = all.iter().find(|d| d.ami == decision.ami).expect("it is decided about");
                prop_assert!(!now.retire, "{} goes although {what}", now.ami);
            }
        }
    }

    #[test]
    fn the_decision_does_not_depend_on_the_order_of_facts((amis, shuffled) in amis().prop_flat_map(|a| {
        (Just(a.clone()), Just(a).prop_shuffle())
    }), keep in 1..4u32) {
        prop_assert_eq!(decisions(&amis, keep, &[]), decisions(&shuffled, keep, &[]));
    }

    #[test]
    fn keeping_more_never_takes_more(amis in amis(), keep in 1..4u32) {
        let (few, more) = (decisions(&amis, keep, &[]), decisions(&amis, keep + 1, &[]));
        for (few, more) in few.iter().zip(&more) {
            prop_assert!(few.retire || !more.retire);
        }
    }

    #[test]
    fn versions_read_back_and_the_next_is_newer_than_all(days in prop::collection::vec((20_000_101..20_991_231u32, 1..u32::MAX), 0..6), now in 0..4_000_000_000i64) {
        let all: Vec<_> = days.iter().map(|(day, number)| version(&format!("{day}.{number}"))).collect();
        for (version, (day, number)) in all.iter().zip(&days) {
            prop_assert_eq!(version.to_string(), format!("{day}.{number}"));
        }
        let now = crate::model::Timestamp::from_second(now).expect("a time");
        let next = crate::model::Version::next(now, all.iter().copied());
        prop_assert!(all.iter().all(|v| *v < next));
        prop_assert_eq!(version(&next.to_string()), next);
    }
}

#[test]
fn the_highest_version_that_can_be_has_a_next() {
    let last = version(&format!("20261122.{}", u32::MAX));
    assert!(crate::model::Version::next("2026-11-22T00:00:00Z".parse().expect("time"), [last]) > last);
}
