//! Tests that a run is refused before it changes anything if EC2 could not share its AMIs.

use std::sync::Arc;

use super::{OTHER, TestEnv, catalog_with};
use crate::adapters::fake::{ACCOUNT, FakeCloudState, Fault};
use crate::error::{Error, ErrorKind};
use crate::model::ImageName;
use crate::plan::{Plan, promote, release};
use crate::ports::CloudErrorKind;
use crate::steps::check_shareable;

const ENVIRONMENTS: &str = "environments:\n  - {name: Test}\n  - {name: Prod, accounts: [\"222222222222\"], \
                            role: \"arn:aws:iam::222222222222:role/b\"}\n";

/// Returns a cloud and a catalog with these settings in addition to the environments.
fn setup(more: &str, environments: &str, images: &[(&str, &str)]) -> TestEnv {
    let settings = format!("name: acme\nregions: [eu-west-1]\n{environments}{more}");
    TestEnv::new().next_run(
        Arc::clone(&catalog_with(&settings, images)),
        "2026-11-22T12:00:00Z",
    )
}

fn plan_release(setup: &TestEnv, image: &str) -> Plan {
    let request = release::ReleaseRequest {
        images: vec![ImageName::from(image)],
        force: true,
        run: "r1".into(),
    };
    release::plan_release(&setup.catalog, &setup.inventory(), &request)
}

/// Returns the warnings of the check, or its first error.
pub(super) async fn check(setup: &TestEnv, plan: &Plan) -> Result<Vec<String>, Error> {
    let before = setup.cloud.state(|state| state.clone());
    let checks = check_shareable(&setup.catalog, &setup.inventory(), plan, &*setup.cloud).await;
    assert_eq!(setup.cloud.state(|state| state.clone()), before);
    let warnings: Vec<String> = checks
        .iter()
        .filter(|c| c.warns)
        .filter_map(|c| c.cause.clone())
        .collect();
    match checks.into_iter().find_map(|check| check.error) {
        Some(error) => Err(error),
        None => Ok(warnings),
    }
}

fn refusal(checked: Result<Vec<String>, Error>) -> String {
    let error = checked.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Refused);
    error.to_string()
}

#[tokio::test]
async fn release_is_refused_if_aws_manages_the_default_key() {
    for key in ["alias/aws/ebs", "aws-managed-1"] {
        let setup = setup("", ENVIRONMENTS, &[]);
        let plan = plan_release(&setup, "base");
        setup.cloud.state(|w| w.default_key = Some(key.to_owned()));
        assert_eq!(
            refusal(check(&setup, &plan).await),
            format!(
                "EBS encryption by default of account {ACCOUNT} in eu-west-1 encrypts with `alias/aws/ebs`, so \
                 AMIs of `base` could not be shared with {OTHER}"
            )
        );
    }
}

#[tokio::test]
async fn release_is_allowed_if_nobody_needs_the_ami_or_the_key_is_shared() {
    let own = ENVIRONMENTS.replace(OTHER, ACCOUNT);
    let only_test = [(
        "base",
        "source: {owner: \"136693071363\", name: debian-12-*}\nenvironment: Test\n",
    )];
    let children: Vec<(&str, &str)> = ["a", "b", "z"].map(|name| (name, "parent: base\n")).into();
    let only_test: Vec<(&str, &str)> = only_test.into_iter().chain(children).collect();
    for (more, environments, images, key) in [
        ("", ENVIRONMENTS, &[][..], None),
        (
            "",
            ENVIRONMENTS,
            &[],
            Some("arn:aws:kms:eu-west-1:1:key/customer"),
        ),
        (
            "builder: {kms_key: alias/own}\n",
            ENVIRONMENTS,
            &[],
            Some("alias/aws/ebs"),
        ),
        ("", "", &[], Some("alias/aws/ebs")),
        ("", own.as_str(), &[], Some("alias/aws/ebs")),
        (
            "",
            ENVIRONMENTS,
            only_test.as_slice(),
            Some("alias/aws/ebs"),
        ),
    ] {
        let setup = setup(more, environments, images);
        let plan = plan_release(&setup, "base");
        assert!(!plan.steps.is_empty());
        setup
            .cloud
            .state(|w| w.default_key = key.map(str::to_owned));
        let warnings = check(&setup, &plan)
            .await
            .unwrap_or_else(|e| panic!("{more}{environments}: {e}"));
        assert_eq!(warnings, Vec::<String>::new());
    }
}

#[tokio::test]
async fn unread_encryption_is_a_warning() {
    let setup = setup("", ENVIRONMENTS, &[]);
    let plan = plan_release(&setup, "base");
    let mut fault = Fault::always("default_key");
    fault.kind = CloudErrorKind::Denied;
    setup.cloud.fail(fault);
    let warnings = check(&setup, &plan).await.expect("allowed");
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("whether new AMIs can be shared with other accounts is unknown: ")
    );
}

/// Releases `base` and encrypts its AMI with a key.
async fn released(key: &str) -> (TestEnv, String) {
    let setup = setup("", ENVIRONMENTS, &[]);
    let outcome = setup.execute(&plan_release(&setup, "base")).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let setup = setup.next_run(Arc::clone(&setup.catalog), "2026-11-23T12:00:00Z");
    let ami = setup.cloud.state(|state| {
        let mut images = state.images.values();
        let ami = images.find(|a| a.name.starts_with("acme/base/"));
        let ami = ami.expect("released").id.clone();
        state.keys.insert(ami.clone(), key.to_owned());
        ami
    });
    setup
        .cloud
        .open(OTHER, &"eu-west-1".into(), FakeCloudState::default());
    (setup, ami.to_string())
}

fn plan_promotion(setup: &TestEnv) -> Plan {
    let images = [ImageName::from("base")];
    promote::plan_promotion(
        &setup.catalog,
        &setup.inventory(),
        &images,
        &"Prod".into(),
        "r2".into(),
    )
}

#[tokio::test]
async fn promotion_of_an_ami_with_a_key_of_aws_is_refused() {
    let (setup, ami) = released("aws-managed-1").await;
    let text = refusal(check(&setup, &plan_promotion(&setup)).await);
    assert!(text.starts_with(&format!("{ami} (acme/base/")), "{text}");
    assert!(
        text.ends_with(
            "is encrypted with a key that AWS manages and cannot leave its account: cannot be shared with \
             222222222222"
        ),
        "{text}"
    );
    // A child that keeps the key of its parent could not be shared either.
    let text = refusal(check(&setup, &plan_release(&setup, "a")).await);
    assert!(
        text.ends_with("`a` is built on it for other accounts"),
        "{text}"
    );
}

#[tokio::test]
async fn promotion_with_a_customer_key_or_unread_key_is_allowed() {
    let (setup, _) = released("customer-1").await;
    let plan = plan_promotion(&setup);
    assert_eq!(
        check(&setup, &plan).await.expect("allowed"),
        Vec::<String>::new()
    );
    let (setup, _) = released("aws-managed-1").await;
    let mut fault = Fault::always("is_aws_managed");
    fault.kind = CloudErrorKind::Denied;
    setup.cloud.fail(fault);
    let warnings = check(&setup, &plan_promotion(&setup))
        .await
        .expect("allowed");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}
