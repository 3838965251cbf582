//! Tests calls with a dry run. For the launch of a copied AMI, tells problems of the AMI from those
//! of the account.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    HttpTokensState, IamInstanceProfileSpecification, InstanceMetadataOptionsRequest,
    InstanceNetworkInterfaceSpecification, InstanceType, KeyType, ResourceType, TagSpecification,
};

use super::clients::Clients;
use super::errors::cloud_error;
use super::tags::tag_specification;
use crate::model::{AmiId, Tags};
use crate::ports::{
    CloudError, CloudErrorKind, CloudResult, CreationTest, LaunchTest, TrialOutcome, TrialRequest,
};

/// Further codes of RunInstances for reasons other than the AMI (EC2 API Reference, "Error codes").
const OF_THE_ACCOUNT: &[&str] = &[
    "VPCIdNotSpecified",
    "MissingInput",
    "DefaultVpcDoesNotExist",
    "UnsupportedOperation",
    "PendingVerification",
    "Blocked",
];

/// Tests a launch of each instance type in turn, until EC2 does not refuse it for its capacity or
/// quota. `DryRunOperation` means success.
pub(super) async fn dry_run_launch(
    clients: &Clients,
    request: &TrialRequest,
) -> CloudResult<TrialOutcome> {
    let mut refused = None;
    for instance_type in &request.instance_types {
        match launch_type(clients, request, instance_type).await {
            Some(Err(error)) if is_of_the_type(error.kind) => refused = Some(error),
            Some(answer) => return judge(answer),
            None => {
                let names = request.subnets.join(", ");
                return Ok(TrialOutcome::Untested(format!(
                    "none of the subnets {names} exists there"
                )));
            }
        }
    }
    match refused {
        Some(error) => judge(Err(error)),
        None => Ok(TrialOutcome::Untested(
            "no instance type is configured".to_owned(),
        )),
    }
}

/// Returns true for an error that another instance type can avoid.
fn is_of_the_type(kind: CloudErrorKind) -> bool {
    matches!(kind, CloudErrorKind::Capacity | CloudErrorKind::Quota)
}

/// Tests a launch in the first subnet that exists at the location. Returns `None` without one.
async fn launch_type(
    clients: &Clients,
    request: &TrialRequest,
    instance_type: &str,
) -> Option<CloudResult<()>> {
    if request.subnets.is_empty() {
        return Some(run_instances(clients, request, instance_type, None).await);
    }
    for subnet in &request.subnets {
        match run_instances(clients, request, instance_type, Some(subnet)).await {
            // The subnet belongs to another location of the environment.
            Err(error) if code(&error) == "InvalidSubnetID.NotFound" => {}
            answer => return Some(answer),
        }
    }
    None
}

async fn run_instances(
    clients: &Clients,
    request: &TrialRequest,
    instance_type: &str,
    subnet: Option<&String>,
) -> CloudResult<()> {
    let call = dry_run(clients, &request.ami, instance_type, &request.tags);
    let answer = call.set_subnet_id(subnet.cloned()).send().await;
    denial(clients, "RunInstances", answer)
}

/// Returns the dry run of a launch with tags and IMDSv2, as policies require them.
fn dry_run(
    clients: &Clients,
    ami: &AmiId,
    instance_type: &str,
    tags: &Tags,
) -> RunInstancesFluentBuilder {
    let options = InstanceMetadataOptionsRequest::builder().http_tokens(HttpTokensState::Required);
    clients
        .ec2
        .run_instances()
        .image_id(ami.as_str())
        .instance_type(InstanceType::from(instance_type))
        .min_count(1)
        .max_count(1)
        .metadata_options(options.build())
        .set_tag_specifications(tag_specifications(tags))
        .dry_run(true)
}

/// Returns the error of a dry run. Even a dry run that succeeds has one.
fn denial<T, E>(
    clients: &Clients,
    action: &'static str,
    answer: Result<T, SdkError<E>>,
) -> CloudResult<()>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    answer.map_err(|e| cloud_error(action, &clients.region, &e))?;
    Ok(())
}

/// Returns the tags for everything that a launch creates, as policies require them. EC2 rejects a
/// specification without tags.
fn tag_specifications(tags: &Tags) -> Option<Vec<TagSpecification>> {
    let types = [
        ResourceType::Instance,
        ResourceType::Volume,
        ResourceType::NetworkInterface,
    ];
    let with_tags = types.map(|of| tag_specification(of, tags));
    (!tags.is_empty()).then(|| with_tags.into())
}

