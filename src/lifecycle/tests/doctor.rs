//! Tests of the doctor: each discrepancy and its repair.

use super::ami;
use super::fixtures::{catalog, copy, inventory};
use crate::lifecycle::doctor::{Repair, diagnose};
use crate::lifecycle::tags;
use crate::model::Ami;

const ONE: &str = "20261101.1";
const TWO: &str = "20261102.1";
const EARLY: &str = "Prod=2026-11-05T00:00:00Z";
const LATE: &str = "Prod=2026-11-06T00:00:00Z";
/// Pointers of Prod.
const ONE_IN_PROD: (&str, &str) = ("jdk/Prod", "ami-jdk-20261101.1");
const TWO_IN_PROD: (&str, &str) = ("jdk/Prod", "ami-jdk-20261102.1");

/// Returns the repairs of the doctor at home as text.
fn repairs_of(images: Vec<Ami>, parameters: &[(&str, &str)]) -> Vec<String> {
    let settings =
        catalog("environments:\n  - {name: Test, regions: [eu-west-1]}\n  - {name: Prod, regions: [eu-west-1]}\n")
            .settings;
    let diagnosis = diagnose(&settings, &|_| true, &inventory(images, parameters));
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
        shared => format!("{shared:?}"),
    };
    diagnosis.repairs.into_iter().map(describe).collect()
}

/// Returns version two of `jdk`, which is current in Test.
fn current_in_test() -> Ami {
    ami("jdk", TWO, &[(tags::CURRENT, "Test=2026-11-05T00:00:00Z")])
}

#[test]
fn image_that_left_the_catalog_is_retired() {
    let settings =
        catalog("environments:\n  - {name: Test, regions: [eu-west-1, us-east-1]}\n").settings;
    let inventory = inventory(
        vec![current_in_test()],
        &[("jdk/Test", "ami-jdk-20261102.1")],
    );
    let actions = |is_known: bool| -> Vec<String> {
        let diagnosis = diagnose(&settings, &|_| is_known, &inventory);
        let found = diagnosis.discrepancies.into_iter();
        found.filter_map(|one| one.manual_action).collect()
    };
    assert!(actions(true)[0].contains("bakeline release jdk"));
    assert!(actions(false)[0].contains("bakeline retire jdk"));
    assert!(!actions(false)[0].contains("release"));
}

