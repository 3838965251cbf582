//! Tests of promotion gates, rollbacks and the doctor.

use std::collections::{BTreeMap, BTreeSet};

use super::{ami, version};
use crate::catalog::Catalog;
use crate::lifecycle::doctor::{Repair, diagnose};
use crate::lifecycle::promote::{Promotion, PromotionRequest, decide_promotion};
use crate::lifecycle::rollback::{RollbackDecision, decide_rollback};
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
        captured_at: now(),
        account: OWN.to_owned(),
        caller: "me".to_owned(),
        commit: None,
        images,
        sources: BTreeMap::new(),
        references: Vec::new(),
        parameters: parameters.iter().map(pointer).collect(),
        unreachable: Vec::new(),
        evidence: crate::model::Evidence::default(),
    }
}

fn now() -> Timestamp {
    "2026-11-10T00:00:00Z".parse().expect("time")
}

/// Returns a copy of an AMI in the second Region.
fn copy(original: &Ami) -> Ami {
    let mut copy = original.clone();
    copy.id = format!("{}-copy", original.id).as_str().into();
    copy.region = "us-east-1".into();
    copy.tags.insert(tags::SELF.to_owned(), copy.id.to_string());
    copy
}

#[test]
fn locations_are_regions_in_accounts_with_home_first() {
    let settings = "environments:\n  - {name: Test, regions: [us-east-1]}\n  - name: Prod\n    accounts: [\"123456789012\", \"222222222222\"]\n    role: arn:aws:iam::222222222222:role/x\n";
    let catalog = catalog(settings);
    let names = |env: usize| -> Vec<String> {
        let all =
            locations::in_environment(&catalog.settings, &catalog.settings.environments[env], OWN);
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
        let records = Record::read_all(amis, &"acme".into());
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

#[test]
fn rollback_goes_to_newest_version_at_all_locations() {
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
    let rollback_target = |amis: Vec<Ami>, to: Option<&str>| {
        let inventory = inventory(amis, &[]);
        let records = Record::read_all(&inventory.images, &"acme".into());
        let asked = (&catalog.images[&"jdk".into()], &"Prod".into());
        match decide_rollback(&catalog, &inventory, &records, asked, to.map(version)) {
            Err(why) => why,
            Ok(RollbackDecision::Keep(..)) => "nothing".to_owned(),
            Ok(RollbackDecision::Move(back)) => format!("{} at {}", back.to, back.locations.len()),
        }
    };
    let everywhere = |amis: &[&Ami]| {
        amis.iter()
            .flat_map(|a| [(*a).clone(), copy(a)])
            .collect::<Vec<Ami>>()
    };
    assert_eq!(
        rollback_target(everywhere(&[&one, &two, &three]), None),
        "20261102.1 at 2"
    );
    assert_eq!(
        rollback_target(everywhere(&[&one, &two, &three]), Some("20261101.1")),
        "20261101.1 at 2"
    );
    assert_eq!(
        rollback_target(everywhere(&[&one, &two, &three]), Some("20261103.1")),
        "nothing"
    );
    let mut here = everywhere(&[&one, &three]);
    here.push(two.clone());
    assert_eq!(
        rollback_target(here, None),
        "20261101.1 at 2",
        "version two is missing at one location"
    );
    for state in ["held", "revoked", "retiring"] {
        let mut other = two.clone();
        other.tags.insert(tags::STATE.to_owned(), state.to_owned());
        assert_eq!(
            rollback_target(everywhere(&[&one, &other, &three]), None),
            "20261101.1 at 2",
            "{state}"
        );
        assert!(
            rollback_target(everywhere(&[&one, &other, &three]), Some("20261102.1"))
                .contains(state)
        );
    }
    let never = ami("jdk", "20261102.1", &[]);
    assert_eq!(
        rollback_target(everywhere(&[&one, &never, &three]), None),
        "20261101.1 at 2",
        "the version was only in Test"
    );
    assert!(rollback_target(everywhere(&[&three]), None).contains("no released version"));
    assert!(rollback_target(everywhere(&[&one]), None).contains("nothing of `jdk` is current"));
    // An interrupted rollback: home is at version two, the other Region is not.
    let mut back = two.clone();
    back.tags.insert(
        tags::CURRENT.to_owned(),
        "Prod=2026-11-06T00:00:00Z".to_owned(),
    );
    let held = ami("jdk", "20261103.1", &[(tags::STATE, "held")]);
    let interrupted = vec![
        one.clone(),
        copy(&one),
        back,
        copy(&two),
        held,
        copy(&three),
    ];
    assert_eq!(
        rollback_target(interrupted, None),
        "20261102.1 at 1",
        "the repeated rollback keeps its target"
    );
}

/// Returns the repairs of the doctor at home as text.
fn repairs_of(images: Vec<Ami>, parameters: &[(&str, &str)]) -> Vec<String> {
    let settings =
        catalog("environments:\n  - {name: Test, regions: [eu-west-1]}\n  - {name: Prod, regions: [eu-west-1]}\n")
            .settings;
    let diagnosis = diagnose(&settings, &inventory(images, parameters));
    assert_eq!(
        diagnosis.discrepancies.is_empty(),
        diagnosis.repairs.is_empty(),
        "{diagnosis:?}"
    );
    let describe = |repair: Repair| match repair {
        Repair::SetTags { ami, tags, .. } => {
            let tags: Vec<String> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{ami}: {}", tags.join(", "))
        }
        Repair::Unshare { permission, .. } => format!("unshare {}", permission.unique_name()),
        Repair::Publish { pointer, ami, .. } => format!("{pointer} -> {ami}"),
        Repair::Unpublish { pointer, .. } => format!("{pointer} -> nothing"),
    };
    diagnosis.repairs.into_iter().map(describe).collect()
}

#[test]
fn doctor_repairs_each_inconsistency() {
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
        repairs_of(vec![fine()], &[("jdk/Test", "ami-jdk-20261102.1")]),
        none
    );
    assert_eq!(
        repairs_of(vec![ami("jdk", one, &[(tags::STATE, "candidate")])], &[]),
        none,
        "candidates are handled by sweep"
    );
    // Pointers.
    let published = "/bakeline/acme/jdk/Test/x86_64 -> ami-jdk-20261102.1";
    assert_eq!(repairs_of(vec![fine()], &[]), [published]);
    assert_eq!(
        repairs_of(vec![fine()], &[("jdk/Test", "ami-other")]),
        [published]
    );
    assert_eq!(
        repairs_of(vec![ami("jdk", one, &[])], &[prod]),
        ["/bakeline/acme/jdk/Prod/x86_64 -> nothing"]
    );
    // Two AMIs are tagged as current. The older version loses the tag, and a newer one was being
    // rolled back.
    let (early, late) = ("Prod=2026-11-05T00:00:00Z", "Prod=2026-11-06T00:00:00Z");
    let current_in_prod =
        |v: &str, since: &str| ami("jdk", v, &[("Environment", "Prod"), (tags::CURRENT, since)]);
    let promoted = [("jdk/Prod", "ami-jdk-20261102.1")];
    assert_eq!(
        repairs_of(
            vec![current_in_prod(one, early), current_in_prod(two, late)],
            &promoted
        ),
        ["ami-jdk-20261101.1: bakeline:current="]
    );
    assert_eq!(
        repairs_of(
            vec![current_in_prod(one, late), current_in_prod(two, early)],
            &[prod]
        ),
        [
            "ami-jdk-20261102.1: Environment=Test, bakeline:current=, bakeline:rolled-back=Prod=2026-11-06T00:00:00Z, bakeline:state=held"
        ]
    );
    // A revoked version that is current is replaced by an earlier one.
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
        repairs_of(
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
        repairs_of(vec![revoked.clone()], &promoted),
        [
            "ami-jdk-20261102.1: Environment=, bakeline:current=",
            "/bakeline/acme/jdk/Prod/x86_64 -> nothing"
        ]
    );
    // A child of a revoked version, a version below its current environment, and a released one
    // with an expiry.
    let child = ami("app", one, &[(tags::PARENT, "jdk@20261102.1")]);
    assert_eq!(
        repairs_of(
            vec![
                ami("jdk", two, &[(tags::STATE, "revoked"), ("Environment", "")]),
                child
            ],
            &[]
        ),
        ["ami-app-20261101.1: Environment=, bakeline:state=revoked"]
    );
    assert_eq!(
        repairs_of(vec![ami("jdk", two, &[(tags::CURRENT, late)])], &promoted),
        ["ami-jdk-20261102.1: Environment=Prod"]
    );
    assert_eq!(
        repairs_of(
            vec![ami("jdk", two, &[(tags::EXPIRES, "2026-11-11T00:00:00Z")])],
            &[]
        ),
        ["ami-jdk-20261102.1: bakeline:expires="]
    );
}

#[test]
fn doctor_applies_strictest_state_and_reports_differing_locations() {
    let settings = catalog("").settings;
    let one = ami("jdk", "20261101.1", &[("Environment", "Prod")]);
    let mut held = copy(&one);
    held.tags.insert(tags::STATE.to_owned(), "held".to_owned());
    let diagnosis = diagnose(&settings, &inventory(vec![one.clone(), held], &[]));
    let [
        Repair::SetTags {
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
    let outdated = copy(&one);
    let diagnosis = diagnose(
        &settings,
        &inventory(
            vec![current, outdated],
            &[("jdk/Prod", "ami-jdk-20261101.1")],
        ),
    );
    assert!(diagnosis.repairs.is_empty(), "{diagnosis:?}");
    let [finding] = diagnosis.discrepancies.as_slice() else {
        panic!("{diagnosis:?}")
    };
    assert_eq!(finding.location, "us-east-1");
    assert!(
        finding
            .manual_action
            .as_deref()
            .is_some_and(|h| h.contains("promote jdk --to Prod")),
        "{finding:?}"
    );
}

#[test]
fn doctor_never_deletes_pointer_of_unknown_environment() {
    let settings = catalog("environments:\n  - {name: Test, regions: [eu-west-1]}\n").settings;
    let one = ami(
        "jdk",
        "20261101.1",
        &[(tags::CURRENT, "Stage=2026-11-05T00:00:00Z")],
    );
    let found = |amis: &[Ami], name: &str| {
        let diagnosis = diagnose(
            &settings,
            &inventory(amis.to_vec(), &[(name, "ami-jdk-20261101.1")]),
        );
        assert!(diagnosis.repairs.is_empty(), "{diagnosis:?}");
        diagnosis.discrepancies
    };
    assert_eq!(
        found(std::slice::from_ref(&one), "jdk/Stage"),
        [],
        "the tags confirm the pointer"
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
                .manual_action
                .as_deref()
                .is_some_and(|h| h.contains("aws ssm delete-parameter")),
            "{finding:?}"
        );
    }
}
