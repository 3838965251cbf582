//! Owns the tests of gates, of what a rollback chooses, of what the doctor finds, each from tags alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{ami, version};
use crate::catalog::Catalog;
use crate::lifecycle::doctor::{Repair, examine};
use crate::lifecycle::promote::{Promotion, Wish, promote};
use crate::lifecycle::rollback::{Choice, rollback};
use crate::lifecycle::{Record, locations, tags};
use crate::model::{Ami, INVENTORY_SCHEMA, Inventory, Location, Pointer, Timestamp};

const OWN: &str = "123456789012";

pub(super) fn catalog(settings: &str) -> Catalog {
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            format!("name: acme\nregions: [eu-west-1, us-east-1]\n{settings}").into_bytes(),
        ),
        (
            "images/jdk.yaml".to_owned(),
            b"source: {owner: amazon, name: x-*}\n".to_vec(),
        ),
        ("images/app.yaml".to_owned(), b"parent: jdk\n".to_vec()),
    ]);
    let (catalog, findings) = crate::catalog::load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

pub(super) fn inventory(images: Vec<Ami>, parameters: &[(&str, &str)]) -> Inventory {
    let location = Location {
        account: None,
        region: "eu-west-1".into(),
    };
    let pointer = |(name, value): &(&str, &str)| Pointer {
        location: location.clone(),
        name: format!("/bakeline/acme/{name}/x86_64"),
        value: (*value).to_owned(),
    };
    Inventory {
        schema: INVENTORY_SCHEMA,
        taken: now(),
        account: OWN.to_owned(),
        caller: "me".to_owned(),
        commit: None,
        images,
        sources: BTreeMap::new(),
        references: Vec::new(),
        parameters: parameters.iter().map(pointer).collect(),
        unread: Vec::new(),
        evidence: crate::model::Evidence::default(),
    }
}

fn now() -> Timestamp {
    "2026-11-10T00:00:00Z".parse().expect("time")
}

/// The copy of an AMI in the second Region.
fn copy(original: &Ami) -> Ami {
    let mut copy = original.clone();
    copy.id = format!("{}-copy", original.id).as_str().into();
    copy.region = "us-east-1".into();
    copy.tags.insert(tags::SELF.to_owned(), copy.id.to_string());
    copy
}

#[test]
fn places_are_regions_times_accounts_with_home_first() {
    let settings = "environments:\n  - {name: Test, regions: [us-east-1]}\n  - name: Prod\n    accounts: [\"123456789012\", \"222222222222\"]\n    role: arn:aws:iam::222222222222:role/x\n";
    let catalog = catalog(settings);
    let names = |env: usize| -> Vec<String> {
        let all = locations::of(&catalog.settings, &catalog.settings.environments[env], OWN);
        all.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(0), ["eu-west-1", "us-east-1"]);
    assert_eq!(
        names(1),
        [
            "eu-west-1",
            "us-east-1",
            "222222222222.eu-west-1",
            "222222222222.us-east-1"
        ]
    );
}

#[test]
fn gates_say_every_reason_at_once() {
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
    let said = |amis: &[Ami], moving: &[(&str, &str)]| {
        let records = Record::all(amis, &"acme".into());
        let moving: BTreeSet<_> = moving
            .iter()
            .map(|(i, v)| ((*i).into(), version(v)))
            .collect();
        let to = "Prod".into();
        match promote(
            &catalog,
            &records,
            &catalog.images[&"app".into()],
            &Wish {
                to: &to,
                now: now(),
                moving: &moving,
            },
        ) {
            Promotion::Refused(reasons) => reasons,
            _ => Vec::new(),
        }
    };
    let reasons = said(&[jdk.clone(), app(&[(tags::STATE, "held")])], &[]);
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
        said(&[jdk.clone(), soaked.clone()], &[]).len(),
        1,
        "the parent is not there"
    );
    assert_eq!(
        said(&[jdk.clone(), soaked.clone()], &[("jdk", "20261101.1")]),
        Vec::<String>::new(),
        "it comes along"
    );
    assert_eq!(
        said(&[jdk.clone(), soaked.clone()], &[("jdk", "20261101.2")]).len(),
        1,
        "the exact version counts"
    );
    let there = ami("jdk", "20261101.1", &[("Environment", "Prod")]);
    assert_eq!(
        said(&[there, soaked.clone()], &[]),
        Vec::<String>::new(),
        "it got there once and still counts"
    );
    let fallen = ami(
        "jdk",
        "20261101.1",
        &[("Environment", "Prod"), (tags::STATE, "held")],
    );
    assert_eq!(
        said(&[fallen, soaked], &[]).len(),
        1,
        "a held parent does not count"
    );
}

