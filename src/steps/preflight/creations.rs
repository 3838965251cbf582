//! Asks with dry runs whether the caller may create the resources of a build.

use futures_util::{StreamExt as _, stream};

use super::check::{Check, Group};
use super::network::quota_error;
use crate::error::Error;
use crate::model::Region;
use crate::ports::{CloudError, CloudErrorKind, CloudReader, CreationTest};
use crate::steps::errors::first_call_error;

/// Maximum number of parallel dry runs.
const MAX_CONCURRENT: usize = 8;

/// Makes all dry runs. Returns the checks in the same order.
pub(super) async fn test_creations(
    cloud: &dyn CloudReader,
    region: &Region,
    tests: Vec<CreationTest>,
) -> Vec<Check> {
    let calls = tests.into_iter().map(|test| async move {
        let answer = cloud.test_creation(region, &test).await;
        judge_answer(&test, answer.err())
    });
    let checks: Vec<Vec<Check>> = stream::iter(calls).buffered(MAX_CONCURRENT).collect().await;
    checks.into_iter().flatten().collect()
}

fn judge_answer(test: &CreationTest, error: Option<CloudError>) -> Vec<Check> {
    let (action, object) = (format!("ec2:{}", test.action()), object_of(test));
    let quota = match test {
        CreationTest::Instance(_) => format!("vCPUs for {object}"),
        _ => object.clone(),
    };
    let Some(error) = error else {
        let mut checks = vec![Check::ok(Group::Permissions, action).with_note(object)];
        if matches!(test, CreationTest::Instance(_)) {
            // Dry runs check permissions. AWS does not document that they check quotas.
            let cause = "the dry run found no exceeded quota, but it may not check all of them";
            checks.push(Check::unknown(Group::Quotas, quota, cause));
        }
        return checks;
    };
    let check = match error.kind {
        CloudErrorKind::Denied => {
            Check::missing(Group::Permissions, action, first_call_error(error))
        }
        CloudErrorKind::Quota => {
            let check = Check::missing(Group::Quotas, quota, quota_error(&error.to_string()));
            match test {
                CreationTest::Instance(launch) if launch.has_fallback => check.as_warning(),
                _ => check,
            }
        }
        _ => match invalid_profile(test, &error) {
            Some(profile) => {
                let object = format!("instance profile {profile}");
                let hint = "create it, or set `instance_profile` of the builder";
                let error = Error::input(error.to_string()).hint(hint);
                Check::missing(Group::Instances, object, error)
            }
            None => Check::unread(Group::Permissions, action, error),
        },
    };
    vec![check]
}

/// Returns the instance profile of a launch, if EC2 refused it because of the profile.
fn invalid_profile<'t>(test: &'t CreationTest, error: &CloudError) -> Option<&'t str> {
    let CreationTest::Instance(launch) = test else {
        return None;
    };
    let profile = launch.instance_profile.as_deref()?;
    // EC2: "Value (x) for parameter iamInstanceProfile.name is invalid". IAM: "NoSuchEntity".
    let texts = ["iamInstanceProfile", "NoSuchEntity"];
    let is_named = texts.iter().any(|text| error.message.contains(text));
    is_named.then_some(profile)
}

fn object_of(test: &CreationTest) -> String {
    match test {
        CreationTest::Instance(launch) => match &launch.subnet {
            Some(subnet) => format!("{} in {subnet}", launch.instance_type),
            None => launch.instance_type.clone(),
        },
        CreationTest::KeyPair { .. } => "key pair".to_owned(),
        CreationTest::SecurityGroup { vpc, .. } => match vpc {
            Some(vpc) => format!("security group in {vpc}"),
            None => "security group in the default VPC".to_owned(),
        },
    }
}
