//! Tests that AMIs and copies are encrypted with the keys of the catalog and require IMDSv2.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Operation, SETTINGS, on_day, release_on_day, two_accounts};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::model::Region;
use crate::steps::tests::{OTHER, TestEnv, catalog_with};

/// Key and IMDSv2 of the AMIs of the catalog, by location.
fn encryption(setup: &TestEnv) -> BTreeMap<(&'static str, &'static str), (String, bool)> {
    let mut out = BTreeMap::new();
    for account in [ACCOUNT, OTHER] {
        for region in ["eu-west-1", "us-east-1"] {
            setup
                .cloud
                .state_at(account, &Region::from(region), |state| {
                    for ami in state.images.values() {
                        if ami.name.starts_with("acme/") {
                            let key = state.keys.get(&ami.id).cloned().unwrap_or_default();
                            out.insert((account, region), (key, ami.imds_v2));
                        }
                    }
                });
        }
    }
    out
}

fn with_settings(more: &str, environment: &str) -> TestEnv {
    let settings = format!("{SETTINGS}{environment}{more}");
    let setup = two_accounts();
    setup.next_run(
        Arc::clone(&catalog_with(&settings, &[])),
        "2026-11-22T12:00:00Z",
    )
}

#[tokio::test]
async fn copies_have_the_key_of_their_location() {
    let setup = with_settings(
        "builder: {kms_key: alias/home}\n",
        "    kms_key: {eu-west-1: alias/west, us-east-1: alias/east}\n",
    );
    let setup = release_on_day(&setup, &["base"], 22).await;
    let setup = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 23)
        .await;
    let expected = [
        ((ACCOUNT, "eu-west-1"), "alias/home"),
        ((ACCOUNT, "us-east-1"), "alias/east"),
        ((OTHER, "eu-west-1"), "alias/west"),
        ((OTHER, "us-east-1"), "alias/east"),
    ];
    let expected = expected.map(|(place, key)| (place, (key.to_owned(), true)));
    assert_eq!(encryption(&setup), BTreeMap::from(expected));
}

#[tokio::test]
async fn amis_keep_defaults_without_settings() {
    let setup = with_settings("builder: {imds: optional}\n", "");
    let setup = release_on_day(&setup, &["base"], 22).await;
    let setup = Operation::Promote(&["base"])
        .succeed_on_day(&setup, 23)
        .await;
    let found = encryption(&setup);
    assert_eq!(found.len(), 4);
    assert!(
        found.values().all(|found| *found == (String::new(), false)),
        "{found:?}"
    );
}

#[tokio::test]
async fn copy_without_imds_v2_is_not_published() {
    let setup = with_settings("", "");
    let setup = on_day(&release_on_day(&setup, &["base"], 22).await, 23);
    setup.cloud.fail(Fault::always("require_imds_v2"));
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    let failed = outcome
        .scopes
        .iter()
        .filter(|(_, end)| !end.is_done())
        .count();
    assert_eq!(failed, 3, "{outcome:?}");
    assert_eq!(encryption(&setup).len(), 1, "the copies are removed");
}