#[test]
fn a_rollback_goes_to_the_newest_released_version_before_that_is_everywhere() {
    let catalog = catalog("");
    let one = ami("jdk", "20261101.1", &[("Environment", "Prod")]);
    let two = ami("jdk", "20261102.1", &[("Environment", "Prod")]);
    let three = ami(
        "jdk",
        "20261103.1",
        &[
            ("Environment", "Prod"),
            (tags::CURRENT, "Prod=2026-11-05T00:00:00Z"),
        ],
    );
    let goes = |amis: Vec<Ami>, to: Option<&str>| {
        let inventory = inventory(amis, &[]);
        let records = Record::all(&inventory.images, &"acme".into());
        let asked = (&catalog.images[&"jdk".into()], &"Prod".into());
        match rollback(&catalog, &inventory, &records, asked, to.map(version)) {
            Err(why) => why,
            Ok(Choice::Keep(..)) => "nothing".to_owned(),
            Ok(Choice::Move(back)) => format!("{} at {}", back.to, back.returns.len()),
        }
    };
    let everywhere = |amis: &[&Ami]| {
        amis.iter()
            .flat_map(|a| [(*a).clone(), copy(a)])
            .collect::<Vec<Ami>>()
    };
    assert_eq!(
        goes(everywhere(&[&one, &two, &three]), None),
        "20261102.1 at 2"
    );
    assert_eq!(
        goes(everywhere(&[&one, &two, &three]), Some("20261101.1")),
        "20261101.1 at 2"
    );
    assert_eq!(
        goes(everywhere(&[&one, &two, &three]), Some("20261103.1")),
        "nothing"
    );
    let mut here = everywhere(&[&one, &three]);
    here.push(two.clone());
    assert_eq!(goes(here, None), "20261101.1 at 2", "two is not everywhere");
    for state in ["held", "revoked", "retiring"] {
        let mut other = two.clone();
        other.tags.insert(tags::STATE.to_owned(), state.to_owned());
        assert_eq!(
            goes(everywhere(&[&one, &other, &three]), None),
            "20261101.1 at 2",
            "{state}"
        );
        assert!(goes(everywhere(&[&one, &other, &three]), Some("20261102.1")).contains(state));
    }
    let never = ami("jdk", "20261102.1", &[]);
    assert_eq!(
        goes(everywhere(&[&one, &never, &three]), None),
        "20261101.1 at 2",
        "it was only in Test"
    );
    assert!(goes(everywhere(&[&three]), None).contains("no released version"));
    assert!(goes(everywhere(&[&one]), None).contains("nothing of `jdk` is current"));
    // Cut in the middle: home is back at two, the other Region is not.
    let mut back = two.clone();
    back.tags.insert(
        tags::CURRENT.to_owned(),
        "Prod=2026-11-06T00:00:00Z".to_owned(),
    );
    let held = ami("jdk", "20261103.1", &[(tags::STATE, "held")]);
    let torn = vec![
        one.clone(),
        copy(&one),
        back,
        copy(&two),
        held,
        copy(&three),
    ];
    assert_eq!(
        goes(torn, None),
        "20261102.1 at 1",
        "done again it goes no further"
    );
}

