//! Tests environments that share the AMIs of the builder's account with other accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{OTHER, Operation, on_day, release_on_day, version};
use crate::adapters::fake::{ACCOUNT, FakeCloudState, Fault};
use crate::catalog::Catalog;
use crate::lifecycle::doctor::diagnose;
use crate::lifecycle::{Record, tags};
use crate::model::{AmiId, State, Version};
use crate::plan::Action;
use crate::plan::step::PlanVerdict;
use crate::steps::tests::shareable::check;
use crate::steps::tests::{TestEnv, catalog_with};

pub(super) const HOME: &str = "eu-west-1";
pub(super) const AWAY: &str = "us-east-1";
const ORGANIZATION: &str = "arn:aws:organizations::123456789012:organization/o-abcdefghij";
const POINTER: &str = "/bakeline/acme/base/Prod/x86_64";

fn shared_catalog(accounts: &str, more: &str) -> Arc<Catalog> {
    let settings = format!(
        "name: acme\nregions: [{HOME}, {AWAY}]\n\
         retention: {{keep: 1, reserve: 1, disable_after: 0s, deregister_after: 0s}}\n\
         environments:\n  - {{name: Test, regions: [{HOME}]}}\n  - name: Prod\n    accounts: [{accounts}]\n    \
         role: arn:aws:iam::{OTHER}:role/bakeline\n    distribute: share\n{more}"
    );
    catalog_with(&settings, &[])
}

fn empty_env() -> TestEnv {
    let catalog = shared_catalog(&format!("\"{OTHER}\""), "");
    let setup = TestEnv::new().next_run(catalog, "2026-11-22T12:00:00Z");
    for (account, region) in [(ACCOUNT, AWAY), (OTHER, HOME), (OTHER, AWAY)] {
        let state = FakeCloudState::default();
        setup.cloud.open(account, &region.into(), state);
    }
    setup
}

/// Returns an environment with version 1 in Prod and version 2 in Test.
pub(in crate::steps::tests) async fn two_versions() -> TestEnv {
    let setup = release_on_day(&empty_env(), &["base"], 22).await;
    let setup = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 23)
        .await;
    release_on_day(&setup, &["base"], 24).await
}

pub(super) async fn promote_second() -> TestEnv {
    Operation::Promote(&["base"])
        .succeed_on_day(&two_versions().await, 25)
        .await
}

pub(super) fn state_of(setup: &TestEnv, account: &str, region: &str) -> FakeCloudState {
    let region = region.into();
    setup
        .cloud
        .state_at(account, &region, |state| state.clone())
}

/// Returns the receivers of each version of `base` in a Region of the builder's account.
pub(in crate::steps::tests) fn receivers(
    setup: &TestEnv,
    region: &str,
) -> BTreeMap<Version, BTreeSet<String>> {
    let state = state_of(setup, ACCOUNT, region);
    let images: Vec<_> = state.images.values().cloned().collect();
    let records = Record::read_all_published(&images, &"acme".into());
    let base = records.iter().filter(|r| r.image.as_str() == "base");
    base.map(|r| {
        let who = state.permissions.get(&r.ami.id);
        (r.version, who.cloned().unwrap_or_default())
    })
    .collect()
}

/// Returns the version that the pointer of the other account names, and checks that the account may
/// launch it.
fn version_in_account(setup: &TestEnv, region: &str, context: &str) -> Option<Version> {
    let other = state_of(setup, OTHER, region);
    assert_eq!(other.images.len(), 0, "{context}: a copy in {region}");
    let id = AmiId(other.parameters.get(POINTER)?.clone());
    let state = state_of(setup, ACCOUNT, region);
    let ami = state
        .images
        .get(&id)
        .unwrap_or_else(|| panic!("{context}: {id} does not exist"));
    let may_launch = state
        .permissions
        .get(&id)
        .is_some_and(|who| who.contains(OTHER));
    assert!(
        may_launch,
        "{context}: {OTHER} may not launch {id} in {region}"
    );
    let record = Record::read_published(ami, &"acme".into()).expect("ours");
    assert!(record.is_usable(), "{context}: {record:?}");
    Some(record.version)
}

