//! Owns copies at AWS: CopyImage, sharing for it, and the question whether an AMI would launch.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    ImageAttributeName, InstanceType, LaunchPermission, LaunchPermissionModifications,
    OperationType, ResourceType, SnapshotAttributeName,
};

use super::{Clients, failed, specification};
use crate::model::{Ami, AmiId, Sharing};
use crate::ports::{CloudErrorKind, CloudResult, CopyRequest};

/// CopyImage runs in the Region of the copy; the client token makes a repeated call answer the same id.
pub(super) async fn copy(clients: &Clients, request: &CopyRequest) -> CloudResult<AmiId> {
    let call = clients
        .ec2
        .copy_image()
        .source_region(request.source_region.as_str())
        .source_image_id(request.source.as_str())
        .name(&request.name)
        .client_token(&request.token)
        .tag_specifications(specification(ResourceType::Image, &request.tags))
        .tag_specifications(specification(ResourceType::Snapshot, &request.tags));
    let answer = call
        .send()
        .await
        .map_err(|e| failed("CopyImage", &clients.region, &e))?;
    Ok(AmiId(answer.image_id.unwrap_or_default()))
}

/// `StateReason` of an AMI.
pub(super) async fn why_failed(clients: &Clients, ami: &AmiId) -> CloudResult<Option<String>> {
    let answer = clients
        .ec2
        .describe_images()
        .image_ids(ami.as_str())
        .send()
        .await;
    let answer = answer.map_err(|e| failed("DescribeImages", &clients.region, &e))?;
    Ok(answer
        .images
        .unwrap_or_default()
        .into_iter()
        .find_map(|i| i.state_reason)
        .and_then(|r| r.message))
}

/// Only what names the account: what everybody or an organisation may use is neither given nor taken here.
pub(super) async fn sharing(clients: &Clients, ami: &Ami, account: &str) -> CloudResult<Sharing> {
    let call = clients
        .ec2
        .describe_image_attribute()
        .image_id(ami.id.as_str());
    let answer = call
        .attribute(ImageAttributeName::LaunchPermission)
        .send()
        .await;
    let answer = answer.map_err(|e| failed("DescribeImageAttribute", &clients.region, &e))?;
    let launch = answer.launch_permissions.unwrap_or_default();
    let image = launch.iter().any(|p| p.user_id.as_deref() == Some(account));
    let mut snapshots = BTreeSet::new();
    for snapshot in &ami.snapshots {
        let call = clients
            .ec2
            .describe_snapshot_attribute()
            .snapshot_id(snapshot.as_str());
        let answer = call
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .send()
            .await;
        let answer =
            answer.map_err(|e| failed("DescribeSnapshotAttribute", &clients.region, &e))?;
        let volumes = answer.create_volume_permissions.unwrap_or_default();
        if volumes
            .iter()
            .any(|p| p.user_id.as_deref() == Some(account))
        {
            snapshots.insert(snapshot.clone());
        }
    }
    Ok(Sharing { image, snapshots })
}

/// Copying from another account needs the snapshots too (EC2 user guide, "Cross-account copying").
pub(super) async fn share(
    clients: &Clients,
    ami: &AmiId,
    what: &Sharing,
    account: &str,
    on: bool,
) -> CloudResult<()> {
    if what.image {
        let launch = LaunchPermission::builder().user_id(account).build();
        let change = LaunchPermissionModifications::builder();
        let change = if on {
            change.add(launch)
        } else {
            change.remove(launch)
        };
        let call = clients
            .ec2
            .modify_image_attribute()
            .image_id(ami.as_str())
            .launch_permission(change.build());
        call.send()
            .await
            .map_err(|e| failed("ModifyImageAttribute", &clients.region, &e))?;
    }
    for snapshot in &what.snapshots {
        let call = clients
            .ec2
            .modify_snapshot_attribute()
            .snapshot_id(snapshot.as_str())
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .operation_type(if on {
                OperationType::Add
            } else {
                OperationType::Remove
            })
            .user_ids(account);
        call.send()
            .await
            .map_err(|e| failed("ModifySnapshotAttribute", &clients.region, &e))?;
    }
    Ok(())
}

/// A launch that EC2 only judges: `DryRunOperation` is its yes. An account without a default VPC says so only after the
/// AMI was found good; where instances go there is not ours to know.
pub(super) async fn dry_run_launch(
    clients: &Clients,
    ami: &AmiId,
    instance_type: &str,
) -> CloudResult<()> {
    let call = clients
        .ec2
        .run_instances()
        .image_id(ami.as_str())
        .instance_type(InstanceType::from(instance_type))
        .min_count(1)
        .max_count(1)
        .dry_run(true);
    match call
        .send()
        .await
        .map_err(|e| failed("RunInstances", &clients.region, &e))
    {
        Ok(_) => Ok(()),
        Err(e)
            if ["DryRunOperation", "VPCIdNotSpecified"]
                .iter()
                .any(|yes| e.message.starts_with(yes)) =>
        {
            Ok(())
        }
        // DryRunOperation has the status of a failed precondition, and some endpoints call it a denial.
        Err(e) if e.kind == CloudErrorKind::Denied && e.message.contains("DryRunOperation") => {
            Ok(())
        }
        Err(e) => Err(e),
    }
}
