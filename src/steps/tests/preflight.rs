//! Tests that the checks of prerequisites report everything that is missing, and that failed reads
//! decide nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{TestEnv, catalog_with};
use crate::adapters::fake::{ACCOUNT, FakePrerequisites, Fault};
use crate::error::ErrorKind;
use crate::lifecycle::tags;
use crate::model::RunId;
use crate::ports::{CloudErrorKind, CreationTest, Subnet};
use crate::steps::preflight::{Check, HomeCheck, Status, planned_builds};

/// Reads of the home check without configured subnets.
const READS: [&str; 3] = ["default_subnets", "instance_types", "type_zones"];

pub(super) fn setup(builder: &str, images: &[(&str, &str)]) -> TestEnv {
    let settings = format!("name: acme\nregions: [eu-west-1]\nbuilder: {{{builder}}}\n");
    TestEnv::new().next_run(
        Arc::clone(&catalog_with(&settings, images)),
        "2026-11-22T12:00:00Z",
    )
}

pub(super) fn facts(setup: &TestEnv, change: impl FnOnce(&mut FakePrerequisites)) {
    setup.cloud.state(|state| change(&mut state.prerequisites));
}

/// Checks the home location for a release of all images. Asserts that nothing was changed.
async fn check_home(setup: &TestEnv) -> Vec<Check> {
    let (inventory, run) = (setup.inventory(), RunId::from("r1"));
    let plan = setup.release_plan("r1", true);
    let builds = planned_builds(&setup.catalog, &inventory, &plan);
    assert!(!builds.is_empty());
    let checks = HomeCheck {
        settings: &setup.catalog.settings,
        account: ACCOUNT,
        run: &run,
        now: inventory.captured_at,
        builds: &builds,
        cloud: &*setup.cloud,
    };
    let checks = checks.run().await;
    assert!(setup.cloud.calls().iter().all(|call| !call.changes));
    checks
}

/// Returns the objects with a status.
pub(super) fn objects(checks: &[Check], status: Status) -> Vec<&str> {
    let found = checks.iter().filter(|check| check.status == status);
    found.map(|check| check.object.as_str()).collect()
}

fn subnet(id: &str, vpc: &str, zone: &str) -> Subnet {
    Subnet {
        id: id.to_owned(),
        vpc: vpc.to_owned(),
        zone: format!("eu-west-1{zone}"),
    }
}

#[tokio::test]
async fn complete_account_has_no_missing_prerequisite() {
    let setup = setup("tags: {team: images}", &[]);
    let checks = check_home(&setup).await;
    assert_eq!(objects(&checks, Status::Missing), Vec::<&str>::new());
    assert_eq!(
        objects(&checks, Status::Ok),
        [
            "default VPC in eu-west-1",
            "t3.small",
            "ec2:DescribeInstances",
            "ec2:CreateKeyPair",
            "ec2:CreateSecurityGroup",
            "ec2:RunInstances"
        ]
    );
    // Four images have one launch in common.
    assert_eq!(setup.cloud.calls().len(), 7, "{:?}", setup.cloud.calls());
    let tests = setup.cloud.state(|state| state.prerequisites.tests.clone());
    let launch = tests.iter().find_map(|test| match test {
        CreationTest::Instance(launch) => Some(launch),
        _ => None,
    });
    let launch = launch.expect("a launch");
    assert_eq!(launch.tags.get("team").map(String::as_str), Some("images"));
    assert_eq!(launch.tags.get(tags::RUN).map(String::as_str), Some("r1"));
}

