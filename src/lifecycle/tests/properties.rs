//! Property tests of the retention decision.

use proptest::prelude::*;

use super::retention::{decisions, decisions_with};
use super::{ami, version};
use crate::lifecycle::retention::RetentionDecision;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, Reference, State};

const IMAGES: [&str; 3] = ["base", "mid", "top"];

/// Generates AMIs of three layered images, with every fact that a rule considers.
fn amis() -> impl Strategy<Value = Vec<Ami>> {
    let one = (
        prop::sample::select(vec!["released", "held", "revoked", "retiring", "candidate"]),
        prop::sample::select(vec![
            "",
            "Test=2026-11-02T00:00:00Z",
            "Prod=2026-11-02T00:00:00Z",
        ]),
        prop::sample::select(vec!["Test", "Prod", ""]),
        1..9u32,
        prop::sample::select(vec!["available", "available", "disabled"]),
        any::<(bool, bool)>(),
        // Never, recently, and by our own boot check only.
        prop::sample::select(vec![
            None,
            None,
            Some("2026-11-20T00:00:00Z"),
            Some("2026-11-01T12:30:00Z"),
        ]),
    );
    prop::collection::btree_map((0..3usize, 1..9u32), one, 0..14).prop_map(|generated| {
        generated
            .into_iter()
            .map(
                |((image, day), (state, current, env, parent, status, (rare, odd), launched))| {
                    let parent = if image == 0 {
                        String::new()
                    } else {
                        format!("{}@2026110{parent}.1", IMAGES[image - 1])
                    };
                    let more = [
                        (tags::STATE, state),
                        (tags::CURRENT, current),
                        ("Environment", env),
                        (tags::PARENT, parent.as_str()),
                    ];
                    let generated = ami(IMAGES[image], &format!("2026110{day}.1"), &more);
                    let last_launched = launched.map(str::to_owned);
                    Ami {
                        status: status.to_owned(),
                        public: rare && odd,
                        protected: rare && !odd,
                        last_launched,
                        ..generated
                    }
                },
            )
            .collect()
    })
}

/// Inputs of a decision.
#[derive(Debug, Clone)]
struct Facts {
    amis: Vec<Ami>,
    used: Vec<Reference>,
    keep: u32,
    /// Minimum age in days. The versions are 13 to 21 days old.
    days: u32,
    /// Images of the catalog.
    wanted: Vec<&'static str>,
}

impl Facts {
    fn decide(&self) -> Vec<RetentionDecision> {
        decisions_with(&self.amis, self.keep, &self.used, |rules| {
            rules
                .images
                .retain(|image| self.wanted.contains(&image.as_str()));
            rules.default_retention.days = self.days;
            rules
                .environments
                .iter_mut()
                .for_each(|(_, retention)| retention.days = self.days);
        })
    }

    fn at(&self, decision: &RetentionDecision) -> usize {
        self.amis
            .iter()
            .position(|a| a.id == decision.ami)
            .expect("it is there")
    }