fn judge(answer: CloudResult<()>) -> CloudResult<TrialOutcome> {
    let error = match answer {
        Ok(()) => return Ok(TrialOutcome::Passed),
        Err(error) if would_succeed(&error) => return Ok(TrialOutcome::Passed),
        Err(error) => error,
    };
    let of_the_account = match error.kind {
        CloudErrorKind::Denied
        | CloudErrorKind::Quota
        | CloudErrorKind::Busy
        | CloudErrorKind::Capacity => true,
        _ => OF_THE_ACCOUNT.contains(&code(&error)),
    };
    if of_the_account {
        return Ok(TrialOutcome::Untested(error.message));
    }
    Err(error)
}

/// Asks whether the caller may create a resource.
pub(super) async fn test_creation(clients: &Clients, test: &CreationTest) -> CloudResult<()> {
    let answer = match test {
        CreationTest::Instance(launch) => test_launch(clients, launch).await,
        CreationTest::KeyPair { name, tags } => {
            let call = clients
                .ec2
                .create_key_pair()
                .key_name(name)
                .key_type(KeyType::Ed25519)
                .tag_specifications(tag_specification(ResourceType::KeyPair, tags))
                .dry_run(true);
            denial(clients, "CreateKeyPair", call.send().await)
        }
        CreationTest::SecurityGroup { name, vpc, tags } => {
            let call = clients
                .ec2
                .create_security_group()
                .group_name(name)
                .description("bakeline: dry run")
                .set_vpc_id(vpc.clone())
                .tag_specifications(tag_specification(ResourceType::SecurityGroup, tags))
                .dry_run(true);
            denial(clients, "CreateSecurityGroup", call.send().await)
        }
    };
    match answer {
        Err(error) if !would_succeed(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Tests a launch in the default security group, because that of the run does not exist yet.
async fn test_launch(clients: &Clients, launch: &LaunchTest) -> CloudResult<()> {
    let interface = InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .set_associate_public_ip_address(launch.public_address.then_some(true))
        .delete_on_termination(true)
        .set_subnet_id(launch.subnet.clone())
        .build();
    let profile = launch.instance_profile.as_ref().map(|name| {
        IamInstanceProfileSpecification::builder()
            .name(name)
            .build()
    });
    let call = dry_run(clients, &launch.ami, &launch.instance_type, &launch.tags)
        .network_interfaces(interface)
        .set_iam_instance_profile(profile);
    denial(clients, "RunInstances", call.send().await)
}

/// Returns whether a dry run failed only because it was one. `DryRunOperation` has status 412, which
/// some endpoints report as a denial.
fn would_succeed(error: &CloudError) -> bool {
    let is_denial = error.kind == CloudErrorKind::Denied;
    code(error) == "DryRunOperation" || is_denial && error.message.contains("DryRunOperation")
}

/// Returns the code of EC2 at the start of the message.
fn code(error: &CloudError) -> &str {
    error.message.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kind: CloudErrorKind, message: &str) -> CloudResult<TrialOutcome> {
        judge(Err(CloudError {
            kind,
            action: "RunInstances",
            region: "eu-west-1".to_owned(),
            message: message.to_owned(),
        }))
    }

    #[test]
    fn only_errors_of_the_ami_fail_a_trial_launch() {
        use CloudErrorKind::{Capacity, Denied, NotFound, Other, Quota};
        for (kind, message) in [
            (
                Other,
                "DryRunOperation: Request would have succeeded, but DryRun flag is set.",
            ),
            (Denied, "412: DryRunOperation"),
        ] {
            let passed = outcome(kind, message).expect("it passes");
            assert_eq!(passed, TrialOutcome::Passed, "{message}");
        }
        for (kind, message) in [
            (Denied, "UnauthorizedOperation: You are not authorized"),
            (
                Quota,
                "VcpuLimitExceeded: You have requested more vCPU capacity",
            ),
            (
                Capacity,
                "InsufficientInstanceCapacity: We currently do not have",
            ),
            (
                Capacity,
                "Unsupported: Your requested instance type (t3.small) is not supported",
            ),
            (Other, "MissingInput: No subnets found for the default VPC"),
            (Other, "VPCIdNotSpecified: No default VPC for this user"),
        ] {
            let untested = outcome(kind, message).expect("a warning");
            assert_eq!(untested, TrialOutcome::Untested(message.to_owned()));
        }
        for (kind, message) in [
            (
                NotFound,
                "InvalidAMIID.NotFound: The image id '[ami-1]' does not exist",
            ),
            (
                Other,
                "InvalidParameterCombination: Enhanced networking is required",
            ),
            (
                Other,
                "InvalidParameterValue: The architecture 'arm64' of the instance type",
            ),
            (Other, "SomethingNew: unknown"),
        ] {
            assert!(outcome(kind, message).is_err(), "{message}");
        }
    }
}