#[tokio::test]
async fn everything_that_is_missing_is_reported_together() {
    let small = "parent: base\nbuilder: {instance_type: t3.nano, subnet: subnet-0000000a, instance_profile: ci}\n";
    let setup = setup(
        "instance_type: m99.large, subnets: [subnet-0000000a, subnet-0000000b]",
        &[("z", small)],
    );
    let refused = (
        CloudErrorKind::Denied,
        "UnauthorizedOperation: no".to_owned(),
    );
    facts(&setup, |facts| {
        facts.subnets = vec![subnet("subnet-0000000a", "vpc-1", "a")];
        facts.unknown_types = BTreeSet::from(["m99.large".to_owned()]);
        let zones = BTreeSet::from(["eu-west-1b".to_owned()]);
        facts.type_zones = BTreeMap::from([("t3.nano".to_owned(), zones)]);
        facts.refusals = BTreeMap::from([("CreateKeyPair", refused)]);
    });
    let checks = check_home(&setup).await;
    assert_eq!(
        objects(&checks, Status::Missing),
        [
            "subnet-0000000b",
            "m99.large",
            "t3.nano",
            "ec2:CreateKeyPair"
        ]
    );
    let missing = checks.iter().filter(|c| c.status == Status::Missing);
    for check in missing {
        let is_complete = check.cause.is_some() && !check.next_steps.is_empty();
        assert!(
            is_complete && check.kind() == Some(ErrorKind::Input),
            "{check:?}"
        );
    }
    let causes: Vec<&str> = checks.iter().filter_map(|c| c.cause.as_deref()).collect();
    let text = format!("subnet subnet-0000000b does not exist in eu-west-1 of account {ACCOUNT}");
    assert!(causes.contains(&text.as_str()), "{causes:?}");
    assert!(causes.contains(&"instance type t3.nano is not offered in eu-west-1a"));
}

#[tokio::test]
async fn missing_default_vpc_is_reported_once() {
    let setup = setup("", &[]);
    facts(&setup, |facts| facts.no_default_vpc = true);
    let checks = check_home(&setup).await;
    assert_eq!(
        objects(&checks, Status::Missing),
        ["default VPC in eu-west-1"]
    );
    let tests = setup.cloud.state(|state| state.prerequisites.tests.len());
    assert_eq!(tests, 1, "only the key pair can be tested without a VPC");
}

#[tokio::test]
async fn refused_launch_names_permission_quota_or_profile() {
    let cases = [
        (
            CloudErrorKind::Denied,
            "UnauthorizedOperation: no",
            "ec2:RunInstances",
            Some(ErrorKind::Input),
        ),
        (
            CloudErrorKind::Quota,
            "VcpuLimitExceeded: no",
            "vCPUs for t3.small",
            Some(ErrorKind::Refused),
        ),
        (
            CloudErrorKind::Other,
            "InvalidParameterValue: Value (ci) for parameter iamInstanceProfile.name is invalid",
            "instance profile ci",
            Some(ErrorKind::Input),
        ),
        (
            CloudErrorKind::Capacity,
            "InsufficientInstanceCapacity: no",
            "ec2:RunInstances",
            None,
        ),
        (
            CloudErrorKind::Throttled,
            "RequestLimitExceeded: no",
            "ec2:RunInstances",
            None,
        ),
        (
            CloudErrorKind::Other,
            "SomethingNew: no",
            "ec2:RunInstances",
            None,
        ),
    ];
    let setup = setup("instance_profile: ci", &[]);
    for (kind, message, object, refused) in cases {
        let refusal = (kind, message.to_owned());
        facts(&setup, |facts| {
            facts.refusals = BTreeMap::from([("RunInstances", refusal)])
        });
        let checks = check_home(&setup).await;
        let last = checks.last().expect("a check");
        assert_eq!(
            (last.object.as_str(), last.kind()),
            (object, refused),
            "{message}"
        );
        let status = if refused.is_some() {
            Status::Missing
        } else {
            Status::Unknown
        };
        assert_eq!(last.status, status, "{message}");
        assert!(
            last.cause
                .as_deref()
                .is_some_and(|cause| cause.contains(message))
        );
    }
}

#[tokio::test]
async fn failed_reads_decide_nothing() {
    let kinds = [
        CloudErrorKind::Denied,
        CloudErrorKind::Throttled,
        CloudErrorKind::Malformed,
    ];
    for (action, kind) in READS.into_iter().zip(kinds) {
        let setup = setup("", &[]);
        let mut fault = Fault::always(action);
        fault.kind = kind;
        setup.cloud.fail(fault);
        let checks = check_home(&setup).await;
        let missing = objects(&checks, Status::Missing);
        assert_eq!(missing, Vec::<&str>::new(), "{action} {kind:?}");
        let unknown = objects(&checks, Status::Unknown);
        assert!(
            unknown.iter().any(|object| !object.starts_with("vCPUs")),
            "{action}"
        );
        let ok = objects(&checks, Status::Ok);
        assert!(ok.contains(&"ec2:RunInstances"), "{action}");
        let warns = checks.iter().any(|check| check.warning().is_some());
        assert_eq!(warns, kind == CloudErrorKind::Denied, "{action}");
    }
}