/// What the doctor does at home, in words.
fn healed(images: Vec<Ami>, parameters: &[(&str, &str)]) -> Vec<String> {
    let settings =
        catalog("environments:\n  - {name: Test, regions: [eu-west-1]}\n  - {name: Prod, regions: [eu-west-1]}\n")
            .settings;
    let diagnosis = examine(&settings, &inventory(images, parameters));
    assert_eq!(
        diagnosis.findings.is_empty(),
        diagnosis.repairs.is_empty(),
        "{diagnosis:?}"
    );
    let words = |repair: Repair| match repair {
        Repair::Mark { ami, tags, .. } => {
            let tags: Vec<String> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{ami}: {}", tags.join(", "))
        }
        Repair::Unshare { permission, .. } => format!("unshare {}", permission.unique_name()),
        Repair::Publish { pointer, ami, .. } => format!("{pointer} -> {ami}"),
        Repair::Unpublish { pointer, .. } => format!("{pointer} -> nothing"),
    };
    diagnosis.repairs.into_iter().map(words).collect()
}

#[test]
fn the_doctor_finds_nothing_in_a_healthy_world_and_mends_each_ailment() {
    let test = |v: &str, more: &[(&str, &str)]| {
        let mut all = vec![(tags::CURRENT, "Test=2026-11-05T00:00:00Z")];
        all.extend(more);
        ami("jdk", v, &all)
    };
    let (one, two) = ("20261101.1", "20261102.1");
    let prod = ("jdk/Prod", "ami-jdk-20261101.1");
    let fine = || test(two, &[]);
    let none = Vec::<String>::new();
    assert_eq!(
        healed(vec![fine()], &[("jdk/Test", "ami-jdk-20261102.1")]),
        none
    );
    assert_eq!(
        healed(vec![ami("jdk", one, &[(tags::STATE, "candidate")])], &[]),
        none,
        "sweep's business"
    );
    // Pointers.
    let written = "/bakeline/acme/jdk/Test/x86_64 -> ami-jdk-20261102.1";
    assert_eq!(healed(vec![fine()], &[]), [written]);
    assert_eq!(
        healed(vec![fine()], &[("jdk/Test", "ami-other")]),
        [written]
    );
    assert_eq!(
        healed(vec![ami("jdk", one, &[])], &[prod]),
        ["/bakeline/acme/jdk/Prod/x86_64 -> nothing"]
    );
    // Two holders: the older version is unset, the newer one was being rolled back.
    let (early, late) = ("Prod=2026-11-05T00:00:00Z", "Prod=2026-11-06T00:00:00Z");
    let holder =
        |v: &str, since: &str| ami("jdk", v, &[("Environment", "Prod"), (tags::CURRENT, since)]);
    let promoted = [("jdk/Prod", "ami-jdk-20261102.1")];
    assert_eq!(
        healed(vec![holder(one, early), holder(two, late)], &promoted),
        ["ami-jdk-20261101.1: bakeline:current="]
    );
    assert_eq!(
        healed(vec![holder(one, late), holder(two, early)], &[prod]),
        [
            "ami-jdk-20261102.1: Environment=Test, bakeline:current=, bakeline:rolled-back=Prod=2026-11-06T00:00:00Z, bakeline:state=held"
        ]
    );
    // Revoked, but current: what got there before takes over.
    let revoked = ami(
        "jdk",
        two,
        &[
            ("Environment", "Prod"),
            (tags::CURRENT, late),
            (tags::STATE, "revoked"),
        ],
    );
    assert_eq!(
        healed(
            vec![ami("jdk", one, &[("Environment", "Prod")]), revoked.clone()],
            &promoted
        ),
        [
            "ami-jdk-20261102.1: Environment=, bakeline:current=",
            "ami-jdk-20261101.1: bakeline:current=Prod=2026-11-10T00:00:00Z",
            "/bakeline/acme/jdk/Prod/x86_64 -> ami-jdk-20261101.1",
        ]
    );
    assert_eq!(
        healed(vec![revoked.clone()], &promoted),
        [
            "ami-jdk-20261102.1: Environment=, bakeline:current=",
            "/bakeline/acme/jdk/Prod/x86_64 -> nothing"
        ]
    );
    // A child of a revoked version; a version below where it is current; a released one with an expiry.
    let child = ami("app", one, &[(tags::PARENT, "jdk@20261102.1")]);
    assert_eq!(
        healed(
            vec![
                ami("jdk", two, &[(tags::STATE, "revoked"), ("Environment", "")]),
                child
            ],
            &[]
        ),
        ["ami-app-20261101.1: Environment=, bakeline:state=revoked"]
    );
    assert_eq!(
        healed(vec![ami("jdk", two, &[(tags::CURRENT, late)])], &promoted),
        ["ami-jdk-20261102.1: Environment=Prod"]
    );
    assert_eq!(
        healed(
            vec![ami("jdk", two, &[(tags::EXPIRES, "2026-11-11T00:00:00Z")])],
            &[]
        ),
        ["ami-jdk-20261102.1: bakeline:expires="]
    );
}

