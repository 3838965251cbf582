//! Tests the retirement of AMIs that other accounts may launch.

use super::shared::{AWAY, HOME, assert_shared, promote_second, receivers, state_of};
use super::{OTHER, Operation, on_day, release_on_day, version};
use crate::adapters::fake::{ACCOUNT, FakeInstance, Fault};
use crate::lifecycle::tags;
use crate::model::{AmiId, InstanceId, RunId};
use crate::plan::Action;
use crate::plan::prune::{PruneOptions, plan_prune, plan_retirement};
use crate::steps::tests::TestEnv;

/// Returns an environment with a third version in Prod, so that the first can be retired.
async fn three_versions() -> TestEnv {
    let setup = release_on_day(&promote_second().await, &["base"], 26).await;
    Operation::Promote(&["base"])
        .succeed_on_day(&setup, 27)
        .await
}

/// Returns the Regions of the builder's account in which version 1 still exists.
fn regions_with_first(setup: &TestEnv) -> Vec<&'static str> {
    let exists = |region: &&str| receivers(setup, region).contains_key(&version(1));
    [HOME, AWAY].into_iter().filter(exists).collect()
}

#[tokio::test]
async fn prune_proves_that_no_account_uses_a_shared_ami() {
    let start = three_versions().await;
    for (context, expected) in [
        ("unused", vec![]),
        ("an instance in the other account", vec![AWAY]),
        (
            "references of the other account cannot be read",
            vec![HOME, AWAY],
        ),
        ("an account that is not in the catalog", vec![HOME]),
    ] {
        let setup = on_day(&start, 28);
        match context {
            "an instance in the other account" => {
                let ami = first_in(&setup, AWAY);
                setup.cloud.state_at(OTHER, &AWAY.into(), |state| {
                    let id = InstanceId::from("i-1");
                    state.instances.insert(id, instance_of(ami));
                });
            }
            "references of the other account cannot be read" => {
                for region in [HOME, AWAY] {
                    // The own account uses the list of EC2.
                    let region = region.into();
                    setup
                        .cloud
                        .state_at(ACCOUNT, &region, |state| state.reports = true);
                }
                setup.cloud.fail(Fault::always("references"));
            }
            "an account that is not in the catalog" => {
                let ami = first_in(&setup, HOME);
                setup.cloud.state(|state| {
                    let who = state.permissions.get_mut(&ami).expect("shared");
                    who.insert("333333333333".to_owned());
                });
            }
            _ => {}
        }
        let options = PruneOptions::default();
        let (decisions, plan) = plan_prune(
            &setup.catalog,
            &setup.inventory(),
            &options,
            RunId::from("prune"),
        );
        assert!(!plan.steps.is_empty(), "{context}: {decisions:?}");
        let outcome = setup.execute(&plan).await;
        assert_eq!(
            regions_with_first(&setup),
            expected,
            "{context}: {outcome:?}"
        );
        assert_shared(&setup, 3, context);
    }
}

fn first_in(setup: &TestEnv, region: &str) -> AmiId {
    let state = state_of(setup, ACCOUNT, region);
    let is_first = |ami: &&crate::model::Ami| {
        ami.tags
            .get(tags::VERSION)
            .is_some_and(|v| *v == version(1).to_string())
    };
    state
        .images
        .values()
        .find(is_first)
        .expect("version 1")
        .id
        .clone()
}

fn instance_of(ami: AmiId) -> FakeInstance {
    FakeInstance {
        ami,
        instance_type: "t3.small".to_owned(),
        subnet: None,
        status: "running".to_owned(),
        group: String::new(),
        token: String::new(),
        tags: crate::model::Tags::new(),
    }
}

#[tokio::test]
async fn retirement_deletes_the_pointers_of_the_accounts() {
    let setup = on_day(&three_versions().await, 28);
    let options = PruneOptions::default();
    let base = "base".into();
    let plan = plan_retirement(
        &setup.catalog,
        &setup.inventory(),
        &base,
        &options,
        RunId::from("retire"),
    )
    .1;
    let deleted = plan.steps.iter().filter(|step| {
        step.account.as_deref() == Some(OTHER) && matches!(step.action, Action::Unpublish { .. })
    });
    assert_eq!(deleted.count(), 2, "{:?}", plan.steps);
    setup.execute(&plan).await;
    for region in [HOME, AWAY] {
        let left = state_of(&setup, OTHER, region).parameters;
        assert!(left.is_empty(), "{region}: {left:?}");
    }
}