pub(in crate::steps::tests) fn assert_shared(setup: &TestEnv, n: usize, context: &str) {
    for region in [HOME, AWAY] {
        let found = version_in_account(setup, region, context);
        assert_eq!(found, Some(version(n)), "{context}: {region}");
    }
    let repairs = diagnose(&setup.catalog.settings, &|_| true, &setup.inventory()).repairs;
    assert_eq!(repairs, Vec::new(), "{context}");
}

fn only_other() -> BTreeSet<String> {
    BTreeSet::from([OTHER.to_owned()])
}

#[tokio::test]
async fn promotion_shares_amis_of_the_builder() {
    let setup = promote_second().await;
    assert_shared(&setup, 2, "promoted");
    for region in [HOME, AWAY] {
        let expected = [1, 2].map(|n| (version(n), only_other())).into();
        assert_eq!(receivers(&setup, region), expected, "{region}");
        let state = state_of(&setup, ACCOUNT, region);
        assert!(state.volume_permissions.is_empty(), "nothing can copy");
    }
    let trials = state_of(&setup, OTHER, AWAY).trials;
    assert_eq!(
        trials.len(),
        2,
        "each promotion tests a launch in the account"
    );
    let setup = on_day(&setup, 26);
    let plan = Operation::Promote(&["base"]).plan(&setup);
    assert_eq!(plan.decisions[0].verdict, PlanVerdict::Keep, "{plan:?}");
}

#[tokio::test]
async fn failed_promotion_takes_permissions_back() {
    let start = two_versions().await;
    let clean = Operation::Promote(&["base"])
        .succeed_on_day(&start, 25)
        .await;
    let calls = clean.cloud.calls().len();
    let before = [(version(1), only_other()), (version(2), BTreeSet::new())];
    let mut undone = 0;
    for nth in 1..=calls {
        let setup = on_day(&start, 25);
        let timing = crate::adapters::fake::FaultTiming::Before;
        setup.cloud.fail(Fault::call(nth, timing));
        let outcome = Operation::Promote(&["base"]).execute(&setup).await;
        let context = format!("error at call {nth}: {outcome:?}");
        for region in [HOME, AWAY] {
            version_in_account(&setup, region, &context);
            let second = receivers(&setup, region).remove(&version(2));
            let is_current = Record::read_all_published(&setup.inventory().images, &"acme".into())
                .iter()
                .any(|r| {
                    r.version == version(2)
                        && r.ami.region == region.into()
                        && r.current.contains_key(&"Prod".into())
                });
            let expected = if is_current {
                only_other()
            } else {
                BTreeSet::new()
            };
            assert_eq!(second.unwrap_or_default(), expected, "{region}, {context}");
        }
        undone += usize::from(receivers(&setup, HOME) == before.clone().into());
        let repeated = Operation::Promote(&["base"])
            .succeed_on_day(&setup, 26)
            .await;
        assert_shared(&repeated, 2, &context);
    }
    assert!(undone > 3, "only {undone} errors were undone at home");
}