#[test]
fn consistent_amis_need_no_repair() {
    assert_eq!(
        repairs_of(
            vec![current_in_test()],
            &[("jdk/Test", "ami-jdk-20261102.1")]
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        repairs_of(vec![ami("jdk", ONE, &[(tags::STATE, "candidate")])], &[]),
        Vec::<String>::new(),
        "candidates are handled by sweep"
    );
}

#[test]
fn doctor_repairs_pointers() {
    let published = "/bakeline/acme/jdk/Test/x86_64 -> ami-jdk-20261102.1";
    assert_eq!(repairs_of(vec![current_in_test()], &[]), [published]);
    assert_eq!(
        repairs_of(vec![current_in_test()], &[("jdk/Test", "ami-other")]),
        [published]
    );
    assert_eq!(
        repairs_of(vec![ami("jdk", ONE, &[])], &[ONE_IN_PROD]),
        ["/bakeline/acme/jdk/Prod/x86_64 -> nothing"]
    );
}

#[test]
fn doctor_keeps_pointer_if_an_earlier_version_can_become_current() {
    let settings = catalog(
        "environments: [{name: Test, regions: [eu-west-1]}, {name: Prod, regions: [eu-west-1]}]\n",
    )
    .settings;
    let earlier = ami("jdk", ONE, &[("Environment", "Prod")]);
    let diagnosis = diagnose(
        &settings,
        &|_| true,
        &inventory(vec![earlier.clone()], &[("jdk/Prod", "ami-gone")]),
    );
    assert_eq!(diagnosis.repairs, [], "the pointer is not deleted");
    let [finding] = diagnosis.discrepancies.as_slice() else {
        panic!("{diagnosis:?}")
    };
    assert_eq!(
        finding.manual_action.as_deref(),
        Some("run `bakeline rollback jdk --env Prod`; version 20261101.1 reached `Prod` before")
    );
    for unsuitable in [
        ami("jdk", ONE, &[]),
        ami(
            "jdk",
            ONE,
            &[("Environment", "Prod"), (tags::STATE, "held")],
        ),
        ami(
            "jdk",
            ONE,
            &[("Environment", "Prod"), (tags::STATE, "retiring")],
        ),
        ami("app", ONE, &[("Environment", "Prod")]),
    ] {
        assert_eq!(
            repairs_of(vec![unsuitable], &[("jdk/Prod", "ami-gone")]),
            ["/bakeline/acme/jdk/Prod/x86_64 -> nothing"]
        );
    }
    // The second location has no AMI for a rollback, so another command is necessary.
    let settings = catalog("").settings;
    let diagnosis = diagnose(
        &settings,
        &|_| true,
        &inventory(vec![earlier.clone()], &[("jdk/Prod", "ami-gone")]),
    );
    let removed = diagnose(
        &settings,
        &|_| false,
        &inventory(vec![earlier], &[("jdk/Prod", "ami-gone")]),
    );
    assert_eq!(
        removed.repairs.len(),
        1,
        "no command accepts an image that was removed from the catalog"
    );
    let actions: Vec<_> = diagnosis
        .discrepancies
        .iter()
        .filter_map(|d| d.manual_action.as_deref())
        .collect();
    assert_eq!(
        (diagnosis.repairs.as_slice(), actions.as_slice()),
        (
            [].as_slice(),
            ["run `bakeline promote jdk --to Prod`; version 20261101.1 reached `Prod` before"]
                .as_slice()
        )
    );
}

#[test]
fn doctor_removes_duplicate_current_tag() {
    // The older version loses the tag, and a newer one was being rolled back.
    let current_in_prod =
        |v: &str, since: &str| ami("jdk", v, &[("Environment", "Prod"), (tags::CURRENT, since)]);
    assert_eq!(
        repairs_of(
            vec![current_in_prod(ONE, EARLY), current_in_prod(TWO, LATE)],
            &[TWO_IN_PROD]
        ),
        ["ami-jdk-20261101.1: bakeline:current="]
    );
    assert_eq!(
        repairs_of(
            vec![current_in_prod(ONE, LATE), current_in_prod(TWO, EARLY)],
            &[ONE_IN_PROD]
        ),
        [
            "ami-jdk-20261102.1: Environment=Test, bakeline:current=, bakeline:rolled-back=Prod=2026-11-06T00:00:00Z, bakeline:state=held"
        ]
    );
}

#[test]
fn doctor_replaces_revoked_current_version() {
    let revoked = ami(
        "jdk",
        TWO,
        &[
            ("Environment", "Prod"),
            (tags::CURRENT, LATE),
            (tags::STATE, "revoked"),
        ],
    );
    assert_eq!(
        repairs_of(
            vec![ami("jdk", ONE, &[("Environment", "Prod")]), revoked.clone()],
            &[TWO_IN_PROD]
        ),
        [
            "ami-jdk-20261102.1: Environment=, bakeline:current=",
            "ami-jdk-20261101.1: bakeline:current=Prod=2026-11-10T00:00:00Z",
            "/bakeline/acme/jdk/Prod/x86_64 -> ami-jdk-20261101.1",
        ]
    );
    assert_eq!(
        repairs_of(vec![revoked.clone()], &[TWO_IN_PROD]),
        [
            "ami-jdk-20261102.1: Environment=, bakeline:current=",
            "/bakeline/acme/jdk/Prod/x86_64 -> nothing"
        ]
    );
}

#[test]
fn doctor_repairs_state_level_and_expiry() {
    // A child of a revoked version, a version below its current environment, and a released one
    // with an expiry.
    let child = ami("app", ONE, &[(tags::PARENT, "jdk@20261102.1")]);
    assert_eq!(
        repairs_of(
            vec![
                ami("jdk", TWO, &[(tags::STATE, "revoked"), ("Environment", "")]),
                child
            ],
            &[]
        ),
        ["ami-app-20261101.1: Environment=, bakeline:state=revoked"]
    );
    assert_eq!(
        repairs_of(
            vec![ami("jdk", TWO, &[(tags::CURRENT, LATE)])],
            &[TWO_IN_PROD]
        ),
        ["ami-jdk-20261102.1: Environment=Prod"]
    );
    assert_eq!(
        repairs_of(
            vec![ami("jdk", TWO, &[(tags::EXPIRES, "2026-11-11T00:00:00Z")])],
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
    let diagnosis = diagnose(
        &settings,
        &|_| true,
        &inventory(vec![one.clone(), held], &[]),
    );
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
        &|_| true,
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
            &|_| true,
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
