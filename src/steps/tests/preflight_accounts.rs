//! Tests the prerequisites in other accounts: roles, Regions and KMS keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::preflight::{facts, objects, setup};
use super::{OTHER, TestEnv, region};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::error::Error;
use crate::lifecycle::locations;
use crate::model::{Location, Region};
use crate::ports::{Cloud, CloudErrorKind};
use crate::steps::preflight::{AccountSession, KeyUse, Status, check_accounts, check_keys};

fn session(setup: &TestEnv, account: &str, regions: &[&str]) -> AccountSession {
    let is_own = account == ACCOUNT;
    AccountSession {
        account: account.to_owned(),
        role: (!is_own).then(|| format!("arn:aws:iam::{account}:role/b")),
        cloud: Ok(Arc::new(setup.cloud.for_account(account)) as Arc<dyn Cloud>),
        home: region(),
        regions: regions.iter().map(|name| Region::from(*name)).collect(),
    }
}

#[tokio::test]
async fn accounts_report_disabled_regions_and_refused_roles() {
    let setup = setup("", &[]);
    facts(&setup, |facts| {
        facts.disabled_regions = BTreeSet::from([Region::from("us-east-1")]);
    });
    let sessions = vec![
        session(&setup, ACCOUNT, &["eu-west-1", "us-east-1"]),
        session(&setup, OTHER, &["eu-west-1"]),
        AccountSession {
            cloud: Err(Error::input("the role for account 3 is missing")),
            ..session(&setup, OTHER, &[])
        },
    ];
    let checks = check_accounts(sessions).await;
    let role = format!("role arn:aws:iam::{OTHER}:role/b");
    let disabled = format!("Region us-east-1 of account {ACCOUNT}");
    assert_eq!(
        objects(&checks, Status::Missing),
        [disabled.as_str(), &role]
    );
    assert!(objects(&checks, Status::Ok).contains(&role.as_str()));
    assert!(
        checks.iter().all(|check| check.kind().is_none()),
        "other locations continue"
    );

    for (kind, status) in [
        (CloudErrorKind::Denied, Status::Missing),
        (CloudErrorKind::Credentials, Status::Missing),
        (CloudErrorKind::Throttled, Status::Unknown),
        (CloudErrorKind::Unreachable, Status::Unknown),
    ] {
        let mut fault = Fault::always("identity");
        fault.kind = kind;
        let setup = super::preflight::setup("", &[]);
        setup.cloud.fail(fault);
        let checks = check_accounts(vec![session(&setup, OTHER, &["eu-west-1"])]).await;
        assert_eq!(objects(&checks, status), [role.as_str()], "{kind:?}");
        assert_eq!(checks.len(), 1);
    }
}

#[tokio::test]
async fn keys_must_exist_and_be_enabled() {
    let setup = setup("", &[]);
    facts(&setup, |facts| {
        let states = [("alias/gone", ""), ("alias/off", "Disabled")];
        facts.key_states = states
            .map(|(key, state)| (key.to_owned(), state.to_owned()))
            .into();
    });
    let home = locations::home(&setup.catalog.settings);
    let there = Location {
        account: Some(OTHER.to_owned()),
        region: region(),
    };
    let used = |key: &str, location: &Location| KeyUse {
        key: key.to_owned(),
        location: location.clone(),
        cloud: Arc::clone(&setup.cloud) as Arc<dyn Cloud>,
    };
    let uses = vec![
        used("alias/good", &home),
        used("alias/gone", &home),
        used("alias/off", &there),
    ];
    let checks = check_keys(uses, &home).await;
    let found: Vec<(Status, bool)> = checks
        .iter()
        .map(|c| (c.status, c.kind().is_some()))
        .collect();
    assert_eq!(
        found,
        [
            (Status::Ok, false),
            (Status::Missing, true),
            (Status::Missing, false)
        ]
    );
    assert!(
        checks[2]
            .cause
            .as_deref()
            .is_some_and(|cause| cause.contains("Disabled"))
    );
    let mut fault = Fault::always("describe_key");
    fault.kind = CloudErrorKind::Denied;
    setup.cloud.fail(fault);
    let checks = check_keys(vec![used("alias/gone", &home)], &home).await;
    assert_eq!(checks[0].status, Status::Unknown);
}