#[test]
fn the_strictest_state_of_a_versions_copies_holds_and_places_that_differ_are_said() {
    let settings = catalog("").settings;
    let one = ami("jdk", "20261101.1", &[("Environment", "Prod")]);
    let mut held = copy(&one);
    held.tags.insert(tags::STATE.to_owned(), "held".to_owned());
    let diagnosis = examine(&settings, &inventory(vec![one.clone(), held], &[]));
    let [
        Repair::Mark {
            ami: marked,
            tags: set,
            ..
        },
    ] = diagnosis.repairs.as_slice()
    else {
        panic!("{diagnosis:?}")
    };
    assert_eq!(
        (marked, set.get(tags::STATE).map(String::as_str)),
        (&one.id, Some("held"))
    );
    let current = ami(
        "jdk",
        "20261101.1",
        &[
            ("Environment", "Prod"),
            (tags::CURRENT, "Prod=2026-11-05T00:00:00Z"),
        ],
    );
    let behind = copy(&one);
    let diagnosis = examine(
        &settings,
        &inventory(vec![current, behind], &[("jdk/Prod", "ami-jdk-20261101.1")]),
    );
    assert!(diagnosis.repairs.is_empty(), "{diagnosis:?}");
    let [finding] = diagnosis.findings.as_slice() else {
        panic!("{diagnosis:?}")
    };
    assert_eq!(finding.location, "us-east-1");
    assert!(
        finding
            .by_hand
            .as_deref()
            .is_some_and(|h| h.contains("promote jdk --to Prod")),
        "{finding:?}"
    );
}

#[test]
fn a_pointer_of_an_environment_that_this_checkout_does_not_name_is_never_deleted() {
    let settings = catalog("environments:\n  - {name: Test, regions: [eu-west-1]}\n").settings;
    let one = ami(
        "jdk",
        "20261101.1",
        &[(tags::CURRENT, "Stage=2026-11-05T00:00:00Z")],
    );
    let found = |amis: &[Ami], name: &str| {
        let diagnosis = examine(
            &settings,
            &inventory(amis.to_vec(), &[(name, "ami-jdk-20261101.1")]),
        );
        assert!(diagnosis.repairs.is_empty(), "{diagnosis:?}");
        diagnosis.findings
    };
    assert_eq!(
        found(std::slice::from_ref(&one), "jdk/Stage"),
        [],
        "the tags bear it out"
    );
    let revoked = ami(
        "jdk",
        "20261101.1",
        &[(tags::STATE, "revoked"), ("Environment", "")],
    );
    for (amis, name) in [
        (vec![], "jdk/Stage"),
        (vec![revoked], "jdk/Stage"),
        (vec![one], "jdk/Stage/blue"),
    ] {
        let [finding] = &found(&amis, name)[..] else {
            panic!("{name}")
        };
        assert!(
            finding
                .by_hand
                .as_deref()
                .is_some_and(|h| h.contains("aws ssm delete-parameter")),
            "{finding:?}"
        );
    }
}