#[tokio::test]
async fn doctor_repairs_killed_operations() {
    let start = two_versions().await;
    let promoted = promote_second().await;
    let (promote, revoke) = (
        Operation::Promote(&["base"]),
        Operation::Revoke("base", version(2)),
    );
    let mut private = 0;
    for (operation, start) in [(promote, start), (revoke, promoted)] {
        let clean = operation.succeed_on_day(&start, 25).await;
        for at in 1..=clean.cloud.calls().len() {
            let setup = on_day(&start, 25);
            let halted = setup.cloud.halt_before(at);
            tokio::select! {
                outcome = operation.execute(&setup) => panic!("{outcome:?}"),
                () = halted.notified() => {}
            }
            let context = format!("{operation:?} killed before call {at}");
            let setup = Operation::Doctor.succeed_on_day(&setup, 26).await;
            let setup = Operation::Doctor.succeed_on_day(&setup, 27).await;
            let records = setup.inventory();
            let records = Record::read_all_published(&records.images, &"acme".into());
            for record in records.iter().filter(|r| r.state != State::Candidate) {
                let state = state_of(&setup, ACCOUNT, record.ami.region.as_str());
                let is_shared = state.permissions.contains_key(&record.ami.id);
                let was_there = record.tag("Environment") == "Prod";
                private += usize::from(!is_shared);
                assert_eq!(is_shared, was_there, "{context}: {record:?}");
            }
            for region in [HOME, AWAY] {
                version_in_account(&setup, region, &context);
            }
            let repairs = diagnose(&setup.catalog.settings, &|_| true, &setup.inventory()).repairs;
            assert_eq!(repairs, Vec::new(), "{context}");
        }
    }
    assert!(private > 10, "{private}");
}

#[tokio::test]
async fn rollback_moves_the_pointers_of_the_accounts() {
    let setup = promote_second().await;
    let rolled_back = Operation::Rollback(version(1))
        .succeed_on_day(&setup, 26)
        .await;
    assert_shared(&rolled_back, 1, "rolled back");
    // Auto Scaling groups of the account may still start instances of the held version.
    assert_eq!(receivers(&rolled_back, AWAY)[&version(2)], only_other());

    let failing = on_day(&setup, 26);
    failing.cloud.fail(Fault {
        about: Some(POINTER.to_owned()),
        nth: 3,
        forever: true,
        ..Fault::always("put_parameter")
    });
    let outcome = Operation::Rollback(version(1)).execute(&failing).await;
    assert!(outcome.kind().is_some(), "{outcome:?}");
    let stays = version_in_account(&failing, AWAY, "the pointer cannot be written");
    assert_eq!(stays, Some(version(2)));
    let repeated = Operation::Rollback(version(1))
        .succeed_on_day(&failing, 27)
        .await;
    assert_shared(&repeated, 1, "repeated");
}

#[tokio::test]
async fn revocation_removes_every_launch_permission() {
    let setup = on_day(&promote_second().await, 26);
    let second = setup.cloud.state(|state| {
        let all = state.permissions.keys().cloned().collect::<Vec<_>>();
        let is_second =
            |id: &&AmiId| state.images[*id].tags[tags::VERSION] == version(2).to_string();
        all.iter().find(is_second).expect("shared").clone()
    });
    setup.cloud.state(|state| {
        let who = state.permissions.entry(second.clone()).or_default();
        who.insert("333333333333".to_owned()); // Granted by hand.
    });
    let setup = Operation::Revoke("base", version(2))
        .succeed_on_day(&setup, 26)
        .await;
    assert_shared(&setup, 1, "revoked");
    for region in [HOME, AWAY] {
        let expected = [(version(1), only_other()), (version(2), BTreeSet::new())].into();
        assert_eq!(receivers(&setup, region), expected, "{region}");
    }
    let plan = Operation::Revoke("base", version(2)).plan(&setup);
    assert_eq!(plan.steps, Vec::new(), "complete");
    let setup = Operation::Revoke("base", version(1))
        .succeed_on_day(&setup, 27)
        .await;
    for region in [HOME, AWAY] {
        assert_eq!(
            version_in_account(&setup, region, "no version is left"),
            None
        );
        assert_eq!(receivers(&setup, region)[&version(1)], BTreeSet::new());
    }
}

/// Returns an environment whose catalog also shares with an organization.
fn with_organization(setup: &TestEnv) -> TestEnv {
    let catalog = shared_catalog(
        &format!("\"{OTHER}\", \"{ACCOUNT}\""),
        &format!("    organizations: [\"{ORGANIZATION}\"]\n"),
    );
    setup.next_run(catalog, "2026-11-26T12:00:00Z")
}