    /// Decides again about the AMI of an earlier decision.
    fn again(&self, before: &RetentionDecision) -> RetentionDecision {
        self.decide()
            .into_iter()
            .find(|d| d.ami == before.ami)
            .expect("it is decided about")
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    let wanted = vec![
        IMAGES.to_vec(),
        IMAGES.to_vec(),
        vec!["base", "top"],
        vec![],
    ];
    let used = prop::collection::vec(0..14usize, 0..3);
    let days = prop::sample::select(vec![0, 0, 15, 18]);
    (amis(), used, 1..4u32, days, prop::sample::select(wanted)).prop_map(
        |(amis, used, keep, days, wanted)| {
            let used = used
                .iter()
                .filter_map(|i| amis.get(*i))
                .map(refer)
                .collect();
            Facts {
                amis,
                used,
                keep,
                days,
                wanted,
            }
        },
    )
}

fn refer(ami: &Ami) -> Reference {
    Reference {
        ami: ami.id.clone(),
        kind: "instance".to_owned(),
        referrer: "i-1".to_owned(),
    }
}

/// Returns the facts without those that a decision names as its reasons.
fn without(facts: &Facts, decision: &RetentionDecision) -> Facts {
    let (mut out, at) = (facts.clone(), facts.at(decision));
    for answer in decision.results.iter().filter(|a| a.keep) {
        let ami = &mut out.amis[at];
        match answer.rule.as_str() {
            "current" => set(ami, tags::CURRENT, ""),
            // Neither rule counts a revoked version, and no other rule treats it differently.
            "newest" | "reserve" => set(ami, tags::STATE, "revoked"),
            "young" => out.days = 0,
            "orphaned" => out.wanted = IMAGES.to_vec(),
            "unfinished" => {
                set(ami, tags::STATE, "revoked");
                "available".clone_into(&mut ami.status);
            }
            "referenced" => out.used.retain(|r| r.ami != decision.ami),
            "launched" => ami.last_launched = None,
            "protected" => ami.protected = false,
            "parent" => {
                let own = format!("{}@{}", decision.image, decision.version);
                let children = out
                    .amis
                    .iter_mut()
                    .filter(|a| a.tags.get(tags::PARENT) == Some(&own));
                children.for_each(|child| set(child, tags::PARENT, ""));
            }
            other => panic!("unexpected rule {other}"),
        }
    }
    out
}

fn set(ami: &mut Ami, key: &str, value: &str) {
    ami.tags.insert(key.to_owned(), value.to_owned());
}

type Protect = fn(&mut Facts, usize);

/// Facts that keep any AMI. Four of them need an AMI that can be counted.
const PROTECTIONS: [(&str, Protect); 10] = [
    ("it is current", |facts, at| {
        set(
            &mut facts.amis[at],
            tags::CURRENT,
            "Prod=2026-11-20T00:00:00Z",
        )
    }),
    ("it is protected", |facts, at| {
        facts.amis[at].protected = true
    }),
    ("an instance runs it", |facts, at| {
        facts.used.push(refer(&facts.amis[at]))
    }),
    ("it was launched", |facts, at| {
        facts.amis[at].last_launched = Some("2026-11-20T00:00:00Z".to_owned())
    }),
    ("it is a candidate", |facts, at| {
        set(&mut facts.amis[at], tags::STATE, "candidate")
    }),
    ("a child of it stays", |facts, at| {
        let of =
            facts.amis[at].tags[tags::IMAGE].clone() + "@" + &facts.amis[at].tags[tags::VERSION];
        let mut child = ami("jre", "20261109.1", &[(tags::PARENT, of.as_str())]);
        child.protected = true;
        facts.amis.push(child);
    }),
    ("the catalog lacks its image", |facts, at| {
        usable(facts, at);
        facts.wanted.clear();
    }),
    ("it is young", |facts, at| {
        usable(facts, at);
        facts.days = 30;
    }),
    ("it is among the newest", |facts, at| {
        usable(facts, at);
        set(&mut facts.amis[at], "Environment", "Test");
        facts.keep = 99;
    }),
    ("it is the newest that got to Prod", |facts, at| {
        usable(facts, at);
        set(&mut facts.amis[at], "Environment", "Prod");
        let image = facts.amis[at].tags[tags::IMAGE].clone();
        let others = facts
            .amis
            .iter_mut()
            .enumerate()
            .filter(|(n, a)| *n != at && a.tags[tags::IMAGE] == image);
        others.for_each(|(_, other)| set(other, "Environment", "Test"));
    }),
];

fn usable(facts: &mut Facts, at: usize) {
    set(&mut facts.amis[at], tags::STATE, "released");
    "available".clone_into(&mut facts.amis[at].status);
}

proptest! {
    #[test]
    fn retired_amis_are_unused_and_not_reserved(amis in amis(), keep in 1..4u32, used in prop::collection::vec(0..14usize, 0..3)) {
        let used: Vec<Reference> = used.iter().filter_map(|i| amis.get(*i)).map(|a| {
            refer(a)
        }).collect();
        let records = Record::read_all_published(&amis, &"acme".into());
        let all = decisions(&amis, keep, &used);
        prop_assert_eq!(all.len(), records.len(), "every AMI is decided about");
        for (decision, record) in all.iter().zip(&records) {
            prop_assert!(!decision.reason().is_empty());
            if !decision.retire {
                if let Some((image, version)) = &record.parent {
                    let parent = all.iter().find(|d| d.image == *image && d.version == *version);
                    prop_assert!(parent.is_none_or(|p| !p.retire), "the parent of {} is retired", record.ami.id);
                }
                continue;
            }
            prop_assert!(record.current.is_empty(), "current");
            prop_assert!(!record.ami.protected && record.state != State::Candidate);
            prop_assert!(record.ami.status == "available" || record.state == State::Retiring);
            prop_assert!(!record.ami.public || record.ami.status == "disabled" || decision.due_stages.len() <= 1, "shared, and beyond deprecation");
            prop_assert!(used.iter().all(|r| r.ami != record.ami.id), "referenced");
            let env = record.tag("Environment");
            let same = |r: &&Record<'_>| r.image == record.image && r.is_usable() && r.version > record.version;
            let newer = records.iter().filter(same).filter(|r| r.tag("Environment") == env);
            let needed = if env == "Prod" { 0 } else { keep };
            prop_assert!(!record.is_usable() || newer.count() >= needed as usize, "{} is among the newest", record.ami.id);
            let better = records.iter().filter(same).filter(|r| r.state == State::Released && r.tag("Environment") == "Prod");
            let promoted = record.is_usable() && record.state == State::Released && env == "Prod";
            prop_assert!(!promoted || better.count() >= 2, "{} is in the reserve", record.ami.id);
        }
    }

    #[test]
    fn kept_ami_is_retired_without_its_reasons(facts in facts()) {
        for decision in facts.decide().iter().filter(|d| !d.retire) {
            let now = without(&facts, decision).again(decision);
            prop_assert!(now.retire, "{} is kept for: {}; without that: {}", now.ami, decision.reason(), now.reason());
        }
    }

    #[test]
    fn every_protecting_fact_keeps_an_ami(facts in facts()) {
        for decision in facts.decide().iter().filter(|d| d.retire) {
            for (what, change) in PROTECTIONS {
                let (mut facts, at) = (facts.clone(), facts.at(decision));
                change(&mut facts, at);
                prop_assert!(!facts.again(decision).retire, "{} is retired although {what}", decision.ami);
            }
        }
    }

    #[test]
    fn decision_ignores_order_of_facts((amis, shuffled) in amis().prop_flat_map(|a| {
        (Just(a.clone()), Just(a).prop_shuffle())
    }), keep in 1..4u32) {
        prop_assert_eq!(decisions(&amis, keep, &[]), decisions(&shuffled, keep, &[]));
    }

    #[test]
    fn larger_keep_never_retires_more(amis in amis(), keep in 1..4u32) {
        let (few, more) = (decisions(&amis, keep, &[]), decisions(&amis, keep + 1, &[]));
        for (few, more) in few.iter().zip(&more) {
            prop_assert!(few.retire || !more.retire);
        }
    }

    #[test]
    fn next_version_is_newer_than_all(days in prop::collection::vec((20_000_101..20_991_231u32, 1..u32::MAX), 0..6), now in 0..4_000_000_000i64) {
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
fn next_version_follows_highest_possible_number() {
    let last = version(&format!("20261122.{}", u32::MAX));
    assert!(
        crate::model::Version::next("2026-11-22T00:00:00Z".parse().expect("time"), [last]) > last
    );
}
