//! Tests that builds and boots use the instance types and subnets for which EC2 has capacity.

use super::{TestEnv, catalog};
use crate::adapters::fake::RefusedLaunches;
use crate::engine::StepOutput;
use crate::engine::event::Event;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::ErrorKind;

/// Two instance types and two subnets for all images.
const LISTS: &str = "builder: {instance_types: [t3.small, m6g.large, t3a.small], \
                     subnets: [subnet-00000001, subnet-00000002]}\n";

/// Returns a test environment with these settings of the base image, and refused launches.
fn setup_with(own: &str, refused: &[RefusedLaunches]) -> TestEnv {
    let text = format!("source: {{owner: \"136693071363\", name: debian-12-*}}\n{own}");
    let setup = TestEnv::new().next_run(catalog(&[("base", &text)]), "2026-11-22T12:00:00Z");
    setup
        .cloud
        .state(|state| state.refused_launches = refused.to_vec());
    setup
}

fn refuse(instance_type: Option<&'static str>, subnet: Option<&'static str>) -> RefusedLaunches {
    RefusedLaunches {
        instance_type,
        subnet,
        code: "InsufficientInstanceCapacity",
    }
}

/// Returns the types and subnets of all instances, in the order of their launch.
fn launched(setup: &TestEnv) -> Vec<(String, String)> {
    setup.cloud.state(|state| {
        let all = state.instances.values();
        all.map(|i| {
            (
                i.instance_type.clone(),
                i.subnet.clone().unwrap_or_default(),
            )
        })
        .collect()
    })
}

fn notes(setup: &TestEnv) -> Vec<String> {
    let events = setup.events.events.lock().expect("no panic");
    let note = |event: &Event| match event {
        Event::Note { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(note).collect()
}

fn outputs(outcome: &Outcome, image: &str) -> Vec<StepOutput> {
    match outcome.end_of(image) {
        ScopeEnd::Done { outputs } => outputs.values().cloned().collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn build_and_boot_use_next_type_after_all_subnets() {
    let setup = setup_with(LISTS, &[refuse(Some("t3.small"), None)]);
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let all = launched(&setup);
    assert_eq!(all.len(), 8, "a build and a boot of each of four images");
    assert!(all.iter().all(|(name, _)| name == "t3a.small"), "{all:?}");
    let used = |output: &StepOutput| match output {
        StepOutput::Build { instance_type, .. } => instance_type.clone(),
        StepOutput::Instance { instance_type, .. } => Some(instance_type.clone()),
        _ => None,
    };
    let used: Vec<String> = outputs(&outcome, "base").iter().filter_map(used).collect();
    assert_eq!(
        used,
        ["t3a.small", "t3a.small"],
        "the result names the types"
    );
    let trials = notes(&setup);
    let trying = |text: &str| trials.iter().filter(|note| note.ends_with(text)).count();
    assert_eq!(
        trying("trying t3.small in subnet-00000001") + trying("trying t3.small in subnet-00000002"),
        8,
        "each launch tries the other subnet first: {trials:#?}"
    );
    setup.assert_clean("other instance type");
}

#[tokio::test]
async fn build_and_boot_use_a_subnet_with_capacity() {
    let setup = setup_with(LISTS, &[refuse(None, Some("subnet-00000001"))]);
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let expected = ("t3.small".to_owned(), "subnet-00000002".to_owned());
    assert_eq!(launched(&setup), vec![expected; 8]);
}

#[tokio::test]
async fn quota_of_a_type_skips_its_other_subnets() {
    let quota = RefusedLaunches {
        code: "VcpuLimitExceeded",
        ..refuse(Some("t3.small"), None)
    };
    let setup = setup_with(LISTS, &[quota]);
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let refused = notes(&setup);
    let refused = refused.iter().filter(|n| n.contains("VcpuLimitExceeded"));
    assert_eq!(refused.count(), 8, "one refusal for each launch");
}

#[tokio::test]
async fn build_without_capacity_names_all_refusals() {
    let quota = RefusedLaunches {
        code: "VcpuLimitExceeded",
        ..refuse(Some("t3a.small"), None)
    };
    let setup = setup_with(LISTS, &[quota, refuse(Some("t3.small"), None)]);
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    let ScopeEnd::Failed { error, hints, .. } = outcome.end_of("base") else {
        panic!("{outcome:?}")
    };
    let hints = hints.join("; ");
    for part in [
        "EC2 cannot launch an instance: t3.small in subnet-0000000",
        "(InsufficientInstanceCapacity), t3.small in subnet-0000000",
        "(VcpuLimitExceeded)",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(hints.contains("`instance_types` or `subnets`") && hints.contains("Service Quotas"));
    assert_eq!(launched(&setup), Vec::new());
    setup.assert_clean("no capacity for the build");
}

#[tokio::test]
async fn other_refusals_try_no_other_type() {
    let denied = RefusedLaunches {
        code: "UnauthorizedOperation",
        ..refuse(Some("t3.small"), None)
    };
    let setup = setup_with(LISTS, &[denied]);
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    assert_eq!(launched(&setup), Vec::new());
}

#[tokio::test]
async fn instance_that_ends_for_capacity_is_replaced() {
    let setup = setup_with(LISTS, &[]);
    let reason =
        "Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request";
    setup.cloud.state(|state| {
        state.never_runs = Some(("t3.small", reason.to_owned()));
    });
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let types: Vec<String> = launched(&setup).into_iter().map(|(name, _)| name).collect();
    let replaced = types.iter().filter(|name| *name == "t3a.small");
    assert_eq!(replaced.count(), 4, "{types:?}");
    setup.assert_clean("instances that ended early");
}