#[tokio::test]
async fn previous_version_can_be_launched_by_new_receivers() {
    for operation in [
        Operation::Rollback(version(1)),
        Operation::Revoke("base", version(2)),
    ] {
        let setup = with_organization(&promote_second().await);
        assert_eq!(receivers(&setup, AWAY)[&version(1)], only_other());
        assert_eq!(operation.execute(&setup).await.kind(), None);
        for region in [HOME, AWAY] {
            let context = format!("{operation:?} in {region}");
            assert_eq!(
                version_in_account(&setup, region, &context),
                Some(version(1))
            );
            let receivers = &receivers(&setup, region)[&version(1)];
            assert!(receivers.contains(ORGANIZATION), "{context}: {receivers:?}");
        }
    }
}

#[tokio::test]
async fn doctor_keeps_permissions_that_the_catalog_did_not_grant() {
    const FOREIGN: &str = "999999999999";
    let start = two_versions().await;
    let promote = Operation::Promote(&["base"]);
    let clean = promote.succeed_on_day(&start, 25).await;
    let mut removed = 0;
    for at in 1..=clean.cloud.calls().len() {
        let setup = on_day(&start, 25);
        let halted = setup.cloud.halt_before(at);
        tokio::select! {
            outcome = promote.execute(&setup) => panic!("{outcome:?}"),
            () = halted.notified() => {}
        }
        setup.cloud.state_at(ACCOUNT, &HOME.into(), |state| {
            for who in state.permissions.values_mut() {
                who.insert(FOREIGN.to_owned());
            }
        });
        let before = receivers(&setup, HOME);
        let setup = Operation::Doctor.succeed_on_day(&setup, 26).await;
        let setup = Operation::Doctor.succeed_on_day(&setup, 27).await;
        for (version, now) in receivers(&setup, HOME) {
            let was = &before[&version];
            assert_eq!(
                now.contains(FOREIGN),
                was.contains(FOREIGN),
                "call {at}: {version}"
            );
            removed += was.difference(&now).count();
        }
    }
    assert!(removed > 0, "the doctor removed no permission");
}

#[tokio::test]
async fn new_account_gets_access_to_the_current_version() {
    let setup = with_organization(&promote_second().await);
    let plan = Operation::Promote(&["base"]).plan(&setup);
    let is_grant = |step: &crate::plan::Step| matches!(step.action, Action::AllowLaunch { .. });
    assert_eq!(plan.steps.len(), 2, "{plan:?}");
    assert!(plan.steps.iter().all(is_grant), "{plan:?}");
    assert_eq!(setup.execute(&plan).await.kind(), None);
    let receivers = &receivers(&setup, AWAY)[&version(2)];
    assert_eq!(
        receivers.len(),
        2,
        "the builder's own account needs none: {receivers:?}"
    );
    assert_shared(&setup, 2, "the organization is a receiver");
}

#[tokio::test]
async fn ami_with_a_key_of_aws_is_not_shared() {
    let setup = on_day(&two_versions().await, 25);
    let plan = Operation::Promote(&["base"]).plan(&setup);
    let check = || check(&setup, &plan);
    assert_eq!(check().await.expect("can be shared"), Vec::<String>::new());
    setup.cloud.state_at(ACCOUNT, &AWAY.into(), |state| {
        state.default_key = Some("alias/aws/ebs".to_owned());
    });
    let error = check().await.expect_err("the copy would be encrypted");
    assert_eq!(error.kind, crate::error::ErrorKind::Refused, "{error:?}");
    assert!(error.one_line().contains("in us-east-1"), "{error:?}");
    let id = setup.cloud.state(|state| {
        state
            .own()
            .iter()
            .map(|ami| ami.id.clone())
            .collect::<Vec<_>>()
    });
    setup.cloud.state(|state| {
        for ami in &id {
            state.record_key(ami, Some("alias/aws/ebs"));
        }
    });
    let error = check().await.expect_err("the original is encrypted");
    assert!(error.one_line().contains(OTHER), "{error:?}");
}
