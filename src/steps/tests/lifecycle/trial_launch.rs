//! Tests the trial launch at the locations of an environment.

use std::sync::Arc;

use super::{Operation, PROD, SETTINGS, assert_rows, on_day, release_on_day, two_accounts};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::engine::event::Event;
use crate::model::{Region, Tags};
use crate::plan::{Action, Plan};
use crate::ports::{CloudErrorKind, TrialRequest};
use crate::steps::tests::{OTHER, TestEnv, catalog_with};

const BUILDER: &str =
    "builder: {subnet: subnet-00000001, instance_type: t3.large, tags: {team: a, cost: b}}\n";

async fn released(environment: &str) -> TestEnv {
    let settings = format!("{SETTINGS}{environment}{BUILDER}");
    let setup = two_accounts();
    let setup = setup.next_run(
        Arc::clone(&catalog_with(&settings, &[])),
        "2026-11-22T12:00:00Z",
    );
    on_day(&release_on_day(&setup, &["base"], 22).await, 23)
}

/// Returns the requests of dry runs in a location.
fn trials(setup: &TestEnv, account: &str, region: &str) -> Vec<TrialRequest> {
    setup
        .cloud
        .state_at(account, &Region::from(region), |state| state.trials.clone())
}

fn warnings(setup: &TestEnv) -> Vec<String> {
    let events = setup.events.events.lock().expect("no panic");
    let notes = events.iter().filter_map(|event| match event {
        Event::Note { text, .. } if text.starts_with("warning: ") => Some(text.clone()),
        _ => None,
    });
    notes.collect()
}

fn has_trials(plan: &Plan) -> bool {
    let mut actions = plan.steps.iter().map(|step| &step.action);
    actions.any(|action| matches!(action, Action::Launchable { .. }))
}

#[tokio::test]
async fn trial_launch_has_the_settings_of_the_environment() {
    let launch = "    launch: {subnets: [subnet-0000000a, subnet-0000000b], instance_types: [m5.large, m6g.large], \
                  tags: {cost: c, owner: d}}\n";
    let setup = released(launch).await;
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let tags = |pairs: &[(&str, &str)]| -> Tags {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    for (account, region) in [
        (ACCOUNT, "us-east-1"),
        (OTHER, "eu-west-1"),
        (OTHER, "us-east-1"),
    ] {
        let found = trials(&setup, account, region);
        let [one] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(one.subnets, ["subnet-0000000a", "subnet-0000000b"]);
        assert_eq!(one.instance_types, ["m5.large"]);
        assert_eq!(
            one.tags,
            tags(&[
                ("bakeline:catalog", "acme"),
                ("team", "a"),
                ("cost", "c"),
                ("owner", "d")
            ])
        );
    }
    let found = trials(&setup, ACCOUNT, "eu-west-1");
    let [home] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        home.subnets,
        ["subnet-00000001"],
        "at home, the builder launches"
    );
    assert_eq!(home.instance_types, ["t3.large"]);
    assert_eq!(
        home.tags,
        tags(&[("bakeline:catalog", "acme"), ("team", "a"), ("cost", "b")])
    );
    assert_eq!(warnings(&setup), Vec::<String>::new());
}

#[tokio::test]
async fn refused_trial_launch_is_a_warning_and_keeps_the_copy() {
    let setup = released("").await;
    setup.cloud.state_at(OTHER, &"us-east-1".into(), |state| {
        state.untested = Some("UnauthorizedOperation: explicit deny".to_owned());
    });
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    assert_rows(
        &setup,
        PROD[3],
        "base",
        &[("released", "Prod", "Prod")],
        (0, 1),
    );
    let found = warnings(&setup);
    let [warning] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(warning.contains("in 222222222222.us-east-1"), "{warning}");
    assert!(
        warning.ends_with("UnauthorizedOperation: explicit deny"),
        "{warning}"
    );
}

#[tokio::test]
async fn failed_trial_launch_stops_the_location() {
    let setup = released("").await;
    let mut fault = Fault::always("dry_run_launch");
    fault.kind = CloudErrorKind::NotFound;
    setup.cloud.fail(fault);
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), Some(crate::error::ErrorKind::StepFailed));
    assert_rows(&setup, PROD[3], "base", &[], (0, 0));
}

#[tokio::test]
async fn disabled_trial_launch_is_not_planned() {
    for (environment, expected) in [("    launch: false\n", false), ("    launch: true\n", true)] {
        let setup = released(environment).await;
        let plan = Operation::Promote(&["base"]).plan(&setup);
        assert!(!plan.steps.is_empty());
        assert_eq!(has_trials(&plan), expected, "{environment}");
    }
}