#[tokio::test]
async fn denied_read_of_instances_is_missing() {
    for (kind, status) in [
        (CloudErrorKind::Denied, Status::Missing),
        (CloudErrorKind::Throttled, Status::Unknown),
    ] {
        let setup = setup("", &[]);
        let mut fault = Fault::always("instances_with_tags");
        fault.kind = kind;
        setup.cloud.fail(fault);
        let checks = check_home(&setup).await;
        assert!(objects(&checks, status).contains(&"ec2:DescribeInstances"));
    }
}

#[tokio::test]
async fn subnets_of_several_vpcs_are_a_warning() {
    let setup = setup("subnets: [subnet-0000000a, subnet-0000000b]", &[]);
    facts(&setup, |facts| {
        let places = [
            ("subnet-0000000a", "vpc-1", "a"),
            ("subnet-0000000b", "vpc-2", "b"),
        ];
        facts.subnets = places.map(|(id, vpc, zone)| subnet(id, vpc, zone)).into();
    });
    let checks = check_home(&setup).await;
    assert_eq!(
        objects(&checks, Status::Missing),
        ["subnet-0000000a, subnet-0000000b"]
    );
    assert!(checks.iter().all(|check| check.kind().is_none()));
    assert!(checks.iter().any(|check| check.warning().is_some()));
    assert!(objects(&checks, Status::Ok).contains(&"ec2:RunInstances"));
}

#[tokio::test]
async fn fallback_type_takes_the_place_of_a_missing_or_exhausted_one() {
    let setup_types = |types: &str| setup(&format!("instance_types: [{types}]"), &[]);
    let unknown = |setup: &TestEnv, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        facts(setup, |facts| facts.unknown_types = names);
    };
    let setup = setup_types("m99.large, t3.small");
    unknown(&setup, &["m99.large"]);
    let checks = check_home(&setup).await;
    assert_eq!(objects(&checks, Status::Missing), ["m99.large"]);
    assert!(
        checks.iter().all(|check| !check.blocks_release),
        "{checks:?}"
    );
    let tested = setup.cloud.state(|state| state.prerequisites.tests.clone());
    assert!(format!("{tested:?}").contains("t3.small"), "{tested:?}");

    unknown(&setup, &["m99.large", "t3.small"]);
    let checks = check_home(&setup).await;
    assert_eq!(checks.iter().filter(|c| c.blocks_release).count(), 2);

    let quota = (CloudErrorKind::Quota, "VcpuLimitExceeded: no".to_owned());
    for (types, blocks) in [("t3.small, t3.large", false), ("t3.small", true)] {
        let setup = setup_types(types);
        facts(&setup, |facts| {
            facts.refusals = BTreeMap::from([("RunInstances", quota.clone())]);
        });
        let checks = check_home(&setup).await;
        let blocked = checks.iter().any(|check| check.blocks_release);
        assert_eq!(blocked, blocks, "{types}: {checks:?}");
        assert_eq!(objects(&checks, Status::Missing).len(), 1, "{types}");
    }
}

#[tokio::test]
async fn number_of_dry_runs_is_bounded() {
    let types = [
        "nano", "micro", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge",
    ];
    let files: Vec<(String, String)> = types
        .iter()
        .map(|size| {
            let text = format!("parent: base\nbuilder: {{instance_type: t3.{size}}}\n");
            (format!("i{size}"), text)
        })
        .collect();
    let images: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let setup = setup("", &images);
    let checks = check_home(&setup).await;
    let tests = setup.cloud.state(|state| state.prerequisites.tests.len());
    assert_eq!(tests, 8, "a key pair, a group and six launches");
    let unknown = objects(&checks, Status::Unknown);
    let untested = unknown
        .iter()
        .filter(|object| object.starts_with("ec2:RunInstances"));
    assert_eq!(untested.count(), 3, "{unknown:?}");
}
